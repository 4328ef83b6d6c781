"""What runs of the disk policy left of each object that they changed.

Rules leave alone what accounts have that they do not name, so only what was there after the last run tells whether
somebody gave such an account something by hand. An object that no run has changed yet is not known.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from innkeeper.permissions import journal
from innkeeper.permissions.explain import read_pinned
from innkeeper.permissions.stores.base import Store
from innkeeper.permissions.stores.posix import PosixState, PosixStore
from innkeeper.permissions.walk import FOLDER

NAME = "left.sqlite3"
# The newest run that is written down stands beside the states.
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS left_state (path BLOB PRIMARY KEY, inode INTEGER, state TEXT) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS noted (run TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Left:
    """An object that is not as a run left it, though it is the same object."""

    path: tuple[str, ...]
    inode: int
    left: PosixState
    now: PosixState
    is_folder: bool

    @property
    def change(self) -> journal.Change:
        """The way back."""
        folder, name = (self.path, "") if self.is_folder else (self.path[:-1], self.path[-1])
        return journal.Change(folder, name, self.inode, self.left, self.now)

    @property
    def is_list_alone(self) -> bool:
        """True when rules can say all that differs: owner, group and special bits are as they were."""
        kept = [(state.uid, state.gid, state.mode & 0o7000) for state in (self.left, self.now)]
        return kept[0] == kept[1]


class Book:
    """The record of one server."""

    def __init__(self, records: Path) -> None:
        """The book in the folder of the server's records; it is made with the first run."""
        self._path = records / NAME

    def catch_up(self, runs: Path, root: Path, store: Store[Any]) -> None:
        """Write down what runs left that were killed before they could. Raises JournalError."""
        if not self._path.exists():
            return
        with closing(sqlite3.connect(self._path)) as database:
            database.executescript(_SCHEMA)
            (last,) = database.execute("SELECT coalesce(max(run), '') FROM noted").fetchone()
        for name in journal.names(runs):
            if name > last and journal.find_run(runs, name)[1].get("root") == str(root):
                self.note(runs / name, store)

    def note(self, run: Path, store: Store[Any], *, undone: bool = False) -> None:
        """Write down what a run left, or, after it was undone, what it had found. Raises JournalError."""
        rows = (
            (_key((*change.folder, change.name) if change.name else change.folder), change.inode, _text(store, state))
            for change in journal.changes(run, store)
            if (state := change.old if undone else change.new) is not None
        )
        self._write(rows, run.name)

    def set(self, path: tuple[str, ...], inode: int, state: PosixState, store: PosixStore) -> None:
        """Take what one object has as what was left of it."""
        self._write(iter([(_key(path), inode, _text(store, state))]))

    def _write(self, rows: Iterator[tuple[bytes, int, str]], run: str = "") -> None:
        with closing(sqlite3.connect(self._path)) as database, database:
            database.executescript(_SCHEMA)
            database.execute("INSERT OR IGNORE INTO noted VALUES (?)", (run,))
            database.execute("DELETE FROM noted WHERE run < (SELECT max(run) FROM noted)")
            database.executemany("INSERT OR REPLACE INTO left_state VALUES (?, ?, ?)", rows)

    def differing(self, root: Path, start: tuple[str, ...], store: PosixStore) -> Iterator[Left]:
        """Every object at and below a place that was changed by hand since."""
        if not self._path.exists():
            return
        key = _key(start)
        with closing(sqlite3.connect(self._path)) as database:
            # A "0" is what follows "/", so that between the two lies all that is below.
            where, values = (
                ("path = ? OR (path > ? AND path < ?)", (key, key + b"/", key + b"0")) if start else ("1", ())
            )
            for path, inode, text in database.execute(f"SELECT * FROM left_state WHERE {where} ORDER BY path", values):
                parts = tuple(os.fsdecode(path).split("/")) if path else ()
                left = store.load(json.loads(text))
                found = _read(root, parts, inode)
                if found is not None and found[0] != left:
                    yield Left(parts, inode, left, *found)


def _key(path: tuple[str, ...]) -> bytes:
    return os.fsencode("/".join(path))


def _text(store: Store[Any], state: Any) -> str:
    return json.dumps(store.dump(state), separators=(",", ":"))


def _read(root: Path, path: tuple[str, ...], inode: int) -> tuple[PosixState, bool] | None:
    """What an object has, and whether it is a folder; None if it is gone or another one. No link is followed."""
    fds = []
    try:
        fds.append(os.open(root, FOLDER))
        for name in path[:-1]:
            fds.append(os.open(name, FOLDER, dir_fd=fds[-1]))
        if path:
            fds.append(os.open(path[-1], os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fds[-1]))
        st = os.fstat(fds[-1])
        return (read_pinned(fds[-1]), stat.S_ISDIR(st.st_mode)) if st.st_ino == inode else None
    except OSError:
        return None
    finally:
        for fd in fds:
            os.close(fd)
