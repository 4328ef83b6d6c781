"""Unpacks a zip or tar.gz file into a new folder. Runs as the account, and believes nothing of the archive.

Files and folders alone are made, each by descriptors that follow no link, with new rights: those that the folder gives,
and execution where the archive says so. What has no place below the folder is left out, as is every link and device,
and every name that came before. What it needs is counted as it is written, whatever the archive promises.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import stat
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from innkeeper.hostd import disk
from innkeeper.hostd.archive import CHUNK
from innkeeper.hostd.file_requests import MAX_NAME_BYTES, UPLOAD
from innkeeper.hostd.folders import FOLDER
from innkeeper.hostd.selection import MAX_DEPTH, Count

_MSDOS = 0
_LAST_MOMENT = 2**33
_UTF8, _ENCRYPTED = 0x800, 0x1
BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError,
    ArithmeticError, ValueError, LookupError,
)  # fmt: skip
"""What the readers raise about an archive that is damaged, cut off, made up, or of a kind that they do not know."""


class BadArchiveError(Exception):
    """It cannot be unpacked; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Member:
    """What an archive holds: a file with its bytes, a folder without, or what is not taken."""

    path: str
    source: IO[bytes] | None = None
    is_program: bool = False
    modified: float = 0
    is_taken: bool = True


def unpack(source: IO[bytes], folder: int, count: Count) -> None:
    """Put what an archive holds into an empty folder. Raises OSError, TooLargeError, BadArchiveError."""
    head = source.read(512)
    source.seek(0)
    disk.leave_room(folder)
    try:
        if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            _take(_zipped(source, count), folder, count)
        elif head[:2] == b"\x1f\x8b" or head[257:262] == b"ustar":
            _take(_tarred(source, count), folder, count)
        else:
            raise BadArchiveError("no-archive")
    except BROKEN as error:
        raise BadArchiveError("bad-archive") from error
    except OSError as error:
        if error.errno is None:  # one of a reader's own
            raise BadArchiveError("bad-archive") from error
        raise


def _zipped(source: IO[bytes], count: Count) -> Iterator[_Member]:
    with zipfile.ZipFile(source) as archive:
        members = archive.infolist()
        count.all_objects = len(members)
        for info in members:
            if info.flag_bits & _ENCRYPTED:
                raise BadArchiveError("encrypted")
            mode = info.external_attr >> 16
            path = _zip_path(info)
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                yield _Member(path, is_taken=False)
            elif path.endswith("/"):
                yield _Member(path)
            else:
                with archive.open(info) as file:
                    yield _Member(path, file, is_program=bool(mode & 0o100), modified=_moment(info))


def _zip_path(info: zipfile.ZipInfo) -> str:
    """A name as it was meant: old programs wrote bytes of the system's own, and backslashes."""
    path = info.orig_filename
    if not info.flag_bits & _UTF8:
        with contextlib.suppress(UnicodeDecodeError):  # else it is what the format says
            path = path.encode("cp437").decode()
    return path.replace("\\", "/") if info.create_system == _MSDOS else path


def _moment(info: zipfile.ZipInfo) -> float:
    try:
        return time.mktime((*info.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return 0


def _tarred(source: IO[bytes], count: Count) -> Iterator[_Member]:
    size = os.fstat(source.fileno()).st_size
    with tarfile.open(fileobj=source, mode="r:*") as archive:
        while (info := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # it would remember all of them
            count.at, count.end = source.tell(), size
            if info.isdir():
                yield _Member(info.name)
            elif info.isreg():
                file = archive.extractfile(info)
                yield _Member(info.name, file, is_program=bool(info.mode & 0o100), modified=info.mtime)
            else:
                yield _Member(info.name, is_taken=False)
        # To the reader a damaged head is an end like any other.
        archive.fileobj.seek(archive.offset)
        if any(archive.fileobj.read(tarfile.BLOCKSIZE)):
            raise BadArchiveError("bad-archive")


def _take(members: Iterator[_Member], top: int, count: Count) -> None:
    for member in members:
        count.object()
        parts = _parts(member.path) if member.is_taken else None
        if parts is None:
            count.leave_out(member.path)
        elif parts:
            try:
                _place(member, parts, top, count)
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                count.leave_out(member.path)


def _parts(path: str) -> list[str] | None:
    """The names that lead to an object; None for a path that leads out, or holds a name that cannot be one."""
    if path.startswith("/"):
        return None
    parts = [name for name in path.split("/") if name not in ("", ".")]
    if len(parts) > MAX_DEPTH or ".." in parts:
        return None
    for name in parts:
        try:
            size = len(os.fsencode(name))
        except UnicodeEncodeError:
            return None
        if "\0" in name or size > MAX_NAME_BYTES or UPLOAD.fullmatch(name):
            return None
    return parts


def _place(member: _Member, parts: list[str], top: int, count: Count) -> None:
    folder = os.dup(top)
    try:
        for name in parts[:-1] if member.source else parts:
            try:
                os.mkdir(name, 0o755, dir_fd=folder)
            except FileExistsError:
                pass  # opening it shows whether it is a folder
            else:
                count.object()  # one that nothing names costs as much
            below = os.open(name, FOLDER, dir_fd=folder)
            os.close(folder)
            folder = below
        if member.source is not None:
            _write(member, member.source, folder, parts[-1], count)
    finally:
        os.close(folder)


def _write(member: _Member, source: IO[bytes], folder: int, name: str, count: Count) -> None:
    mode = 0o755 if member.is_program else 0o644
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder)
    try:
        while part := source.read(CHUNK):
            disk.write(fd, part, count)
        if 0 < member.modified < _LAST_MOMENT:
            os.utime(fd, (member.modified, member.modified))
    finally:
        os.close(fd)
