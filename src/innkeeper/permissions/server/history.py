"""The versions of every metadata file: what stood in it, since when, by whom and why.

A file has a folder of records: ``000001.xml`` is what stood in it, ``000001.json`` says when, who and why, and what
was known of the hosting account then. A version is written down before the file itself is replaced; one that a crash
left without its file is forgotten. What somebody changed by hand becomes a version of its own before the next change.
"""

from __future__ import annotations

import difflib
import fcntl
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from innkeeper.permissions.rules.document import MAX_BYTES, Document, decode

BY_HAND = "changed by hand"
KEPT = 500
_NUMBER = re.compile(r"\d{6}")


class MetadataError(Exception):
    """A metadata file cannot be read, trusted or changed. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a file. ``account`` is what was known of the hosting account when it was written."""

    number: int
    time: str
    who: str
    why: str
    account: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The version as plain data."""
        return {"version": self.number, "time": self.time, "who": self.who, "why": self.why}


class Metadata:
    """One metadata file with its versions."""

    def __init__(self, path: Path, records: Path) -> None:
        """The file at ``path``, whose versions lie in the folder ``records``."""
        self.path = path
        self.records = records

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One who changes the file, or applies it, at a time."""
        self.records.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self.records, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def read(self) -> bytes | None:
        """What stands in the file, or None if there is none.

        Raises: MetadataError when it is not root's alone to write.
        """
        return read_trusted(self.path)

    def document(self) -> Document:
        """The file's rules.

        Raises: MetadataError, RuleError.
        """
        data = self.read()
        if data is None:
            raise MetadataError(f"{self.path} is not there")
        return Document(decode(data, str(self.path)), str(self.path))

    def versions(self) -> list[Version]:
        """All versions, the oldest first."""
        found = []
        for path in sorted(self.records.glob("*.json")):
            if not _NUMBER.fullmatch(path.stem):
                continue
            about = json.loads(path.read_text())
            found.append(Version(int(path.stem), about["time"], about["who"], about["why"], about.get("account", {})))
        return found

    def last(self) -> Version | None:
        """The newest version."""
        numbers = sorted(path for path in self.records.glob("*.json") if _NUMBER.fullmatch(path.stem))
        if not numbers:
            return None
        about = json.loads(numbers[-1].read_text())
        return Version(int(numbers[-1].stem), about["time"], about["who"], about["why"], about.get("account", {}))

    def has(self, number: int) -> bool:
        """True while a version is kept."""
        return (self.records / f"{number:06}.xml").exists()

    def content(self, number: int) -> bytes:
        """What stood in a version.

        Raises: MetadataError.
        """
        try:
            return (self.records / f"{number:06}.xml").read_bytes()
        except FileNotFoundError:
            known = ", ".join(str(version.number) for version in self.versions()[-20:]) or "none"
            raise MetadataError(f"{self.path} has no version {number}; there are: {known}") from None

    def is_edited(self) -> bool:
        """True when the file was changed by hand since its last version."""
        data, last = self.read(), self.last()
        return data is not None and last is not None and self.content(last.number) != data

    def notice(self) -> bool:
        """Record what was changed by hand since the last version; tell whether there was something."""
        self._forget_unfinished()
        data = self.read()
        last = self.last()
        if data is None or (last is not None and self.content(last.number) == data):
            return False
        changed = datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
        self._place(self._record(data, "unknown", BY_HAND, last.account if last else {}, changed))
        return True

    def write(self, data: bytes, who: str, why: str, account: dict[str, Any] | None = None) -> bool:
        """Replace the file, after what stood in it and what will are both recorded; tell whether it differed.

        Raises: MetadataError, OSError.
        """
        self.notice()
        last = self.last()
        known = account if account is not None else last.account if last else {}
        if self.read() == data and (last is None or last.account == known):
            return False
        number = self._record(data, who, why, known, datetime.now(UTC))
        replace(self.path, data)
        self._place(number)
        self._prune()
        return True

    def forget(self) -> None:
        """Remove all versions."""
        shutil.rmtree(self.records, ignore_errors=True)

    def difference(self, old: int, new: int | None) -> str:
        """What changed from one version to another, or to what stands in the file now, as a unified diff.

        Raises: MetadataError.
        """
        before = self.content(old).decode("utf-8", "backslashreplace")
        data = self.content(new) if new is not None else self.read() or b""
        after = data.decode("utf-8", "backslashreplace")
        names = (f"version {old}", f"version {new}" if new is not None else "now")
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="")
        return "\n".join(lines)

    def _record(self, data: bytes, who: str, why: str, account: dict[str, Any], when: datetime) -> int:
        last = self.last()
        number = (last.number if last else 0) + 1
        about = {"time": when.isoformat(timespec="seconds"), "who": who, "why": why, "account": account}
        self.records.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(self.records / f"{number:06}.xml", data)
        replace(self.records / f"{number:06}.pending", json.dumps(about).encode())
        return number

    def _place(self, number: int) -> None:
        """The file holds this version now."""
        (self.records / f"{number:06}.pending").rename(self.records / f"{number:06}.json")

    def _forget_unfinished(self) -> None:
        """Finish or forget the version that a crash left."""
        for pending in sorted(self.records.glob("*.pending")):
            content = pending.with_suffix(".xml")
            if content.exists() and content.read_bytes() == self.read():
                pending.rename(pending.with_suffix(".json"))
            else:
                content.unlink(missing_ok=True)
                pending.unlink()

    def _prune(self) -> None:
        for version in self.versions()[:-KEPT]:
            (self.records / f"{version.number:06}.json").unlink()
            (self.records / f"{version.number:06}.xml").unlink()


def read_trusted(path: Path, folder: int | None = None) -> bytes | None:
    """A file that only root can have written, without following a link; None if there is none.

    Raises: MetadataError when somebody else could have written it.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MetadataError(f"{path} cannot be read as a metadata file: {error.strerror}") from None
    with os.fdopen(fd, "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise MetadataError(f"{path} is no file")
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022 or found.st_nlink > 1:
            raise MetadataError(
                f"{path} could have been written by somebody else than root. Look at it; if it is right, run"
                f" chown root: and chmod 600 on it"
            )
        if found.st_size > MAX_BYTES:
            raise MetadataError(f"{path} has {found.st_size} bytes; at most {MAX_BYTES} are read")
        return stream.read(MAX_BYTES + 1)


def replace(path: Path, data: bytes) -> None:
    """Put a file of root's alone in the place of another, in one step and on the disk.

    Raises: MetadataError for one that could not be read again, OSError.
    """
    if len(data) > MAX_BYTES:
        raise MetadataError(f"{path} would have {len(data)} bytes; at most {MAX_BYTES} are read. Take rules out first.")
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    new.rename(path)
