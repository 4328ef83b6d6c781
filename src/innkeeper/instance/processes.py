"""Which processes belong to an instance, and signals that never hit a stranger.

A process is the instance's when its environment carries the instance's mark, which supervisor sets and Postfix passes
on to its children, when it is Dovecot of the instance's name, when it runs as the instance's user for handlers, or when
its parent is such a process. It is named by pid and start time together, and signalled through a pidfd after both were
looked at again: a pid that was given to somebody else in between is left alone.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from innkeeper.instance.config import Instance

MARK = "INNKEEPER_INSTANCE"
PROC = Path("/proc")
DOVECOT_BINARIES = ("/usr/lib/dovecot/", "/usr/sbin/dovecot")


@dataclass(frozen=True, slots=True)
class Process:
    """A process, named so that a later one with its pid is another."""

    pid: int
    start_time: int
    parent: int
    command: str


def read(pid: int) -> Process | None:
    """The process that has this pid now, or None."""
    try:
        # A process chooses its name: one that is no text hides it from nobody.
        stat = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    head, _, tail = stat.rpartition(")")
    fields = tail.split()
    if fields[0] == "Z":  # ended, waiting for its parent to notice
        return None
    return Process(pid, int(fields[19]), int(fields[1]), head.partition("(")[2])


def of_pid_file(path: Path) -> Process | None:
    """The process in a daemon's own pid file, which root wrote; None if it does not run."""
    try:
        return read(int(path.read_text().strip()))
    except (OSError, ValueError):
        return None


def has_mark(pid: int, instance: Instance) -> bool:
    """Whether the process was started by the instance's supervisor, directly or not.

    Dovecot writes its title over its environment, so its binaries are known by that title, which carries the
    instance's name, and its master by its configuration file.
    """
    folder = PROC / str(pid)
    try:
        if f"{MARK}={instance.tag}".encode() in (folder / "environ").read_bytes().split(b"\0"):
            return True
        if not str((folder / "exe").readlink()).startswith(DOVECOT_BINARIES):
            return False
        words = (folder / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    title = f"dovecot-{instance.name}/".encode()
    return words[0].startswith(title) or str(instance.etc / "dovecot" / "dovecot.conf").encode() in words


def handler_uid(instance: Instance) -> int | None:
    """The instance's own user for handlers, if there is one. Nothing else runs as it."""
    try:
        return pwd.getpwnam(instance.handler_user).pw_uid
    except KeyError:
        return None


def runs_as(pid: int, uid: int | None) -> bool:
    """Whether a user started the process. A program may hide its environment, but not that."""
    try:
        status = (PROC / str(pid) / "status").read_text(errors="replace")
    except OSError:
        return False
    return f"\nUid:\t{uid}\t" in status


def of_instance(instance: Instance) -> list[Process]:
    """Every process of the instance: the marked ones, those of its user for handlers, and their descendants."""
    own = handler_uid(instance)
    everything = {
        process.pid: process
        for path in PROC.iterdir()
        if path.name.isdigit() and (process := read(int(path.name))) is not None
    }
    found: dict[int, Process] = {}
    for process in everything.values():
        chain: list[Process] = []
        step: Process | None = process
        while step is not None and step.pid not in found and step not in chain:
            chain.append(step)
            if has_mark(step.pid, instance) or runs_as(step.pid, own):
                found.update((p.pid, p) for p in chain)
                break
            step = everything.get(step.parent)
        else:
            if step is not None and step.pid in found:
                found.update((p.pid, p) for p in chain)
    return sorted(found.values(), key=lambda p: p.pid)


def strays(instance: Instance, supervisor: int) -> list[Process]:
    """The instance's processes that do not descend from its supervisor: a killed program left them behind.

    Those that an image forked and has left are none: each ends with its stand-in, which supervisor knows.
    """
    forked = set()
    for path in instance.image_socket.parent.glob("*.pid"):
        with contextlib.suppress(OSError):  # the folder is the panel's: no file in it is opened here
            forked.add(str(path.readlink()))
    everything = {process.pid: process for process in of_instance(instance)}

    def led(process: Process | None) -> bool:
        while process is not None and process.pid != supervisor:
            if str(process.pid) in forked:
                return True
            process = everything.get(process.parent)
        return process is not None

    return [process for process in everything.values() if not led(process)]


def send(process: Process, number: signal.Signals) -> bool:
    """Signal exactly this process. Tells whether it was still there."""
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        now = read(process.pid)
        if now is None or now.start_time != process.start_time:
            return False
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def wait_ended(processes: Iterable[Process], timeout_s: float) -> list[Process]:
    """Wait for processes to end; answers those that did not."""
    deadline = time.monotonic() + timeout_s
    left: list[Process] = []
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            fd = os.pidfd_open(process.pid)
            try:
                now = read(process.pid)
                if now is None or now.start_time != process.start_time:
                    continue
                ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
                if not ready:
                    left.append(process)
            finally:
                os.close(fd)
    return left


def end(processes: list[Process], patience_s: float = 10) -> None:
    """Ask processes to end, and kill those that do not in time."""
    for process in processes:
        send(process, signal.SIGTERM)
    left = wait_ended(processes, patience_s)
    for process in left:
        send(process, signal.SIGKILL)
    wait_ended(left, 5)
