"""Writing that is counted, and leaves room on the disk for others. Runs as the account."""

from __future__ import annotations

import errno
import os

from innkeeper.hostd.selection import Count

KEPT_FREE = 256 * 1024 * 1024
"""An archive of some kilobytes may hold more than the disk does."""

_LOOK_EVERY = 64 * 1024 * 1024


def write(fd: int, data: bytes, count: Count) -> None:
    """Write a part of a new file. Raises OSError, TooLargeError."""
    before = count.bytes
    count.size(len(data))
    if before // _LOOK_EVERY != count.bytes // _LOOK_EVERY:
        leave_room(fd)
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def leave_room(fd: int) -> None:
    """Raises OSError when the disk of an opened object is nearly full."""
    disk = os.fstatvfs(fd)
    if disk.f_bavail * disk.f_frsize < KEPT_FREE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
