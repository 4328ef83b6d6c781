"""What hostd can be asked about the files of a hosting account, and how each is read from its line.

A path is a list of names, from the account's root. Names are bytes, in Python's way of writing bytes that are no
UTF-8 into text; JSON carries that unchanged.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from innkeeper.hostd.hosting_accounts import DOMAIN

TRASH = ".trash"
UPLOAD = re.compile(r"\.upload-[0-9a-f]{32}")
MAX_NAME_BYTES = 255
MAX_DEPTH = 100
MAX_NAMES = 1_000
MAX_PAGE = 500
MAX_FILE_BYTES = 1 << 40
MAX_ID = 2**53
ORDERS = ("name", "size", "modified")
ARCHIVES = ("zip", "tar.gz")
_TOKEN = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"\d{1,12}-[0-9a-f]{12}")
_SID = re.compile(r"S-1-[0-9]{1,15}(-[0-9]{1,10}){0,15}")
_RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_WHO = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
APPLIES = (
    "ThisObjectOnly",
    "ThisFolderAndFiles",
    "ThisFolderAndSubfolders",
    "ThisFolderSubfoldersAndFiles",
    "SubfoldersAndFilesOnly",
)

Path = tuple[str, ...]


class BadFieldError(ValueError):
    """A value in a request about files is not allowed. The text repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class HostingOf:
    """A domain and the webspace that it belongs to. hostd itself works out whose it is and where it lies."""

    webspace: int
    domain: str


@dataclass(frozen=True, slots=True)
class FileRequest:
    """A request about the files of one account."""

    account: HostingOf


@dataclass(frozen=True, slots=True)
class ListFolder(FileRequest):
    """One page of a folder."""

    path: Path
    order: str
    descending: bool
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Look(FileRequest):
    """One object."""

    path: Path


@dataclass(frozen=True, slots=True)
class Download(FileRequest):
    """A file, opened for reading."""

    path: Path


@dataclass(frozen=True, slots=True)
class BeginUpload(FileRequest):
    """A new, hidden, empty file in a folder, known by a token."""

    path: Path


@dataclass(frozen=True, slots=True)
class WriteUpload(FileRequest):
    """The file of a token, opened for writing."""

    path: Path
    token: str


@dataclass(frozen=True, slots=True)
class EndUpload(FileRequest):
    """Give the file of a token its name, if it is complete. What it replaces goes to the trash."""

    path: Path
    token: str
    name: str
    size: int
    replace: bool


@dataclass(frozen=True, slots=True)
class DropUpload(FileRequest):
    """Delete the file of a token."""

    path: Path
    token: str


@dataclass(frozen=True, slots=True)
class MakeFolder(FileRequest):
    """Make a folder."""

    path: Path


@dataclass(frozen=True, slots=True)
class Move(FileRequest):
    """Give an object another name or folder, in which the name is free."""

    path: Path
    target: Path


@dataclass(frozen=True, slots=True)
class ToTrash(FileRequest):
    """Move objects of a folder to the account's trash."""

    path: Path
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListTrash(FileRequest):
    """One page of the trash."""

    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Restore(FileRequest):
    """Move objects of the trash back to where they came from."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EmptyTrash(FileRequest):
    """Delete what lies in the trash for so many seconds, for good."""

    older_than: int


@dataclass(frozen=True, slots=True)
class MoveAll(FileRequest):
    """Move objects of a folder into another one."""

    path: Path
    names: tuple[str, ...]
    target: Path


@dataclass(frozen=True, slots=True)
class CopyAll(FileRequest):
    """Copy objects of a folder, with all that they hold, into another one; in the same folder under new names."""

    path: Path
    names: tuple[str, ...]
    target: Path


@dataclass(frozen=True, slots=True)
class MakeArchive(FileRequest):
    """Pack objects of a folder into a new file there."""

    path: Path
    names: tuple[str, ...]
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class DownloadArchive(FileRequest):
    """Pack objects of a folder into a file that has no name, opened for reading."""

    path: Path
    names: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class Unpack(FileRequest):
    """Unpack an archive into a new folder beside it."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class TellRights(FileRequest):
    """Who may do what with an object, by which rules; and in particular what one account may."""

    path: Path
    about: str


@dataclass(frozen=True, slots=True)
class SetRights(FileRequest):
    """Write into the account's own rules what somebody may do with an object, and apply them there and below.

    Without a right to allow or to deny, what was written so before is taken out. `who` stands in the rules' history.
    """

    path: Path
    about: str
    allow: int
    deny: int
    applies: str
    who: str


@dataclass(frozen=True, slots=True)
class UndoRights(FileRequest):
    """Take back what setting rights did: the rules' text, and what a run changed.

    `version` is the one that was written then: rules that were changed since stay.
    """

    path: Path
    run: str
    version: int
    who: str


LONG: frozenset[type[FileRequest]] = frozenset(
    {EmptyTrash, CopyAll, MakeArchive, Unpack, SetRights, UndoRights},
)
"""Requests that may take minutes: they tell how far they have come, and end when nobody listens any more."""


def _account(value: Any) -> HostingOf:
    if not isinstance(value, dict) or value.keys() != {"webspace", "domain"}:
        raise BadFieldError("account: wants a webspace and a domain")
    domain = value["domain"]
    if not isinstance(domain, str) or not DOMAIN.fullmatch(domain):
        raise BadFieldError("account: a value is not allowed")
    return HostingOf(_number(value["webspace"], 1, MAX_ID), domain)


def _number(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise BadFieldError("a number is not allowed")
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadFieldError("wants true or false")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or value in ("", ".", "..") or "/" in value or "\0" in value:
        raise BadFieldError("name: a value is not allowed")
    try:
        size = len(os.fsencode(value))
    except UnicodeEncodeError:
        raise BadFieldError("name: a value is not allowed") from None
    if size > MAX_NAME_BYTES:
        raise BadFieldError(f"name: longer than {MAX_NAME_BYTES} bytes")
    return value


def _new_name(value: Any) -> str:
    name = _name(value)
    if UPLOAD.fullmatch(name):
        raise BadFieldError("name: is kept for uploads")
    return name


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_NAMES:
        raise BadFieldError(f"names: wants a list of 1 to {MAX_NAMES}")
    return tuple(dict.fromkeys(map(_name, value)))


def _path(value: Any) -> Path:
    if not isinstance(value, list) or len(value) > MAX_DEPTH:
        raise BadFieldError(f"path: wants a list of at most {MAX_DEPTH} names")
    path = tuple(map(_name, value))
    if path[:1] == (TRASH,):
        raise BadFieldError("path: the trash has requests of its own")
    return path


def _object(value: Any) -> Path:
    path = _path(value)
    if not path:
        raise BadFieldError("path: the root itself stays as it is")
    return path


def _target(value: Any) -> Path:
    path = _object(value)
    _new_name(path[-1])
    return path


def _pattern(pattern: re.Pattern[str]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise BadFieldError("a value is not allowed")
        return value

    return check


def _keys(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_NAMES:
        raise BadFieldError(f"keys: wants a list of 1 to {MAX_NAMES}")
    return tuple(dict.fromkeys(map(_pattern(_KEY), value)))


def _one_of(choices: tuple[str, ...]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise BadFieldError("a value is not allowed")
        return str(value)

    return check


def _within(least: int, most: int) -> Callable[[Any], int]:
    return lambda value: _number(value, least, most)


_token = _pattern(_TOKEN)

FILE_REQUESTS: dict[str, tuple[type[FileRequest], dict[str, Callable[[Any], Any]]]] = {
    "files_list": (
        ListFolder,
        {
            "path": _path,
            "order": _one_of(ORDERS),
            "descending": _bool,
            "start": _within(0, 10**9),
            "count": _within(1, MAX_PAGE),
        },
    ),
    "files_look": (Look, {"path": _path}),
    "files_download": (Download, {"path": _object}),
    "files_upload_begin": (BeginUpload, {"path": _path}),
    "files_upload_write": (WriteUpload, {"path": _path, "token": _token}),
    "files_upload_end": (
        EndUpload,
        {"path": _path, "token": _token, "name": _new_name, "size": _within(0, MAX_FILE_BYTES), "replace": _bool},
    ),
    "files_upload_drop": (DropUpload, {"path": _path, "token": _token}),
    "files_make_folder": (MakeFolder, {"path": _target}),
    "files_move": (Move, {"path": _object, "target": _target}),
    "files_trash": (ToTrash, {"path": _path, "names": _names}),
    "files_trash_list": (ListTrash, {"start": _within(0, 10**9), "count": _within(1, MAX_PAGE)}),
    "files_trash_restore": (Restore, {"keys": _keys}),
    "files_trash_empty": (EmptyTrash, {"older_than": _within(0, 10**9)}),
    "files_archive": (
        MakeArchive,
        {"path": _path, "names": _names, "name": _new_name, "kind": _one_of(ARCHIVES)},
    ),
    "files_archive_download": (
        DownloadArchive,
        {"path": _path, "names": _names, "kind": _one_of(ARCHIVES)},
    ),
    "files_unpack": (Unpack, {"path": _object, "name": _new_name}),
    "files_move_all": (MoveAll, {"path": _path, "names": _names, "target": _path}),
    "files_copy_all": (CopyAll, {"path": _path, "names": _names, "target": _path}),
    "files_rights": (TellRights, {"path": _path, "about": _pattern(re.compile(f"|{_SID.pattern}"))}),
    "files_set_rights": (
        SetRights,
        {
            "path": _object,
            "about": _pattern(_SID),
            "allow": _within(0, 0x1F01FF),
            "deny": _within(0, 0x1F01FF),
            "applies": _one_of(APPLIES),
            "who": _pattern(_WHO),
        },
    ),
    "files_undo_rights": (
        UndoRights,
        {"path": _object, "run": _pattern(_RUN), "version": _within(2, 999_999), "who": _pattern(_WHO)},
    ),
}


def read(op: str, data: dict[str, Any]) -> FileRequest:
    """The request of one line, whose keys are known to fit. Raises BadFieldError."""
    make, checks = FILE_REQUESTS[op]
    return make(_account(data["account"]), **{name: check(data[name]) for name, check in checks.items()})


def fields(op: str) -> set[str]:
    """The names of the fields that a request has."""
    return {"account", *FILE_REQUESTS[op][1]}
