"""The trash of a hosting account: `.trash` in its root, the account's own. Runs as the account.

Each object lies in a folder of its own, whose name tells when it came: `SECONDS-RANDOM/item`, and beside it `origin`,
the path that it had. The account can do there what it likes, so nothing in it is believed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from typing import Any

from innkeeper.hostd.become import Tell
from innkeeper.hostd.file_requests import MAX_DEPTH, MAX_NAME_BYTES, TRASH
from innkeeper.hostd.folders import FOLDER, described, is_there, move, names_in, opened, readable
from innkeeper.hostd.removal import remove

ITEM, ORIGIN = "item", "origin"
MAX_TOLD_BYTES = 1_000
"""Of the path that an object had: a page of the longest must fit into an answer."""

_NO_ORIGIN = FileNotFoundError(errno.ENOENT, "the note is no path")
_KEY = re.compile(r"(\d{1,12})-[0-9a-f]{12}")
_MAX_ORIGIN_BYTES = MAX_DEPTH * (MAX_NAME_BYTES + 1)


def put(root: int, folder: int, name: str, origin: tuple[str, ...]) -> str:
    """Move an object of a folder to the trash; the key of its place there. Raises OSError."""
    with opened(root, (TRASH,)) as trash:
        key = f"{int(time.time())}-{secrets.token_hex(6)}"
        os.mkdir(key, 0o700, dir_fd=trash)
        place = os.open(key, FOLDER, dir_fd=trash)
        try:
            note = os.open(ORIGIN, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=place)
            with os.fdopen(note, "wb") as file:
                file.write(os.fsencode("/".join(origin)))
            os.rename(name, ITEM, src_dir_fd=folder, dst_dir_fd=place)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(ORIGIN, dir_fd=place)
                os.rmdir(key, dir_fd=trash)
            raise
        finally:
            os.close(place)
    return key


def listed(root: int, start: int, count: int) -> dict[str, Any]:
    """A page of the trash, the latest first: each object with its key and the path that it had."""
    told = []
    keys = _keys(root)
    for key in sorted(keys, key=lambda key: (-_came(key), key))[start : start + count]:
        with contextlib.suppress(OSError), opened(root, (TRASH, key)) as place:
            st = os.stat(ITEM, dir_fd=place, follow_symlinks=False)
            told.append(described(place, ITEM, st) | {"key": key, "came": _came(key), "path": told_of(_origin(place))})
    return {"entries": told, "total": len(keys)}


def told_of(path: list[str]) -> list[str]:
    """As much of a path's end as is told."""
    size, kept = 0, len(path) - 1
    while kept > 0 and (size := size + len(os.fsencode(path[kept])) + 1) <= MAX_TOLD_BYTES - MAX_NAME_BYTES:
        kept -= 1
    return path if not kept else ["…", *path[kept:]]


def restore(root: int, key: str) -> list[str]:
    """Move an object back, into folders that are made where they are missing. Raises OSError."""
    with opened(root, (TRASH, key)) as place:
        path = _origin(place)
        fd = os.dup(root)
        try:
            for name in path[:-1]:
                if not is_there(fd, name):
                    os.mkdir(name, 0o755, dir_fd=fd)
                below = os.open(name, FOLDER, dir_fd=fd)
                os.close(fd)
                fd = below
            move(place, ITEM, fd, path[-1])
        finally:
            os.close(fd)
        os.unlink(ORIGIN, dir_fd=place)
    with opened(root, (TRASH,)) as trash:
        os.rmdir(key, dir_fd=trash)
    return path


def empty(root: int, older_than: int, tell: Tell) -> int:
    """Delete for good what came so many seconds ago or earlier. How much went. Raises OSError."""
    latest = int(time.time()) - older_than
    due = [key for key in _keys(root) if _came(key) <= latest]
    gone = objects = 0

    def one_more() -> None:
        nonlocal objects
        objects += 1
        tell({"removed": objects})

    failed: OSError | None = None
    with opened(root, (TRASH,)) as trash:
        for key in due:
            try:
                remove(trash, key, one_more)
                gone += 1
            except FileNotFoundError:
                continue
            except OSError as error:  # one that cannot go must not keep the others
                failed = error
    if failed is not None and not gone:
        raise failed
    return gone


def _keys(root: int) -> list[str]:
    try:
        with opened(root, (TRASH,)) as trash, readable(trash) as fd:
            return [name for name in names_in(fd) if _KEY.fullmatch(name)]
    except FileNotFoundError:
        return []


def _came(key: str) -> int:
    return int(key.partition("-")[0])


def _origin(place: int) -> list[str]:
    """The path that an object had. Raises FileNotFoundError for a note that cannot be one."""
    fd = os.open(ORIGIN, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise _NO_ORIGIN
        path = os.fsdecode(file.read(_MAX_ORIGIN_BYTES)).split("/")
    if not 0 < len(path) <= MAX_DEPTH or path[0] == TRASH:
        raise _NO_ORIGIN
    if any(name in ("", ".", "..") or "\0" in name or len(os.fsencode(name)) > MAX_NAME_BYTES for name in path):
        raise _NO_ORIGIN
    return path
