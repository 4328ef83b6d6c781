"""Changes of a site's files.

Files follow from no row, so each change is written to the audit before hostd is asked: a crash can leave an entry of
what did not happen, never a change without an entry. What hostd refuses gets an entry that says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from innkeeper.core.actor import Actor
from innkeeper.core.errors import InvalidValue, Refused
from innkeeper.core.operation import Operation, Outcome
from innkeeper.hostd.file_client import RightsRule
from innkeeper.hosting.filenames import Path, named, new_name, path_of, path_text, shown
from innkeeper.hosting.files import Entry, SiteFiles, answered, opened, refusal_of

TRASH_KEPT_S = 7 * 24 * 3600
MAX_SELECTED = 1_000
_KEY = re.compile(r"[0-9]{1,12}-[0-9a-f]{12}")
ARCHIVES = {"zip": ".zip", "tar.gz": ".tar.gz"}


@contextmanager
def _recorded(actor: Actor, files: SiteFiles, operation: str, detail: str) -> Iterator[None]:
    _record(actor, files, operation, detail)
    try:
        with answered():
            yield
    except Refused as refusal:
        _record(actor, files, operation, f"not done: {refusal.message} ({detail})")
        raise


def _record(actor: Actor, files: SiteFiles, name: str, detail: str) -> None:
    with Operation(actor, name) as operation:
        operation.audit("files", files.site.pk, files.site.name, detail)


def read_file(actor: Actor, files: SiteFiles, path: Path) -> tuple[Entry, IO[bytes]]:
    """A file opened for reading; who read it is on record."""
    entry, file = opened(files, path)
    try:
        _record(actor, files, "files.download", path_text(path))
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
    name = new_name(name)
    with _recorded(actor, files, "files.upload", f"{path_text((*path, name))}, {size} bytes"):
        return files.files.end_upload(path, token, name, size, replace=replace)


def upload(
    actor: Actor, files: SiteFiles, path: Path, name: str, parts: Iterator[bytes], *, replace: bool = False
) -> Entry:
    """A whole file at once."""
    name = new_name(name, field="file")
    token = begin_upload(files, path)
    try:
        size = 0
        for part in parts:
            size = write_upload(files, path, token, size, part)
        return end_upload(actor, files, path, token, name=name, size=size, replace=replace)
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
    _few(names)
    with _recorded(actor, files, "files.remove", _of(path, names)):
        outcomes, keys = files.files.trash(path, names)
    failed = [_shortened(shown(name)) for name, code in outcomes.items() if code]
    if failed:
        _record(actor, files, "files.remove", f"not done: {_shortened(', '.join(failed))} in /{path_text(path)}")
    return [Outcome(shown(name), refusal_of(code) if code else None) for name, code in outcomes.items()], keys


def restore(actor: Actor, files: SiteFiles, keys: Sequence[str]) -> tuple[list[Outcome[str]], list[Path]]:
    """Move objects back from the trash: what became of each key, and the paths that are there again."""
    _few(keys)
    if not all(map(_KEY.fullmatch, keys)):
        raise InvalidValue("There is nothing of that name in the trash.")
    with _recorded(actor, files, "files.restore", _shortened(", ".join(keys))):
        outcomes, paths = files.files.restore(keys)
    return [Outcome(key, refusal_of(code) if code else None) for key, code in outcomes.items()], paths


def empty_trash(actor: Actor, files: SiteFiles, older_than_s: int = 0) -> int:
    """Delete for good what lies in the trash for so long; how many objects went."""
    with _recorded(actor, files, "files.empty-trash", f"older than {older_than_s} s"):
        return files.files.empty_trash(older_than_s)


def pack(
    actor: Actor, files: SiteFiles, path: Path, names: Sequence[str], *, name: str, kind: str
) -> tuple[Entry, int]:
    """Pack objects of a folder into a new file there; how many links and others were left out."""
    _few(names)
    if kind not in ARCHIVES:
        raise InvalidValue("Choose zip or tar.gz.", field="kind")
    name = new_name(name.strip() or _default_name(path, names))
    if not name.endswith(ARCHIVES[kind]):
        name = new_name(name + ARCHIVES[kind])
    with _recorded(actor, files, "files.pack", f"{_of(path, names)} -> {shown(name)}"):
        return files.files.archive(path, names, name, kind)


def set_rights(actor: Actor, files: SiteFiles, path: Path, rule: RightsRule) -> dict[str, Any]:
    """Write a rule about an object into the site's own rules and apply it; what the run did."""
    what = f"allow 0x{rule.allow:x}, deny 0x{rule.deny:x}, {rule.applies}" if rule.allow or rule.deny else "no own rule"
    with _recorded(actor, files, "files.rights", f"{path_text(path)}: {rule.about}: {what}"):
        return files.files.set_rights(path, rule, f"{actor.login} (panel)")


def _default_name(path: Path, names: Sequence[str]) -> str:
    """What an archive is called that nobody named: as what is in it."""
    name = names[0] if len(names) == 1 else path[-1] if path else "files"
    return name if shown(name) == name else "files"


def selected(texts: Sequence[str]) -> list[str]:
    """The names that a form selects. Raises InvalidValue."""
    names = [named(text) for text in texts]
    if any(len(path_of(shown(name))) != 1 for name in names):
        raise InvalidValue("There is no such name.", field="name")
    return names


def _few(names: Sequence[str]) -> None:
    if not names:
        raise InvalidValue("Select something first.")
    if len(names) > MAX_SELECTED:
        raise InvalidValue(f"Select at most {MAX_SELECTED} at once.")


def _of(path: Path, names: Sequence[str]) -> str:
    return f"{_shortened(', '.join(map(shown, names)))} in /{path_text(path)}"


def _shortened(text: str) -> str:
    return text if len(text) <= 500 else text[:499] + "…"
