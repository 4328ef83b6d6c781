"""Objects of a folder with all that they hold, within bounds. Runs as the account."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from innkeeper.hostd.become import Tell
from innkeeper.hostd.folders import names_in, readable

MAX_DEPTH = 100


class TooLargeError(Exception):
    """More than is taken at once; `limit` names what there is too much of."""

    def __init__(self, limit: str) -> None:
        super().__init__(limit)
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is taken at once."""

    bytes: int
    objects: int


@dataclass(slots=True)
class Count:
    """What was taken so far.

    `all_objects` and `all_bytes` say how much there is, where that is known; where it is not, `at` and `end` say how
    far an archive was read.
    """

    bounds: Bounds
    tell: Tell
    objects: int = 0
    bytes: int = 0
    all_objects: int = 0
    all_bytes: int = 0
    at: int = 0
    end: int = 0
    left_out: int = 0
    examples: list[str] = field(default_factory=list)

    def object(self) -> None:
        """One more object. Raises TooLargeError."""
        self.objects += 1
        if self.objects > self.bounds.objects:
            raise TooLargeError("objects")
        self._tell()

    def size(self, count: int) -> None:
        """So many more bytes. Raises TooLargeError."""
        self.bytes += count
        if self.bytes > self.bounds.bytes:
            raise TooLargeError("bytes")
        self._tell()

    def leave_out(self, path: str) -> None:
        """An object that is not taken: a link, what is neither file nor folder, or what has no place."""
        self.left_out += 1
        if len(self.examples) < 3:
            self.examples.append(path if len(path) <= 200 else path[:199] + "…")

    def outcome(self) -> dict[str, int | list[str]]:
        """What is told at the end."""
        return {
            "objects": self.objects,
            "bytes": self.bytes,
            "left_out": self.left_out,
            "examples": self.examples,
        }

    def _tell(self) -> None:
        self.tell(
            {
                "objects": self.objects,
                "of_objects": self.all_objects,
                "bytes": self.bytes,
                "of_bytes": self.all_bytes,
                "at": self.at,
                "end": self.end,
            }
        )


@dataclass(frozen=True, slots=True)
class Found:
    """One object: its path from where the selection lies, the folder that holds it, its name there, and what it is."""

    path: str
    folder: int
    name: str
    st: os.stat_result

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.st.st_mode)


def counted(folder: int, names: list[str], bounds: Bounds, tell: Tell) -> Count:
    """Look at everything, so that too much is refused before the first byte; a count that knows how much there is."""
    seen = Count(bounds, lambda come: tell({"seen": come["objects"]}))
    for found in walk(folder, names, seen):
        if not found.is_folder:
            seen.size(found.st.st_size)
    return Count(bounds, tell, all_objects=seen.objects, all_bytes=seen.bytes)


def walk(folder: int, names: list[str], count: Count, before: str = "", depth: int = 0) -> Iterator[Found]:
    """Files and folders, a folder before what it holds. Whoever takes a file's bytes counts them.

    Raises: TooLargeError, OSError.
    """
    if depth > MAX_DEPTH:
        raise TooLargeError("depth")
    for name in names:
        st = os.stat(name, dir_fd=folder, follow_symlinks=False)
        found = Found(before + name, folder, name, st)
        if found.is_folder:
            count.object()
            yield found
            with readable(folder, name) as below:
                yield from walk(below, sorted(names_in(below)), count, f"{found.path}/", depth + 1)
        elif stat.S_ISREG(st.st_mode):
            count.object()
            yield found
        else:
            count.leave_out(found.path)
