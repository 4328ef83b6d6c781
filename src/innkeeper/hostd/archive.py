"""Packs objects of a folder into a zip or tar.gz file. Runs as the account."""

from __future__ import annotations

import os
import stat
import tarfile
import time
import zipfile
from collections.abc import Iterator
from typing import IO

from innkeeper.hostd.become import Tell
from innkeeper.hostd.selection import Bounds, Count, Found, counted, walk

# A web site's files are text, or pictures that do not get smaller: the fastest level is nearly as small.
LEVEL = 1
CHUNK = 256 * 1024


def pack(folder: int, names: list[str], file: IO[bytes], kind: str, bounds: Bounds, tell: Tell) -> Count:  # noqa: PLR0917
    """Write the archive. Links and what is neither file nor folder are left out. Raises OSError, TooLargeError."""
    count = counted(folder, names, bounds, tell)
    found = walk(folder, names, count)
    if kind == "zip":
        _zip(file, found, count)
    else:
        _tar(file, found, count)
    return count


def opened_file(folder: int, name: str) -> IO[bytes]:
    """A file of a folder for reading, whatever it may have become meanwhile. Raises OSError."""
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    return os.fdopen(fd, "rb")


def _zip(file: IO[bytes], every: Iterator[Found], count: Count) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for found in every:
            # The format has no bytes for names: those that are no text get a mark for each.
            readable_path = os.fsencode(found.path).decode(errors="replace")
            moment = time.gmtime(min(max(found.st.st_mtime, 315532800), 4354819198))[:6]  # what its dates can say
            info = zipfile.ZipInfo(readable_path + "/" * found.is_folder, moment)
            info.external_attr = found.st.st_mode << 16 | (0x10 if found.is_folder else 0)
            if found.is_folder:
                archive.writestr(info, b"")
                continue
            info.compress_type = zipfile.ZIP_DEFLATED
            left = found.st.st_size
            with (
                opened_file(found.folder, found.name) as source,
                archive.open(info, "w", force_zip64=left >= 2**31) as target,
            ):
                while left and (part := source.read(min(CHUNK, left))):
                    target.write(part)
                    left -= len(part)
                    count.size(len(part))


def _tar(file: IO[bytes], every: Iterator[Found], count: Count) -> None:
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=LEVEL, format=tarfile.PAX_FORMAT) as archive:
        for found in every:
            info = tarfile.TarInfo(found.path)
            info.mtime = int(found.st.st_mtime)
            info.mode = stat.S_IMODE(found.st.st_mode) & 0o777
            if found.is_folder:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
                continue
            with opened_file(found.folder, found.name) as source:
                info.size = os.fstat(source.fileno()).st_size
                archive.addfile(info, _Padded(source, count))  # type: ignore[arg-type]


class _Padded:
    """Reads as many bytes as were promised, with zeros for what a file lost meanwhile."""

    def __init__(self, source: IO[bytes], count: Count) -> None:
        self._source = source
        self._count = count

    def read(self, size: int) -> bytes:
        self._count.size(size)
        return self._source.read(size).ljust(size, b"\0")
