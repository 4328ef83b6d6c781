"""Deletes a tree of any depth for good. Runs as the account that owns it.

A tree may be deeper than descriptors and Python's stack last: what lies too deep is brought to the top first.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from itertools import islice

from innkeeper.hostd.folders import readable

MAX_LEVELS = 40
BATCH = 10_000


def remove(folder: int, name: str, gone: Callable[[], None] = lambda: None) -> None:
    """Delete an object of a folder, with all that it holds; `gone` hears of each object. Raises OSError."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=folder)
        gone()
        return
    _open(folder, name)
    with readable(folder, name) as top:
        while names := _some(top):  # what was too deep has come up meanwhile
            for each in names:
                _remove(top, top, each, 0, gone)
    os.rmdir(name, dir_fd=folder)
    gone()


def _remove(top: int, folder: int, name: str, level: int, gone: Callable[[], None]) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        pass
    else:
        gone()
        return
    _open(folder, name)
    if level == MAX_LEVELS:
        os.rename(name, f"deep-{secrets.token_hex(16)}", src_dir_fd=folder, dst_dir_fd=top)
        return
    with readable(folder, name) as below:
        while names := _some(below):
            for each in names:
                _remove(top, below, each, level + 1, gone)
    os.rmdir(name, dir_fd=folder)
    gone()


def _some(folder: int) -> list[str]:
    """Names in a folder: not all, for there may be more than there is memory for."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in islice(entries, BATCH)]


def _open(folder: int, name: str) -> None:
    """Let the account into a folder that it has closed to itself. Only what is its own can be opened."""
    if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode & 0o700 != 0o700:
        with contextlib.suppress(OSError):
            os.chmod(name, 0o700, dir_fd=folder)
