"""Folders and names below an opened root, reached without ever following a link. Runs as the account."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from typing import Any

FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_TARGET = 200
"""Letters of a link's target that are told: a page of the longest must fit into an answer."""

_NO_REPLACE, _EXCHANGE = 1, 2
_libc = ctypes.CDLL(None, use_errno=True)
_LIST = "system.posix_acl_access"
_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}


@contextlib.contextmanager
def opened(root: int, path: tuple[str, ...]) -> Iterator[int]:
    """A descriptor of a folder, good for reaching what is in it and for nothing else. Raises OSError."""
    fd = os.dup(root)
    try:
        for name in path:
            below = os.open(name, FOLDER, dir_fd=fd)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def readable(folder: int, name: str = ".") -> Iterator[int]:
    """A folder opened for reading its names."""
    fd = os.open(name, _READ_FOLDER, dir_fd=folder)
    try:
        yield fd
    finally:
        os.close(fd)


def names_in(fd: int) -> list[str]:
    """The names in a folder opened for reading."""
    return os.listdir(fd)


def entry(folder: int, name: str) -> dict[str, Any]:
    """One object as it is told. Raises OSError."""
    return described(folder, name, os.stat(name, dir_fd=folder, follow_symlinks=False))


def described(folder: int, name: str, st: os.stat_result) -> dict[str, Any]:
    """An object of a folder with what is known of it; of a link where it points to."""
    told: dict[str, Any] = {
        "name": name,
        "kind": _KINDS.get(stat.S_IFMT(st.st_mode), "other"),
        "size": st.st_size,
        "modified": int(st.st_mtime),
        "uid": st.st_uid,
        "gid": st.st_gid,
        "mode": stat.S_IMODE(st.st_mode),
    }
    if told["kind"] == "link":
        with contextlib.suppress(OSError):
            target = os.readlink(name, dir_fd=folder)
            told["target"] = target if len(target) <= MAX_TARGET else target[: MAX_TARGET - 1] + "…"
    return told


def is_there(folder: int, name: str) -> bool:
    """True if a name is in use, by a link too."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def move(source: int, name: str, target: int, new_name: str) -> None:
    """Give an object another place whose name is free, in one step. Raises OSError, EEXIST if the name is in use."""
    try:
        _rename(source, name, target, new_name, _NO_REPLACE)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        # This file system cannot promise it in one step.
        if is_there(target, new_name):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)


def exchange(folder: int, one: str, other: str) -> None:
    """Let two objects of a folder change names, in one step."""
    _rename(folder, one, folder, other, _EXCHANGE)


def take_rights(fd: int, folder: int, name: str, st: os.stat_result) -> None:
    """Give an opened file the mode and the list of another: who was kept from that is kept from what replaces it.

    Raises OSError.
    """
    path = f"/proc/self/fd/{folder}/{name}"
    os.fchmod(fd, stat.S_IMODE(st.st_mode) & 0o777)
    try:
        os.setxattr(fd, _LIST, os.getxattr(path, _LIST, follow_symlinks=False))
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
            raise
        with contextlib.suppress(OSError):  # it may have inherited one, and the other had none
            os.removexattr(fd, _LIST)
            os.fchmod(fd, stat.S_IMODE(st.st_mode) & 0o777)


def _rename(source: int, name: str, target: int, new_name: str, flags: int) -> None:
    if _libc.renameat2(source, os.fsencode(name), target, os.fsencode(new_name), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
