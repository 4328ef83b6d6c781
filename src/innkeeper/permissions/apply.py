"""Applying a policy to a tree.

Checked before the first write, journaled, in one or several processes; and undoing it.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import shutil
import signal
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from innkeeper.permissions import journal
from innkeeper.permissions.policy import Node, Policy
from innkeeper.permissions.report import Problem, Report
from innkeeper.permissions.rules.finding import Finding, RuleError, Severity
from innkeeper.permissions.rules.vocabulary import EntryFlag
from innkeeper.permissions.stores.base import Store
from innkeeper.permissions.walk import FOLDER, Mounts, StoppedError, Walker, Watcher, kept_directory, mounts_below

INTERRUPTED = "interrupted; run again to go on"

# Folders that are shared out among the processes, for each of them; more make the shares more even.
_SHARES = 32
_NUMBER = 4
_MAX_NUMBERS = 65536 // _NUMBER


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

    ``journal`` is the folder of all runs, or None to keep no record; ``about`` is written into it. ``start`` is the
    folder or file at and below which the run works; with ``way`` the folders above it get what rules say of them,
    too, and with ``way_only`` they alone.
    """

    dry: bool = False
    start: tuple[str, ...] = ()
    way: bool = False
    way_only: bool = False
    about: dict[str, Any] = field(default_factory=dict)
    jobs: int = 1
    journal: Path | None = None
    watch: Watcher | None = None
    progress: Callable[[Report], None] | None = None


@dataclass(slots=True)
class Run:
    """A finished run: its counts, and its name in the journal if there is one."""

    report: Report
    name: str | None = None


def check(policy: Policy, root: int) -> list[Finding]:
    """What the rules name and the tree does not have, found before anything is written."""
    findings: list[Finding] = []
    _check_node(root, policy.root, (), mounts_below(root), findings)
    return findings


def run(policy: Policy, store: Store[Any], root_path: str, options: Options | None = None) -> Run:
    """Apply a policy to the tree at ``root_path``, or only say what would change if ``options.dry``.

    The run works in the current directory and puts it back, so it wants a process without other threads that use it.
    Everything that can be known beforehand is checked first: when a rule that does not say to go on cannot
    be carried out, nothing is written. Ctrl-C or SIGTERM ends a run of the main thread between two objects.

    Raises: RuleError with the reasons; JournalError; OSError when the root cannot be opened.
    """
    options = options or Options()
    _allow_many_files()
    root = os.open(root_path, FOLDER)
    try:
        missing = check(policy, root)
        tolerant = {rule.place for rule in policy.rules if rule.flags & EntryFlag.CONTINUE_ON_ERROR}
        fatal = policy.stops + [item for item in missing if f"{item.file}:{item.line}:{item.column}" not in tolerant]
        if fatal:
            raise RuleError(fatal)
        report = Report()
        for finding in missing:
            if finding.code == "not-there":
                report.absent.append(replace(finding, severity=Severity.WARNING))
            else:
                report.problem(Problem(root_path, finding.code, finding.message, (str(finding).split(": ")[0],)))
        if policy.root.leave_alone:
            report.skipped["left alone"] += 1
            return Run(report)
        if mounted := _mount_on(root, options.start):
            report.stopped = _mounted(mounted)
            return Run(report)
        if options.dry:
            with _interruptible() as heard:
                _Job(policy, store, root, None, options, heard).alone(report)
            return Run(report)
        folder = None
        about: dict[str, Any] = options.about | {"root": root_path, "store": store.name, "finished": False}
        if options.journal is not None:
            about["rules"] = sorted({rule.file for rule in policy.rules})
            folder = journal.start_run(options.journal, about)
        with _interruptible() as heard:
            job = _Job(policy, store, root, folder, options, heard)
            if options.jobs > 1 and not options.way_only and not _is_file(root, options.start):
                job.shared(report)
            else:
                job.alone(report)
        if folder is not None:
            journal.describe_run(folder, about | {"finished": not report.stopped, "report": report.as_dict()})
        if folder is not None and not report.changed + report.created + report.problem_count and not report.stopped:
            # Nothing to undo, so nothing to keep.
            shutil.rmtree(folder)
            folder = None
        return Run(report, folder.name if folder else None)
    finally:
        os.close(root)


def mounted_on(root_path: str, path: tuple[str, ...]) -> str:
    """Why no run reaches a path below a root: something is mounted on the way to it. Empty if nothing is.

    Raises: OSError when the root cannot be opened.
    """
    root = os.open(root_path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)  # who asks need not be able to list it
    try:
        found = _mount_on(root, path)
    finally:
        os.close(root)
    return _mounted(found) if found else ""


def run_below(  # noqa: PLR0917 (the arguments of run, and where)
    policy: Policy, store: Store[Any], root_path: str, start: tuple[str, ...], options: Options, report: Report
) -> None:
    """Walk only what lies at and below one folder, in this process and without a journal.

    Raises: OSError when the root cannot be opened.
    """
    _allow_many_files()
    root = os.open(root_path, FOLDER)
    try:
        walker = Walker(policy, store, root, report, watch=options.watch)
        walker.dry = options.dry
        with _reported(report, None):
            walker.walk(start)
    finally:
        os.close(root)


def put_back(store: Store[Any], root_path: str, changes: Iterable[journal.Change], record: Path, *, dry: bool) -> Run:
    """Give objects what they had, on record as every run: each from ``new``, which it has now, to ``old``.

    Raises: JournalError, OSError when the root cannot be opened.
    """
    report = Report()
    about: dict[str, Any] = {"root": root_path, "store": store.name, "finished": False}
    folder = None if dry else journal.start_run(record, about)
    part = None if folder is None else journal.Journal(folder, 0, store)
    root = os.open(root_path, FOLDER)
    try:
        with kept_directory(), _interruptible() as heard, _reported(report, part):
            for change in changes:
                if heard():
                    raise StoppedError(INTERRUPTED)
                fd = _open_below(root, change.folder)
                if fd < 0:
                    report.vanished += 1
                    continue
                try:
                    if part is not None:
                        part.record(change.folder, [([(change.name, change.inode)], change.new, change.old)])
                    _undo_one(store, fd, change, report, force=False, dry=dry)
                finally:
                    os.close(fd)
    finally:
        os.close(root)
    if folder is None:
        return Run(report)
    if not report.changed:
        shutil.rmtree(folder)
        return Run(report)
    journal.describe_run(folder, about | {"finished": not report.stopped, "report": report.as_dict()})
    return Run(report, folder.name)


def undo(
    store: Store[Any],
    folder: Path,
    root_path: str,
    *,
    force: bool = False,
    dry: bool = False,
    progress: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Put every object of a run back to what it was before.

    An object that was changed again since then is left alone and reported, unless ``force``. A run that was
    cut off, and an undo that was cut off, can be undone: what already is as it was counts as done.

    Raises: JournalError, OSError when the root cannot be opened.
    """
    report = Report()
    _allow_many_files()
    root = os.open(root_path, FOLDER)
    try:
        with kept_directory(), _interruptible() as heard:
            made: list[journal.Change] = []
            # The last folder stays open: the changes of one folder stand together.
            at: tuple[str, ...] | None = None
            fd = -1
            for change in journal.changes(folder, store):
                if heard():
                    report.stopped = "interrupted; undo the run again to go on"
                    made = []
                    break
                if change.old is None:
                    made.append(change)
                    continue
                if change.folder != at:
                    if fd >= 0:
                        os.close(fd)
                    fd, at = _open_below(root, change.folder), change.folder
                    progress(report)
                if fd < 0:
                    report.vanished += 1
                    continue
                _undo_one(store, fd, change, report, force=force, dry=dry)
            if fd >= 0:
                os.close(fd)
            for change in reversed(made):
                _unmake(root, change, report, dry=dry)
    finally:
        os.close(root)
    return report


def _undo_one(store: Store[Any], fd: int, change: journal.Change, report: Report, *, force: bool, dry: bool) -> None:
    path = "/".join((*change.folder, change.name)) or "."
    try:
        target = (
            os.open(change.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd) if change.name else os.dup(fd)
        )
    except OSError:
        report.vanished += 1
        return
    try:
        st = os.fstat(target)
        if st.st_ino != change.inode or stat.S_ISLNK(st.st_mode):
            report.vanished += 1
            return
        is_folder = stat.S_ISDIR(st.st_mode)
        report.folders += is_folder
        report.files += not is_folder
        if is_folder:
            now = store.read(target, st) if not change.name else None
        else:
            if st.st_nlink > 1:
                report.problem(Problem(path, "hard-link", "has several names now and was left alone"))
                return
            os.fchdir(fd)
            now = store.read(change.name, st)
        if now in (change.old, None):
            return
        if now != change.new and not store.is_cut_off(change.old, change.new, now) and not force:
            report.problem(Problem(path, "changed-since", f"is {store.describe(now)} now and was left alone"))
            return
        report.changed += 1
        if dry:
            return
        if is_folder:
            store.change(now, change.old, is_folder=True)(target)
        else:
            store.change(now, change.old, is_folder=False, follow=True)(f"/proc/self/fd/{target}")
    except OSError as error:
        report.problem(Problem(path, errno.errorcode.get(error.errno or 0, "error"), str(error.strerror)))
    finally:
        os.close(target)


def _unmake(root: int, change: journal.Change, report: Report, *, dry: bool) -> None:
    """Remove a folder that the run made, if it is still empty."""
    fd = _open_below(root, change.folder)
    if fd < 0:
        return
    try:
        if not dry:
            os.rmdir(change.name, dir_fd=fd)
        report.changed += 1
    except FileNotFoundError:
        pass
    except OSError as error:
        path = "/".join((*change.folder, change.name))
        report.problem(Problem(path, "not-removed", f"was made by the run and stays: {error.strerror}"))
    finally:
        os.close(fd)


def _open_below(root: int, parts: tuple[str, ...]) -> int:
    fd = os.dup(root)
    for part in parts:
        try:
            below = os.open(part, FOLDER, dir_fd=fd)
        except OSError:
            os.close(fd)
            return -1
        os.close(fd)
        fd = below
    return fd


def _is_file(root: int, parts: tuple[str, ...]) -> bool:
    """True when the path leads to something that is no folder."""
    above = _open_below(root, parts[:-1]) if parts else -1
    if above < 0:
        return False
    try:
        return not stat.S_ISDIR(os.stat(parts[-1], dir_fd=above, follow_symlinks=False).st_mode)
    except OSError:
        return False
    finally:
        os.close(above)


def _mount_on(root: int, path: tuple[str, ...]) -> tuple[str, ...]:
    """The first folder or file on the way down a path at which something is mounted; empty if there is none."""
    mounts = mounts_below(root)
    return next((path[:depth] for depth in range(1, len(path) + 1) if path[:depth] in mounts), ())


def _mounted(path: tuple[str, ...]) -> str:
    return f"something is mounted at {'/'.join(path)}, and a run stays in the file system of its root"


def _check_node(fd: int, node: Node, path: tuple[str, ...], mounts: Mounts, findings: list[Finding]) -> None:
    """Look at what rules name, without following a link or entering what is mounted."""
    for name, child in node.children.items():
        below = (*path, name)
        if child.leave_alone:
            continue
        if below in mounts:
            _all(child, "mount-point", _mounted(below), findings)
            continue
        try:
            st = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.ENOENT:
                _missing(child, below, findings)
            else:
                _all(child, "not-reachable", f"{'/'.join(below)}: {error.strerror}", findings)
            continue
        if stat.S_ISLNK(st.st_mode):
            _all(child, "link", f"{'/'.join(below)} is a link; name the folder that it leads to", findings)
        elif not stat.S_ISDIR(st.st_mode):
            if child.children or child.masks:
                _all(child, "no-folder", f"{'/'.join(below)} is no folder", findings)
        elif child.children:
            try:
                opened = os.open(name, FOLDER, dir_fd=fd)
            except OSError as error:
                _all(child, "not-reachable", f"{'/'.join(below)}: {error.strerror}", findings)
                continue
            try:
                _check_node(opened, child, below, mounts, findings)
            finally:
                os.close(opened)


def _missing(node: Node, path: tuple[str, ...], findings: list[Finding]) -> None:
    """Rules for what is not there, except those below or at a folder that will be made."""
    if node.rules and not node.create and not _makes(node):
        findings += [
            rule.finding("not-there", f"{'/'.join(path)} does not exist; add 0x40 to EntryFlags to make it")
            for rule in node.rules
        ]
    for name, child in node.children.items():
        if not child.leave_alone:
            _missing(child, (*path, name), findings)


def _makes(node: Node) -> bool:
    return node.create or any(map(_makes, node.children.values()))


def _all(node: Node, code: str, message: str, findings: list[Finding]) -> None:
    findings += [rule.finding(code, message) for rule in node.rules]
    for child in node.children.values():
        if not child.leave_alone:
            _all(child, code, message, findings)


@dataclass(frozen=True, slots=True)
class _Job:
    """One run's work: alone in this process, or shared out among several."""

    policy: Policy
    store: Store[Any]
    root: int
    folder: Path | None
    options: Options
    is_interrupted: Callable[[], bool]

    def journal(self, part: int) -> journal.Journal | None:
        return journal.Journal(self.folder, part, self.store) if self.folder else None

    def listening(self, progress: Callable[[Report], None] | None) -> Callable[[Report], None]:
        """Tell how far a run is, and stop it when somebody wants it to end."""

        def told(report: Report) -> None:
            if self.is_interrupted():
                raise StoppedError(INTERRUPTED)
            if progress:
                progress(report)

        return told

    def alone(self, report: Report) -> None:
        record, options = self.journal(0), self.options
        walker = Walker(self.policy, self.store, self.root, report, journal=record, watch=options.watch)
        walker.dry, walker.progress = options.dry, self.listening(options.progress)
        with _reported(report, record):
            if options.way or options.way_only:
                walker.way(options.start)
            if options.way_only:
                return
            if _is_file(self.root, options.start):
                walker.one(options.start)
            else:
                walker.walk(options.start)

    def shared(self, report: Report) -> None:
        """Do the upper levels here and share the folders below them out among processes."""
        record = self.journal(0)
        shares: list[tuple[str, ...]] = []
        with _reported(report, record):
            walker = Walker(self.policy, self.store, self.root, report, journal=record, watch=self.options.watch)
            walker.progress = self.listening(None)
            if self.options.way:
                walker.way(self.options.start)
            shares = walker.shallow(self.options.jobs * _SHARES, self.options.start)
        if not shares or report.stopped:
            return
        context = multiprocessing.get_context("fork")
        taker = _numbers(len(shares))
        receivers: dict[Connection, Report] = {}
        workers = []
        for part in range(1, self.options.jobs + 1):
            receiver, sender = context.Pipe(duplex=False)
            worker = context.Process(target=self.work, args=(part, shares, taker, sender))
            worker.start()
            sender.close()
            workers.append(worker)
            receivers[receiver] = Report()
        os.close(taker)
        for total in _collected(receivers, report):
            if self.options.progress:
                self.options.progress(total)
            if self.is_interrupted():  # which they need not have heard themselves
                for worker in workers:
                    worker.terminate()
        for worker in workers:
            worker.join()
            if worker.exitcode and not report.stopped:
                report.stopped = f"a process of the run ended with {worker.exitcode}; run again to go on, or undo"

    def work(self, part: int, shares: list[tuple[str, ...]], taker: int, sender: Connection) -> None:
        """One process: take folders until none are left."""
        report = Report()
        record = self.journal(part)
        progress = self.listening(sender.send)
        walker = Walker(self.policy, self.store, self.root, report, journal=record, progress=progress)
        with _reported(report, record):
            while number := os.read(taker, _NUMBER):
                at = int.from_bytes(number, "little")
                for path in shares[at * _share_size(len(shares)) :][: _share_size(len(shares))]:
                    walker.walk(path)
        sender.send(report)
        sender.close()


@contextmanager
def _reported(report: Report, record: journal.Journal | None) -> Iterator[None]:
    """Turn a stop into a line of the report, and close the record."""
    try:
        yield
    except StoppedError as stop:
        report.stopped = str(stop)
    finally:
        if record:
            record.close()


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and SIGTERM wait until a run looks whether it is to end, rather than cut off what it writes.

    Only the main thread hears signals; in others this changes nothing.
    """
    heard = False

    def hear(_number: int, _frame: object) -> None:
        nonlocal heard
        heard = True

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, hear)
    try:
        yield lambda: heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _share_size(count: int) -> int:
    """How many folders one number stands for, so that all numbers fit into a pipe."""
    return -(-count // _MAX_NUMBERS)


def _numbers(count: int) -> int:
    """A pipe full of numbers, from which each process takes the next. A read of four bytes is never torn."""
    taker, giver = os.pipe()
    for number in range(-(-count // _share_size(count))):
        os.write(giver, number.to_bytes(_NUMBER, "little"))
    os.close(giver)
    return taker


def _collected(receivers: dict[Connection, Report], report: Report) -> Iterator[Report]:
    """Take in the processes' counts until all have ended; gives the sum each time."""
    waiting: list[Any] = list(receivers)
    while waiting:
        for receiver in wait(waiting):
            assert isinstance(receiver, Connection)  # noqa: S101 (only connections are waited for)
            try:
                receivers[receiver] = receiver.recv()
            except EOFError:
                waiting.remove(receiver)
                continue
            total = Report()
            for part in (report, *receivers.values()):
                total.add(part)
            yield total
    for part in receivers.values():
        report.add(part)


def _allow_many_files() -> None:
    """Each level of a tree holds a descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(4096, hard) if hard != resource.RLIM_INFINITY else 4096
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
