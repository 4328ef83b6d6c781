"""Copies objects with all that they hold. Runs as the account.

A copy has the rights that its new folder gives, and execution where the original has it.
"""

from __future__ import annotations

import os

from innkeeper.hostd import disk
from innkeeper.hostd.archive import CHUNK, opened_file
from innkeeper.hostd.folders import opened
from innkeeper.hostd.selection import Count, Found, walk


def copy(folder: int, name: str, target: int, new_name: str, count: Count) -> None:
    """Copy an object to a name that is free. Links and what is neither file nor folder are left out.

    Raises: OSError, TooLargeError.
    """
    disk.leave_room(target)
    for found in walk(folder, [name], count):
        below = found.path.split("/")[1:]
        if not below:
            _make(found, target, new_name, count)
            continue
        with opened(target, (new_name, *below[:-1])) as there:
            _make(found, there, below[-1], count)


def _make(found: Found, folder: int, name: str, count: Count) -> None:
    if found.is_folder:
        os.mkdir(name, 0o755, dir_fd=folder)
        return
    mode = 0o755 if found.st.st_mode & 0o100 else 0o644
    with opened_file(found.folder, found.name) as source:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder)
        try:
            left = os.fstat(source.fileno()).st_size  # it may grow meanwhile, for instance by being a copy of itself
            while left and (part := source.read(min(CHUNK, left))):
                disk.write(fd, part, count)
                left -= len(part)
            os.utime(fd, ns=(found.st.st_atime_ns, found.st.st_mtime_ns))
        finally:
            os.close(fd)
