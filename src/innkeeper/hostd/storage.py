"""Looks into and deletes the storage of mail accounts, without ever following what lies in it out of it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

LAST_LOGIN = ".last-login"
SIZE_IN_NAME = re.compile(r",S=(\d+)")
MAX_LAST_LOGIN_BYTES = 200
MAX_DEPTH = 8  # a maildir is three deep; each level holds a descriptor
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def folder(storage: str) -> Path:
    """Where a storage lies below the root of all mail: spread over 256 folders by its key's beginning."""
    return Path(storage[:2]) / storage


@contextlib.contextmanager
def opened(root: Path, storage: str) -> Iterator[int | None]:
    """A descriptor of a storage's folder, reached without links; None if there is none."""
    fd = os.open(root, FOLDER_FLAGS)
    try:
        for part in folder(storage).parts:
            try:
                below = os.open(part, FOLDER_FLAGS, dir_fd=fd)
            except OSError:  # not there, or a link
                yield None
                return
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


def figures(root: Path, storage: str) -> tuple[int, int | None] | None:
    """Used bytes, and the second of the last log-in, of a storage; None if it is not there."""
    with opened(root, storage) as fd:
        if fd is None:
            return None
        return _used(fd, MAX_DEPTH), _last_login(fd)


def _used(fd: int, depth: int) -> int:
    """The size of all files below a folder. Maildir names carry their messages' sizes, which spares asking each."""
    total = 0
    with os.scandir(fd) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # mail moves while we look
                if entry.is_dir(follow_symlinks=False):
                    if not depth:
                        continue
                    below = os.open(entry.name, FOLDER_FLAGS, dir_fd=fd)
                    try:
                        total += _used(below, depth - 1)
                    finally:
                        os.close(below)
                elif size := SIZE_IN_NAME.search(entry.name):
                    total += int(size[1])
                elif entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def _last_login(fd: int) -> int | None:
    """What Dovecot's last_login noted: a key and a number, each on a line."""
    try:
        file = os.open(LAST_LOGIN, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        lines = os.read(file, MAX_LAST_LOGIN_BYTES).decode(errors="replace").splitlines()
    finally:
        os.close(file)
    return int(lines[1]) if len(lines) > 1 and lines[1].isascii() and lines[1].isdigit() else None


def delete(root: Path, storage: str) -> bool:
    """Delete a storage. Tells whether it was there. Raises OSError when something in it cannot be deleted."""
    if not shutil.rmtree.avoids_symlink_attacks:
        raise RuntimeError("this platform cannot delete a tree safely")
    fd = os.open(root, FOLDER_FLAGS)
    try:
        parent = os.open(storage[:2], FOLDER_FLAGS, dir_fd=fd)
    except (FileNotFoundError, NotADirectoryError):
        return False
    finally:
        os.close(fd)
    try:
        shutil.rmtree(storage, dir_fd=parent)
    except FileNotFoundError:
        return False
    finally:
        os.close(parent)
    return True
