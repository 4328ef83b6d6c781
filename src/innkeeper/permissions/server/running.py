"""One run of a policy on a server: alone, on record, and with what was changed by hand in its rules noticed first."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from innkeeper.permissions import apply, journal, printing
from innkeeper.permissions.policy import Ground, Policy
from innkeeper.permissions.report import Report
from innkeeper.permissions.server.history import Metadata
from innkeeper.permissions.server.layout import Layout
from innkeeper.permissions.server.left import Book
from innkeeper.permissions.stores.posix import PosixStore

_CLONE_FS = 0x200
_NOTE_BYTES = 200
KEPT_RUNS = 1000
# Says which run applied the disk policy when the instance came up.
FIRST = "disk-applied.json"


@dataclass(slots=True)
class Outcome:
    """What a run did, or would do: the policy, the run, and the changes one by one if they were asked for."""

    policy: Policy
    run: apply.Run
    changes: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class How:
    """How to run. ``told`` hears of every change of a plan as it is found."""

    dry: bool = False
    start: tuple[str, ...] = ()
    way: bool = False
    way_only: bool = False
    jobs: int = 1
    told: Callable[[dict[str, Any]], None] | None = None
    progress: Callable[[Report], None] | None = None


def run(layout: Layout, policy: Policy, root: Path, files: Iterable[Metadata], how: How) -> Outcome:
    """Apply a policy, or plan it. The caller holds the lock of what is changed.

    Raises: RuleError, JournalError, OSError.
    """
    store = PosixStore(policy)
    outcome = Outcome(policy, apply.Run(Report()))
    if not how.dry:
        for metadata in files:
            metadata.notice()
        if root == layout.root:
            Book(layout.records).catch_up(layout.runs, root, store)

    def watch(path: tuple[str, ...], ground: Ground | None, old: Any, new: Any) -> None:
        change = printing.change(policy, store, path, (old, new), ground)
        if how.told:
            how.told(change)
        else:
            outcome.changes.append(change)

    options = apply.Options(
        dry=how.dry,
        start=how.start,
        way=how.way,
        way_only=how.way_only,
        jobs=how.jobs,
        journal=layout.runs,
        watch=watch if how.dry else None,
        progress=how.progress,
    )
    with own_directory():
        outcome.run = apply.run(policy, store, str(root), options)
    if outcome.run.name:
        if root == layout.root:
            Book(layout.records).note(layout.runs / outcome.run.name, store)
        with suppress(journal.JournalError):  # a run that another process removes just now
            journal.forget_old(layout.runs, KEPT_RUNS, _first_run(layout))
    return outcome


def _first_run(layout: Layout) -> tuple[str, ...]:
    """The run that first changed what the machine had: the way back to that stays open."""
    try:
        name = json.loads((layout.records / FIRST).read_text()).get("run")
    except (OSError, ValueError):
        return ()
    return (name,) if name else ()


@contextmanager
def own_directory() -> Iterator[None]:
    """Let this thread change its current directory without moving the others; it keeps one of its own from now on."""
    if threading.current_thread() is not threading.main_thread():
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_FS):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    yield


@contextmanager
def locked(layout: Layout, name: str, told: Callable[[str], None] | None = None) -> Iterator[None]:
    """One who changes the rules of something, or applies them, at a time. ``told`` hears that somebody else does."""
    folder = layout.records / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if told:
                told(f"waiting: {name} is in use{os.pread(fd, _NOTE_BYTES, 0).decode(errors='replace')}")
            fcntl.flock(fd, fcntl.LOCK_EX)
        os.ftruncate(fd, 0)
        yield
    finally:
        os.close(fd)


def noted(layout: Layout, name: str, progress: Callable[[Report], None] | None) -> Callable[[Report], None]:
    """What hears how far a run is, and writes it down once a second for those who wait for the lock that is held."""
    path, last = layout.records / "locks" / name, time.monotonic()

    def note(report: Report) -> None:
        nonlocal last
        if progress:
            progress(report)
        if time.monotonic() - last > 1:
            last = time.monotonic()
            path.write_text(f", {report.objects} objects looked at so far")

    return note
