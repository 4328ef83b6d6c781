"""Changes of a site's files.

Files follow from no row, so each change is written to the audit before hostd is asked: a crash can leave an entry of
what did not happen, never a change without an entry. What hostd refuses gets an entry that says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from innkeeper.core.actor import Actor
from innkeeper.core.errors import InvalidValue, Refused
from innkeeper.core.operation import Operation, Outcome
from innkeeper.hostd.file_client import Outcomes
from innkeeper.hosting.filenames import Path, named, new_name, path_of, path_text, shown
from innkeeper.hosting.files import Entry, SiteFiles, answered, opened, refusal_of
from innkeeper.hosting.models import Site

TRASH_KEPT_S = 7 * 24 * 3600
MAX_SELECTED = 200
_KEY = re.compile(r"[0-9]{1,12}-[0-9a-f]{12}")
ARCHIVES = {"zip": ".zip", "tar.gz": ".tar.gz"}


@contextmanager
def _recorded(actor: Actor, files: SiteFiles, operation: str, detail: str) -> Iterator[None]:
    record(actor, files.site, operation, detail)
    try:
        with answered():
            yield
    except Refused as refusal:
        record(actor, files.site, operation, f"not done: {refusal.message} ({detail})")
        raise


def record(actor: Actor, site: Site, name: str, detail: str) -> None:
    """Write into the audit what is about to be done with a site's files, or was not."""
    with Operation(actor, name) as operation:
        operation.audit("files", site.pk, site.name, detail)


def _record_failed(actor: Actor, files: SiteFiles, name: str, path: Path, outcomes: Outcomes) -> None:
    failed = [object_name for object_name, code in outcomes.items() if code]
    if failed:
        record(actor, files.site, name, f"not done: {of(path, failed)}")


def read_file(actor: Actor, files: SiteFiles, path: Path) -> tuple[Entry, IO[bytes]]:
    """A file opened for reading; who read it is on record."""
    entry, file = opened(files, path)
    try:
        record(actor, files.site, "files.download", path_text(path))
    except BaseException:
        file.close()
        raise
    return entry, file


def begin_upload(files: SiteFiles, path: Path) -> str:
    """Begin an upload into a folder; its token. Nothing is to be seen before it ends."""
    with answered():
        return files.files.begin_upload(path)


def write_upload(files: SiteFiles, path: Path, token: str, offset: int, data: bytes) -> int:
    """Write a part; how many bytes there are now."""
    with answered():
        return files.files.write_upload(path, token, offset, data)


def drop_upload(files: SiteFiles, path: Path, token: str) -> None:
    """Give an upload up."""
    with answered():
        files.files.drop_upload(path, token)


def end_upload(
    actor: Actor, files: SiteFiles, path: Path, token: str, *, name: str, size: int, replace: bool = False
) -> Entry:
    """Give a complete upload its name. A file that it replaces goes to the trash."""
    return _end_upload(actor, files, path, token, new_name(name), size, replace=replace)


def _end_upload(  # noqa: PLR0917
    actor: Actor, files: SiteFiles, path: Path, token: str, name: str, size: int, *, replace: bool
) -> Entry:
    with _recorded(actor, files, "files.upload", f"{path_text((*path, name))}, {size} bytes"):
        return files.files.end_upload(path, token, name, size, replace=replace)


def upload(
    actor: Actor, files: SiteFiles, path: Path, name: str, parts: Iterator[bytes], *, replace: bool = False
) -> Entry:
    """A whole file at once."""
    return _upload(actor, files, path, new_name(name, field="file"), parts, replace=replace)


def replace_file(actor: Actor, files: SiteFiles, path: Path, data: bytes) -> Entry:
    """Put other bytes into the place of a file, whatever it is called. What was there goes to the trash."""
    return _upload(actor, files, path[:-1], path[-1], iter([data]), replace=True)


def _upload(actor: Actor, files: SiteFiles, path: Path, name: str, parts: Iterator[bytes], *, replace: bool) -> Entry:
    token = begin_upload(files, path)
    try:
        size = 0
        for part in parts:
            size = write_upload(files, path, token, size, part)
        return _end_upload(actor, files, path, token, name, size, replace=replace)
    except BaseException:
        drop_upload(files, path, token)
        raise


def make_folder(actor: Actor, files: SiteFiles, path: Path, name: str) -> None:
    """Make a folder in a folder."""
    path = (*path, new_name(name))
    with _recorded(actor, files, "files.folder", path_text(path)):
        files.files.make_folder(path)


def rename(actor: Actor, files: SiteFiles, path: Path, name: str) -> None:
    """Give an object another name in its folder."""
    if not path:
        raise InvalidValue("The top of a site's files keeps its name.", field="name")
    target = (*path[:-1], new_name(name))
    with _recorded(actor, files, "files.rename", f"{path_text(path)} -> {path_text(target)}"):
        files.files.move(path, target)


def remove(actor: Actor, files: SiteFiles, path: Path, names: Sequence[str]) -> tuple[list[Outcome[str]], list[str]]:
    """Move objects of a folder to the trash: what became of each name, and the keys that bring them back."""
    few(names)
    with _recorded(actor, files, "files.remove", of(path, names)):
        outcomes, keys = files.files.trash(path, names)
    _record_failed(actor, files, "files.remove", path, outcomes)
    return [Outcome(shown(name), refusal_of(code) if code else None) for name, code in outcomes.items()], keys


def restore(actor: Actor, files: SiteFiles, keys: Sequence[str]) -> tuple[list[Outcome[str]], list[Path]]:
    """Move objects back from the trash: what became of each key, and the paths that are there again."""
    few(keys)
    if not all(map(_KEY.fullmatch, keys)):
        raise InvalidValue("There is nothing of that name in the trash.")
    with _recorded(actor, files, "files.restore", shortened(", ".join(keys))):
        outcomes, paths = files.files.restore(keys)
    return [Outcome(key, refusal_of(code) if code else None) for key, code in outcomes.items()], paths


def move(actor: Actor, files: SiteFiles, path: Path, names: Sequence[str], target: Path) -> list[Outcome[str]]:
    """Move objects of a folder into another one: what became of each name."""
    few(names)
    with _recorded(actor, files, "files.move", f"{of(path, names)} -> /{path_text(target)}"):
        outcomes = files.files.move_all(path, names, target)
    _record_failed(actor, files, "files.move", path, outcomes)
    return [Outcome(shown(name), refusal_of(code) if code else None) for name, code in outcomes.items()]


def read_packed(
    actor: Actor, files: SiteFiles, path: Path, names: Sequence[str], kind: str
) -> tuple[str, int, IO[bytes]]:
    """Objects of a folder as one file: its name, its size, and it opened for reading. Who read it is on record."""
    few(names)
    if kind not in ARCHIVES:
        raise InvalidValue("Choose zip or tar.gz.", field="kind")
    with _recorded(actor, files, "files.download", of(path, names)):
        size, file = files.files.download_archive(path, names, kind)
    return archive_name(path, names) + ARCHIVES[kind], size, file


def archive_name(path: Path, names: Sequence[str]) -> str:
    """What an archive is called that nobody named: as what is in it."""
    name = names[0] if len(names) == 1 else path[-1] if path else "files"
    return name if shown(name) == name else "files"


def selected(texts: Sequence[str]) -> list[str]:
    """The names that a form selects. Raises InvalidValue."""
    names = [named(text) for text in texts]
    if any(len(path_of(shown(name))) != 1 for name in names):
        raise InvalidValue("There is no such name.", field="name")
    return names


def few(names: Sequence[str]) -> None:
    """Raises InvalidValue if nothing is selected, or too much."""
    if not names:
        raise InvalidValue("Select something first.")
    if len(names) > MAX_SELECTED:
        raise InvalidValue(f"Select at most {MAX_SELECTED} at once.")


def of(path: Path, names: Sequence[str]) -> str:
    """Objects of a folder, for the audit."""
    return f"{shortened(', '.join(map(shown, names)))} in /{path_text(path)}"


def shortened(text: str) -> str:
    """A text that the audit takes."""
    return text if len(text) <= 500 else text[:499] + "…"
