"""Packs objects of a folder into a zip or tar.gz file. Runs as the account."""

from __future__ import annotations

import os
import stat
import tarfile
import time
import zipfile
from collections.abc import Iterator
from typing import IO

from innkeeper.hostd.folders import names_in, readable

MAX_BYTES = 512 * 1024 * 1024
MAX_OBJECTS = 20_000
MAX_DEPTH = 100
# A web site's files are text, or pictures that do not get smaller: the fastest level is nearly as small.
LEVEL = 1
CHUNK = 256 * 1024


class ArchiveTooLargeError(Exception):
    """More than is packed at once; `limit` names what there is too much of."""

    def __init__(self, limit: str) -> None:
        super().__init__(limit)
        self.limit = limit


def pack(folder: int, names: list[str], file: IO[bytes], kind: str) -> int:
    """Write the archive. Links and what is neither file nor folder are left out: how many. Raises OSError."""
    bound = _Bound()
    for _ in _walk(folder, names, bound):
        pass  # what is too large is refused before the first byte
    bound = _Bound()
    if kind == "zip":
        _zip(file, _walk(folder, names, bound))
    else:
        _tar(file, _walk(folder, names, bound))
    return bound.left_out


class _Bound:
    """Counts what is packed. A tree may grow while it is."""

    def __init__(self) -> None:
        self.objects = self.bytes = self.left_out = 0

    def count(self, size: int) -> None:
        self.objects += 1
        self.bytes += size
        if self.objects > MAX_OBJECTS:
            raise ArchiveTooLargeError("objects")
        if self.bytes > MAX_BYTES:
            raise ArchiveTooLargeError("bytes")


# The path in the archive, its folder's descriptor, its name there, and what it is.
_Found = tuple[str, int, str, os.stat_result]


def _walk(folder: int, names: list[str], bound: _Bound, before: str = "", depth: int = 0) -> Iterator[_Found]:
    if depth > MAX_DEPTH:
        raise ArchiveTooLargeError("depth")
    for name in names:
        st = os.stat(name, dir_fd=folder, follow_symlinks=False)
        path = before + name
        if stat.S_ISDIR(st.st_mode):
            bound.count(0)
            yield path, folder, name, st
            with readable(folder, name) as below:
                yield from _walk(below, sorted(names_in(below)), bound, f"{path}/", depth + 1)
        elif stat.S_ISREG(st.st_mode):
            bound.count(st.st_size)
            yield path, folder, name, st
        else:
            bound.left_out += 1


def _open(folder: int, name: str) -> IO[bytes]:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    return os.fdopen(fd, "rb")


def _zip(file: IO[bytes], found: Iterator[_Found]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for path, folder, name, st in found:
            # The format has no bytes for names: those that are no text get a mark for each.
            readable_path = os.fsencode(path).decode(errors="replace")
            is_folder = stat.S_ISDIR(st.st_mode)
            moment = time.gmtime(min(max(st.st_mtime, 315532800), 4354819198))[:6]  # what its dates can say
            info = zipfile.ZipInfo(readable_path + "/" * is_folder, moment)
            info.external_attr = st.st_mode << 16 | (0x10 if is_folder else 0)
            if is_folder:
                archive.writestr(info, b"")
                continue
            info.compress_type = zipfile.ZIP_DEFLATED
            left = st.st_size
            with _open(folder, name) as source, archive.open(info, "w", force_zip64=left >= 2**31) as target:
                while left and (part := source.read(min(CHUNK, left))):
                    target.write(part)
                    left -= len(part)


def _tar(file: IO[bytes], found: Iterator[_Found]) -> None:
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=LEVEL, format=tarfile.PAX_FORMAT) as archive:
        for path, folder, name, st in found:
            info = tarfile.TarInfo(path)
            info.mtime = int(st.st_mtime)
            info.mode = stat.S_IMODE(st.st_mode) & 0o777
            if stat.S_ISDIR(st.st_mode):
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
                continue
            with _open(folder, name) as source:
                info.size = os.fstat(source.fileno()).st_size
                archive.addfile(info, _Padded(source))  # type: ignore[arg-type]


class _Padded:
    """Reads as many bytes as were promised, with zeros for what a file lost meanwhile."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        return self._source.read(size).ljust(size, b"\0")
