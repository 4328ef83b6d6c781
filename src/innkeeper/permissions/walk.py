"""The walk over a tree by folder descriptors.

No link is followed, no mount point crossed, no name trusted twice.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from innkeeper.permissions.journal import Journal
from innkeeper.permissions.policy import Ground, Node, Policy
from innkeeper.permissions.posix.acl import AclError
from innkeeper.permissions.posix.translate import TooManyEntriesError
from innkeeper.permissions.report import Problem, Report
from innkeeper.permissions.rules.vocabulary import EntryFlag
from innkeeper.permissions.stores.base import NO_MEASURES, Store
from innkeeper.permissions.stores.layout import measures

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Changes are recorded in the journal and made in batches of this size.
BATCH = 1024
# Each level of a tree holds one descriptor; deeper trees are reported, not walked.
MAX_DEPTH = 900
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_PROTECTED_HARDLINKS = Path("/proc/sys/fs/protected_hardlinks")


class StoppedError(Exception):
    """A rule that does not say to go on met an error."""


@dataclass(slots=True)
class Pending:
    """A change that is decided and not yet made."""

    target: int | str
    name: str
    inode: int
    ground: Ground
    old: Any
    new: Any
    is_folder: bool


# Told of a path, its ground and its states before and after; of a folder that would be made, only the path.
Watcher = Callable[[tuple[str, ...], Ground | None, Any, Any], None]


class Walker:
    """Applies a policy to a tree with one store.

    Works in the current directory: it changes it, and puts it back.
    """

    def __init__(
        self,
        policy: Policy,
        store: Store[Any],
        root: int,
        report: Report,
        *,
        journal: Journal | None = None,
        watch: Watcher | None = None,
        dry: bool = False,
        progress: Callable[[Report], None] | None = None,
    ) -> None:
        """Prepare for the tree below the opened folder ``root``.

        ``watch`` is told every change, made or, if dry, planned.
        """
        self.policy = policy
        self.store = store
        self.root = root
        self.device = os.fstat(root).st_dev
        self.report = report
        self.journal = journal
        self.watch = watch
        self.dry = dry
        self.progress = progress or (lambda _: None)
        self.pins = _hard_links_are_free()
        self._told = 0

    def walk(self, start: tuple[str, ...] = ()) -> None:
        """Apply to everything at and below a folder.

        Raises: StoppedError.
        """
        with kept_directory():
            opened = self._descend(start)
            if opened is None:
                return
            fd, ground, node = opened
            names = list(start)
            stack: list[tuple[int, Ground, Node | None, Iterator[str]]] = []
            try:
                stack.append((fd, ground, node, iter(self.folder(fd, ground, node, names))))
                while stack:
                    fd, ground, node, rest = stack[-1]
                    name = next(rest, None)
                    if name is None:
                        stack.pop()
                        os.close(fd)
                        if stack:
                            names.pop()
                        continue
                    names.append(name)
                    entered = self._enter(fd, ground, node, names, len(stack))
                    if entered is None:
                        names.pop()
                        continue
                    below, below_ground, below_node = entered
                    stack.append((below, below_ground, below_node, iter(())))
                    subs = self.folder(below, below_ground, below_node, names)
                    stack[-1] = (below, below_ground, below_node, iter(subs))
            finally:
                for fd, *_ in stack:
                    os.close(fd)

    def shallow(self, enough: int) -> list[tuple[str, ...]]:
        """Apply to the upper levels only, until there are ``enough`` folders below them; return those.

        Raises: StoppedError.
        """
        level: list[tuple[str, ...]] = [()]
        with kept_directory():
            for _ in range(4):
                following: list[tuple[str, ...]] = []
                for path in level:
                    opened = self._descend(path)
                    if opened is None:
                        continue
                    fd, ground, node = opened
                    try:
                        following += [(*path, name) for name in self.folder(fd, ground, node, list(path))]
                    finally:
                        os.close(fd)
                level = following
                if not level or len(level) >= enough:
                    break
        return level

    def folder(self, fd: int, ground: Ground, node: Node | None, names: list[str]) -> list[str]:
        """Apply to an opened folder and the files in it.

        Return the names of the folders below that are to be visited.
        """
        self.report.folders += 1
        if ground.reaches:
            self._folder_itself(fd, ground, node, names)
        has_masks = bool(self.policy.any_masks or (node and node.masks))
        if not ground.passes and not has_masks:
            return self._named_only(fd, ground, node, names)
        return self._scan(fd, ground, node, names)

    def _folder_itself(self, fd: int, ground: Ground, node: Node | None, names: list[str]) -> None:
        st = os.fstat(fd)
        state = self.store.read(fd, st)
        needs = measures(self.policy, ground, node, st.st_uid) if node else NO_MEASURES
        key = (state, needs) if needs is not NO_MEASURES else state
        wanted = self._wanted(ground, key, state, needs, names)
        if wanted is not None and wanted != state:
            self._make(names, [Pending(fd, "", st.st_ino, ground, state, wanted, True)])

    def _scan(self, fd: int, ground: Ground, node: Node | None, names: list[str]) -> list[str]:
        os.fchdir(fd)
        report, store, policy = self.report, self.store, self.policy
        children = node.children if node else {}
        has_masks = bool(policy.any_masks or (node and node.masks))
        plain: Ground | None = None
        if ground.passes and not ground.depends_on_owner:
            plain = policy.child(ground, None, False)
        read = store.read
        subs: list[str] = []
        pending: list[Pending] = []
        with os.scandir(fd) as entries:
            for entry in entries:
                name = entry.name
                try:
                    st = entry.stat(follow_symlinks=False)
                except OSError as error:
                    self._failed(error, names, name, ground)
                    continue
                kind = st.st_mode & 0o170000
                if kind == stat.S_IFDIR:
                    if ground.passes or name in children or policy.any_masks:
                        subs.append(name)
                    continue
                if kind not in (stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK):
                    report.skipped["link" if kind == stat.S_IFLNK else "device"] += 1
                    continue
                if plain is not None and not has_masks and name not in children:
                    here = plain
                else:
                    below = children.get(name)
                    if below is not None and below.leave_alone:
                        report.skipped["left alone"] += 1
                        continue
                    masked = policy.matching(node, name)
                    here = policy.child_file(ground, below, masked, (st.st_uid, st.st_gid))
                    if not here.reaches:
                        continue
                if st.st_nlink > 1:
                    self._hard_link(names, name, here)
                    continue
                report.files += 1
                try:
                    state = read(name, st)
                except OSError as error:
                    self._failed(error, names, name, here)
                    continue
                wanted = here.cache.get(state)
                if wanted is None:
                    wanted = self._wanted(here, state, state, NO_MEASURES, [*names, name])
                if wanted is not None and wanted is not state and wanted != state:
                    pending.append(Pending(name, name, st.st_ino, here, state, wanted, False))
                    if len(pending) >= BATCH:
                        self._make(names, pending)
                        pending = []
                        self._tell()
        if pending:
            self._make(names, pending)
        self._tell()
        present = set(subs)
        missing = [name for name, below in children.items() if name not in present and _creates(below)]
        return subs + [name for name in missing if self._is_missing(fd, name)]

    def _named_only(self, fd: int, ground: Ground, node: Node | None, names: list[str]) -> list[str]:
        """Nothing is inherited from here, so only what rules name is visited."""
        subs = []
        for name, below in (node.children if node else {}).items():
            try:
                st = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                if _creates(below):
                    subs.append(name)
                continue
            if stat.S_ISDIR(st.st_mode):
                subs.append(name)
            elif stat.S_ISREG(st.st_mode) and not below.leave_alone:
                self._named_file(fd, ground, below, [*names, name], st)
        return subs

    def _named_file(self, fd: int, ground: Ground, node: Node, names: list[str], st: os.stat_result) -> None:
        name = names[-1]
        here = self.policy.child_file(ground, node, (), (st.st_uid, st.st_gid))
        if not here.reaches:
            return
        if st.st_nlink > 1:
            self._hard_link(names[:-1], name, here)
            return
        os.fchdir(fd)
        self.report.files += 1
        state = self.store.read(name, st)
        wanted = self._wanted(here, state, state, NO_MEASURES, names)
        if wanted is not None and wanted != state:
            self._make(names[:-1], [Pending(name, name, st.st_ino, here, state, wanted, False)])

    def _enter(
        self, fd: int, ground: Ground, node: Node | None, names: list[str], depth: int
    ) -> tuple[int, Ground, Node | None] | None:
        """Open a folder below an opened one; None when it is to be left alone or is gone."""
        name = names[-1]
        below = node.children.get(name) if node else None
        if below is not None and below.leave_alone:
            self.report.skipped["left alone"] += 1
            return None
        if depth >= MAX_DEPTH:
            self.report.problem(Problem("/".join(names), "too-deep", f"more than {MAX_DEPTH} folders deep"))
            return None
        try:
            opened = os.open(name, FOLDER, dir_fd=fd)
        except FileNotFoundError:
            if below is None or not _creates(below):
                self.report.vanished += 1
                return None
            if self.dry:
                self._plan_creation(names, below)
                return None
            if not self._create(fd, names, below):
                return None
            opened = os.open(name, FOLDER, dir_fd=fd)
        except OSError as error:
            self._failed(error, names[:-1], name, ground)
            return None
        st = os.fstat(opened)
        if st.st_dev != self.device:
            os.close(opened)
            self.report.skipped["mount point"] += 1
            return None
        return opened, self.policy.child(ground, below, True, (st.st_uid, st.st_gid)), below

    def _descend(self, path: tuple[str, ...]) -> tuple[int, Ground, Node | None] | None:
        """Open a folder from the root on, part by part."""
        fd = os.dup(self.root)
        st = os.fstat(fd)
        ground, node = self.policy.start((st.st_uid, st.st_gid)), self.policy.root
        reached: tuple[int, Ground, Node | None] | None = (fd, ground, node)
        for depth in range(1, len(path) + 1):
            assert reached is not None  # noqa: S101 (the loop ends otherwise)
            above = reached
            try:
                reached = self._enter(*above, list(path[:depth]), depth)
            finally:
                os.close(above[0])
            if reached is None:
                return None
        return reached

    def _plan_creation(self, names: list[str], node: Node) -> None:
        """Tell of a folder that would be made, and of those in it."""
        self.report.created += 1
        if self.watch:
            self.watch(tuple(names), None, None, None)
        for name, below in node.children.items():
            if _creates(below):
                self._plan_creation([*names, name], below)

    def _create(self, fd: int, names: list[str], node: Node) -> bool:
        """Make a missing folder, closed to everybody until its list is on it."""
        if self.journal:
            self.journal.created(names[:-1], names[-1])
        try:
            os.mkdir(names[-1], 0o700, dir_fd=fd)
        except OSError as error:
            self.report.problem(Problem("/".join(names), "create", str(error.strerror), _places(node)))
            return False
        self.report.created += 1
        return True

    def _wanted(self, ground: Ground, key: Hashable, state: Any, needs: Any, names: list[str]) -> Any:
        found = ground.cache.get(key)
        if found is None:
            try:
                found = self.store.want(ground, state, needs)
            except (TooManyEntriesError, AclError) as error:
                code = "too-many-entries" if isinstance(error, TooManyEntriesError) else "bad-acl"
                self._problem(Problem("/".join(names), code, str(error), self._rules_of(ground)), ground)
                return None
            # States differ as much as owners and lists do; a tree with more of them than this gains nothing
            # by remembering.
            if len(ground.cache) > 4096:
                ground.cache.clear()
            ground.cache[key] = found
        return found

    def _make(self, names: list[str], pending: list[Pending]) -> None:
        """Record, then make, the changes of one folder."""
        if self.watch:
            for item in pending:
                self.watch((*names, item.name) if item.name else tuple(names), item.ground, item.old, item.new)
        self.report.changed += len(pending)
        for ground, count in Counter(item.ground for item in pending).items():
            for number in {number for origin in ground.origins for number in origin}:
                self.report.by_rule[number] += count
        if self.dry:
            return
        if self.journal:
            self.journal.record(names, ((item.name, item.inode, item.old, item.new) for item in pending))
        write = self.store.write
        for item in pending:
            try:
                if self.pins and not item.is_folder:
                    self._write_pinned(item)
                else:
                    write(item.target, item.old, item.new, is_folder=item.is_folder)
            except OSError as error:
                self.report.changed -= 1
                self._failed(error, names, item.name, item.ground)

    def _write_pinned(self, item: Pending) -> None:
        """Write through a descriptor of the very object that was looked at.

        Needed where users may link to files of others: a name could mean another file by now.
        """
        fd = os.open(item.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            st = os.fstat(fd)
            if st.st_ino != item.inode or st.st_nlink > 1 or stat.S_ISLNK(st.st_mode):
                raise FileNotFoundError(errno.ENOENT, "another object has the name now")
            self.store.write(f"/proc/self/fd/{fd}", item.old, item.new, is_folder=False, follow=True)
        finally:
            os.close(fd)

    def _hard_link(self, names: list[str], name: str, ground: Ground) -> None:
        """A file with several names may belong to another tree as well."""
        self.report.skipped["hard link"] += 1
        if ground.reaches and self.report.skipped["hard link"] <= 20:
            path = "/".join([*names, name])
            self.report.problem(Problem(path, "hard-link", "has several names and was left alone"))

    def _failed(self, error: OSError, names: list[str], name: str, ground: Ground) -> None:
        if error.errno in _GONE:
            self.report.vanished += 1
            return
        path = "/".join([*names, name] if name else names) or "."
        if error.errno == errno.EOPNOTSUPP:
            try:
                is_link = bool(name) and stat.S_ISLNK(os.lstat(name).st_mode)
            except OSError:
                is_link = True
            if is_link:
                self.report.vanished += 1
                return
            message = "the file system holds no access control lists; mount it with acl"
            self._problem(Problem(path, "no-acl", message, self._rules_of(ground)), ground)
            return
        if error.errno == errno.ENOSPC:
            message = "the list does not fit into the file system's space for it"
            self._problem(Problem(path, "acl-too-large", message, self._rules_of(ground)), ground)
            return
        message = error.strerror or str(error)
        self._problem(
            Problem(path, errno.errorcode.get(error.errno or 0, "error"), message, self._rules_of(ground)),
            ground,
        )

    def _problem(self, problem: Problem, ground: Ground) -> None:
        """Note a problem, and stop unless every rule behind it says to go on."""
        self.report.problem(problem)
        numbers = {number for origin in ground.origins for number in origin}
        if not numbers or all(self.policy.rules[number].flags & EntryFlag.CONTINUE_ON_ERROR for number in numbers):
            return
        raise StoppedError(str(problem))

    def _rules_of(self, ground: Ground) -> tuple[str, ...]:
        numbers = sorted({number for origin in ground.origins for number in origin})
        return tuple(self.policy.rules[number].place for number in numbers)

    def _is_missing(self, fd: int, name: str) -> bool:
        try:
            os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return True
        return False

    def _tell(self) -> None:
        if self.report.objects - self._told >= BATCH:
            self._told = self.report.objects
            self.progress(self.report)


@contextmanager
def kept_directory() -> Iterator[None]:
    """Put the current directory back."""
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield
    finally:
        os.fchdir(before)
        os.close(before)


def _creates(node: Node) -> bool:
    """True when a rule wants this folder, or one below it, to be made."""
    return node.create or any(map(_creates, node.children.values()))


def _places(node: Node) -> tuple[str, ...]:
    return tuple(rule.place for rule in node.rules)


def _hard_links_are_free() -> bool:
    try:
        return _PROTECTED_HARDLINKS.read_text().strip() != "1"
    except OSError:
        return True
