"""The record of a run: every object's state before and after, written before the object changes, so that a
run can be undone.

A run is a folder: ``run.json`` describes it, each process appends to a file of its own. A line is one of::

    S number state        a state, mentioned for the first time
    D path                the folder, relative to the root, that the following lines are about
    F inode old new name  an object of that folder; the name is empty for the folder itself
    C name                a folder that the run made there

Paths and names are percent-encoded. A cut-off last line belongs to a change that did not happen.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Container, Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from innkeeper.permissions.stores.base import Store

# Objects of one folder, by name and inode, that go from one state to another.
Alike = tuple[Iterable[tuple[str, int]], Hashable, Hashable]

_PLAIN = re.compile(r"[A-Za-z0-9._~ -]*")
_RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


class JournalError(Exception):
    """The journal cannot be made, found or read."""


@dataclass(frozen=True, slots=True)
class Change:
    """One object that a run changed.

    ``name`` is empty for the folder itself. ``old`` is None for a folder that the run made.
    """

    folder: tuple[str, ...]
    name: str
    inode: int
    old: Any
    new: Any


class Journal:
    """One process's part of a run's record."""

    def __init__(self, folder: Path, part: int, store: Store[Any]) -> None:
        """Open the part with this number."""
        self._fd = os.open(folder / f"part-{part}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._store = store
        self._numbers: dict[Hashable, int] = {}

    def record(self, folder: Iterable[str], changes: Iterable[Alike]) -> None:
        """Write down changes of one folder; when this returns, they may be made."""
        head: list[str] = []
        lines = [f"D {'/'.join(map(_quoted, folder))}\n"]
        for objects, old, new in changes:
            states = f"{self._number(old, head)} {self._number(new, head)}"
            lines += [f"F {inode} {states} {_quoted(name)}\n" for name, inode in objects]
        self._write("".join(head + lines))

    def created(self, folder: Iterable[str], name: str) -> None:
        """Write down that a folder is about to be made."""
        self._write(f"D {'/'.join(map(_quoted, folder))}\nC {_quoted(name)}\n")

    def close(self) -> None:
        """Close the file, its bytes on the disk."""
        if os.fstat(self._fd).st_size:
            os.fsync(self._fd)
        os.close(self._fd)

    def _number(self, state: Hashable, head: list[str]) -> int:
        number = self._numbers.get(state)
        if number is None:
            number = self._numbers[state] = len(self._numbers)
            head.append(f"S {number} {json.dumps(self._store.dump(state), separators=(',', ':'))}\n")
        return number

    def _write(self, text: str) -> None:
        data = memoryview(text.encode())
        while data:
            data = data[os.write(self._fd, data) :]


def start_run(base: Path, about: dict[str, Any]) -> Path:
    """Make the folder of a new run and write down what it is about.

    Raises: JournalError.
    """
    # The microseconds come first behind the second, so that names sort as runs began.
    now = datetime.now(UTC)
    name = f"{now:%Y%m%dT%H%M%SZ}-{now.microsecond:05x}{secrets.token_hex(1)[0]}"
    folder, made = base / name, base / f"{name}.new"
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        made.mkdir(mode=0o700)
        describe_run(made, about)
        made.rename(folder)  # whatever has the name of a run is described
    except OSError as error:
        raise JournalError(f"the journal cannot be made in {base}: {error.strerror}") from None
    return folder


def describe_run(folder: Path, about: dict[str, Any]) -> None:
    """Replace what is written about a run."""
    temporary = folder / "run.json.new"
    temporary.write_text(json.dumps(about, indent=2, sort_keys=True) + "\n")
    temporary.replace(folder / "run.json")


def find_run(base: Path, name: str) -> tuple[Path, dict[str, Any]]:
    """The folder of a run and what is written about it; ``last`` is the newest.

    Raises: JournalError.
    """
    if name == "last":
        runs = names(base)
        if not runs:
            raise JournalError(f"there is no run in {base}")
        name = runs[-1]
    if not _RUN.fullmatch(name):
        raise JournalError(f"{name!r} is not the name of a run, such as 20260101T120000Z-0a1b2c")
    try:
        return base / name, json.loads((base / name / "run.json").read_text())
    except (OSError, ValueError):
        raise JournalError(f"there is no run {name} in {base}") from None


def names(base: Path) -> list[str]:
    """The names of all runs, the oldest first."""
    return sorted(entry.name for entry in base.iterdir() if _RUN.fullmatch(entry.name)) if base.is_dir() else []


def forget_old(base: Path, kept: int, spared: Container[str] = ()) -> None:
    """Remove the records of all runs but the newest; a run that is not finished, and those that are spared, stay."""
    for name in names(base)[:-kept]:
        if name not in spared and find_run(base, name)[1].get("finished"):
            shutil.rmtree(base / name)


def changes(folder: Path, store: Store[Any]) -> Iterator[Change]:
    """Every change of a run, part after part, in the order in which it was made.

    Raises: JournalError when a complete line makes no sense.
    """
    for part in sorted(folder.glob("part-*.log"), key=lambda path: int(path.stem[5:])):
        states: dict[int, Any] = {}
        where: tuple[str, ...] = ()
        with part.open(encoding="ascii") as stream:
            for line in stream:
                if not line.endswith("\n"):
                    break
                kind, _, rest = line[:-1].partition(" ")
                try:
                    if kind == "S":
                        number, _, data = rest.partition(" ")
                        states[int(number)] = store.load(json.loads(data))
                    elif kind == "D":
                        where = tuple(map(_unquoted, rest.split("/"))) if rest else ()
                    elif kind == "F":
                        inode, old, new, name = rest.split(" ", 3)
                        yield Change(where, _unquoted(name), int(inode), states[int(old)], states[int(new)])
                    else:
                        yield Change(where, _unquoted(rest), 0, None, None)
                except (ValueError, KeyError):
                    raise JournalError(f"{part} is damaged: {line[:80]!r}") from None


def _quoted(name: str) -> str:
    return name.replace(" ", "%20") if _PLAIN.fullmatch(name) else quote_from_bytes(os.fsencode(name), safe="")


def _unquoted(text: str) -> str:
    return os.fsdecode(unquote_to_bytes(text))
