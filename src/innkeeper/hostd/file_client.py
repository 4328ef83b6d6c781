"""Asks hostd about the files of a hosting account, without Django.

Each call raises OSError when hostd is away, HostdError when it could not do it, and FileRefusedError when the
account's files are not as the request needs them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO, Any

from innkeeper.hostd.client import Client
from innkeeper.hostd.file_requests import HostingOf, Path


class FileRefusedError(Exception):
    """Why it was not done: one of the codes of `hostd.files`, with `limit` where it names a bound."""

    def __init__(self, code: str, limit: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a folder. `name` may hold bytes that are no text, in Python's way of writing them."""

    name: str
    kind: str
    size: int
    modified: int
    uid: int
    gid: int
    mode: int
    target: str = ""

    @property
    def is_folder(self) -> bool:
        return self.kind == "folder"


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a folder: `total` objects are in it, or more if it was `cut`."""

    here: Entry
    entries: list[Entry]
    total: int
    cut: bool


@dataclass(frozen=True, slots=True)
class Trashed:
    """An object in the trash, with the path that it had (the end of a very long one) and the second when it came."""

    entry: Entry
    key: str
    came: int
    path: Path


@dataclass(frozen=True, slots=True)
class RightsRule:
    """What an account, by its identifier, is allowed and denied, and where it applies. Nothing takes a rule back."""

    about: str
    allow: int
    deny: int
    applies: str


# A name or key, and the code of its refusal; "" if it was done.
Outcomes = dict[str, str]


class Files:
    """The files of one account."""

    def __init__(self, client: Client, account: HostingOf) -> None:
        self._client = client
        self._account = asdict(account)

    def _ask(self, op: str, **fields: Any) -> Any:
        return _checked(self._client.ask(op, account=self._account, **fields))

    @contextmanager
    def _opened(self, op: str, mode: str, **fields: Any) -> Iterator[tuple[Any, IO[bytes]]]:
        result, descriptors = self._client.ask_carrying(op, account=self._account, **fields)
        _checked(result)
        with os.fdopen(descriptors[0], mode, buffering=0) as file:
            yield result, file

    def page(self, path: Path, order: str = "name", *, descending: bool = False, start: int = 0, count: int) -> Page:
        """A page of a folder, folders first."""
        told = self._ask("files_list", path=path, order=order, descending=descending, start=start, count=count)
        return Page(Entry(**told["here"]), [Entry(**entry) for entry in told["entries"]], told["total"], told["cut"])

    def look(self, path: Path) -> Entry:
        """One object; the empty path is the root."""
        return Entry(**self._ask("files_look", path=path))

    def download(self, path: Path) -> tuple[Entry, IO[bytes]]:
        """A file, opened for reading as the account."""
        result, descriptors = self._client.ask_carrying("files_download", account=self._account, path=path)
        _checked(result)
        return Entry(**result), os.fdopen(descriptors[0], "rb", buffering=0)

    def begin_upload(self, path: Path) -> str:
        """A new hidden file in a folder; its token."""
        return str(self._ask("files_upload_begin", path=path))

    def write_upload(self, path: Path, token: str, offset: int, data: bytes) -> int:
        """Write a part of an upload at the place where it belongs; how many bytes it has now.

        Parts come in order. One that came before is written once more, which is no error.
        """
        with self._opened("files_upload_write", "wb", path=path, token=token) as (size, file):
            if offset > size:
                raise FileRefusedError("incomplete")
            written = 0
            try:
                while written < len(data):
                    written += os.pwrite(file.fileno(), data[written:], offset + written)
            except OSError as error:
                raise FileRefusedError("full") from error
            return max(int(size), offset + len(data))

    def end_upload(self, path: Path, token: str, name: str, size: int, *, replace: bool) -> Entry:
        """Give a complete upload its name. What it replaces goes to the trash."""
        return Entry(**self._ask("files_upload_end", path=path, token=token, name=name, size=size, replace=replace))

    def drop_upload(self, path: Path, token: str) -> None:
        """Give an upload up."""
        self._ask("files_upload_drop", path=path, token=token)

    def make_folder(self, path: Path) -> Entry:
        """Make a folder."""
        return Entry(**self._ask("files_make_folder", path=path))

    def move(self, path: Path, target: Path) -> None:
        """Give an object another name or folder."""
        self._ask("files_move", path=path, target=target)

    def trash(self, path: Path, names: Sequence[str]) -> tuple[Outcomes, list[str]]:
        """Move objects of a folder to the trash; what became of each, and the keys of those that went."""
        told = self._ask("files_trash", path=path, names=names)
        keys = [outcome["key"] for outcome in told.values() if "key" in outcome]
        return {name: outcome.get("refused", "") for name, outcome in told.items()}, keys

    def trashed(self, start: int = 0, *, count: int = 100) -> tuple[list[Trashed], int]:
        """A page of the trash, the latest first, and how many objects there are."""
        told = self._ask("files_trash_list", start=start, count=count)
        found = []
        for item in told["entries"]:
            key, came, path = item.pop("key"), item.pop("came"), tuple(item.pop("path"))
            found.append(Trashed(Entry(**item), key, came, path))
        return found, told["total"]

    def restore(self, keys: Sequence[str]) -> tuple[Outcomes, list[Path]]:
        """Move objects back from the trash; what became of each, and the paths of those that went."""
        told = self._ask("files_trash_restore", keys=keys)
        paths = [tuple(outcome["path"]) for outcome in told.values() if "path" in outcome]
        return {key: outcome.get("refused", "") for key, outcome in told.items()}, paths

    def move_all(self, path: Path, names: Sequence[str], target: Path) -> Outcomes:
        """Move objects of a folder into another one; what became of each."""
        told = self._ask("files_move_all", path=path, names=names, target=target)
        return {name: outcome.get("refused", "") for name, outcome in told.items()}

    def download_archive(self, path: Path, names: Sequence[str], kind: str) -> tuple[int, IO[bytes]]:
        """Objects of a folder packed into a file without a name, opened for reading; its size before it."""
        fields = {"path": path, "names": names, "kind": kind}
        result, descriptors = self._client.ask_carrying("files_archive_download", account=self._account, **fields)
        _checked(result)
        return result["size"], os.fdopen(descriptors[0], "rb", buffering=0)

    def work(self, op: str, told: Callable[[dict[str, int]], None] = lambda _: None, **fields: Any) -> Any:
        """Do what may take minutes. `told` hears how far it has come; when it raises, the work is given up."""
        return _checked(self._client.ask_long(op, told, account=self._account, **fields))

    def empty_trash(self, older_than_s: int, told: Callable[[dict[str, int]], None] = lambda _: None) -> int:
        """Delete for good what lies in the trash for so long; how many objects went."""
        return int(self.work("files_trash_empty", told, older_than=older_than_s))

    def rights(self, path: Path, about: str = "") -> dict[str, Any]:
        """Who may do what with an object, by which rules; and in particular what one account may."""
        told: dict[str, Any] = self._ask("files_rights", path=path, about=about)
        return told


def _checked(result: Any) -> Any:
    if isinstance(result, dict) and isinstance(result.get("refused"), str):
        raise FileRefusedError(result["refused"], result.get("limit", ""))
    return result
