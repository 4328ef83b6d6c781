"""Adds and removes many system users at once, in one rewriting of /etc/passwd and /etc/shadow.

`useradd` takes 30 ms and reads both files each time: a packet with a thousand sites would keep the machine busy for a
minute. The files are changed as the shadow tools do it: under the lock that they and glibc take (`lckpwdf`), by a new
file that replaces the old one, and line by line, so that whatever else stands in them stays as it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ETC = Path("/etc")
LOCK_SECONDS = 15.0  # as glibc's
LOCK_STEP_S = 0.05
NO_SHELL = "/usr/sbin/nologin"
NO_HOME = "/nonexistent"

_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class User:
    """A system user that nobody logs in as."""

    name: str
    uid: int
    gid: int
    comment: str


def add(users: Iterable[User], etc: Path = ETC) -> int:
    """Make the users that are missing; how many. Those that are there in the same form are no error.

    Raises FileExistsError when a name or a number is another user's; nothing is made then. TimeoutError when another
    program keeps the files locked.
    """
    wanted = {user.name: user for user in users}
    with _locked(etc):
        lines = _read(etc / "passwd")
        by_name = dict(_fields(lines))
        numbers = {fields[2]: name for name, fields in _fields(lines) if len(fields) > 2}
        missing = []
        for user in wanted.values():
            found = by_name.get(user.name)
            if found is not None:
                if found != _passwd_line(user).split(":"):
                    raise FileExistsError(f"The system user {user.name} exists and is not the one that is wanted.")
            elif (holder := numbers.get(str(user.uid))) is not None:
                raise FileExistsError(f"The user id {user.uid} of {user.name} belongs to {holder}.")
            else:
                missing.append(user)
        if not missing:
            return 0
        shadow = _read(etc / "shadow")
        known = {name for name, _ in _fields(shadow)}
        today = int(time.time() // 86_400)
        # The password file last: a user that stands there has its line in the other one.
        _replace(etc / "shadow", [*shadow, *(f"{u.name}:!:{today}::::::" for u in missing if u.name not in known)])
        _replace(etc / "passwd", [*lines, *map(_passwd_line, missing)])
        return len(missing)


def remove(is_ours: Callable[[str, int, str], bool], etc: Path = ETC) -> int:
    """Remove every user for whose name, number and comment `is_ours` answers true; how many."""
    with _locked(etc):
        lines = _read(etc / "passwd")
        gone = {
            name
            for name, fields in _fields(lines)
            if len(fields) == 7 and fields[2].isdecimal() and is_ours(name, int(fields[2]), fields[4])
        }
        if gone:
            _replace(etc / "passwd", [line for line in lines if line.partition(":")[0] not in gone])
            shadow = _read(etc / "shadow")
            _replace(etc / "shadow", [line for line in shadow if line.partition(":")[0] not in gone])
        return len(gone)


def _passwd_line(user: User) -> str:
    return f"{user.name}:x:{user.uid}:{user.gid}:{user.comment}:{NO_HOME}:{NO_SHELL}"


def _fields(lines: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    for line in lines:
        fields = line.split(":")
        yield fields[0], fields


def _read(path: Path) -> list[str]:
    return path.read_bytes().decode(errors="surrogateescape").rstrip("\n").split("\n")


def _replace(path: Path, lines: list[str]) -> None:
    """Write a new file of the old one's owner and mode, and put it in its place."""
    old = path.stat()
    new = path.with_name(path.name + "+")  # the name that the shadow tools use; the lock keeps them away
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(("\n".join(lines) + "\n").encode(errors="surrogateescape"))
        os.fchown(fd, old.st_uid, old.st_gid)
        os.fchmod(fd, old.st_mode & 0o7777)
        file.flush()
        os.fsync(fd)
    new.rename(path)


@contextlib.contextmanager
def _locked(etc: Path) -> Iterator[None]:
    """glibc's lock of the password files. It is a process's, so that threads need one among themselves."""
    with _lock:
        fd = os.open(etc / ".pwd.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except (BlockingIOError, PermissionError):
                    if time.monotonic() > deadline:
                        raise TimeoutError(f"Another program keeps {etc}/passwd locked.") from None
                    time.sleep(LOCK_STEP_S)
            yield
        finally:
            os.close(fd)
