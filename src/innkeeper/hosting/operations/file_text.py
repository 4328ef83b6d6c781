"""Small text files of a site, read and written as a whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from innkeeper.core.actor import Actor
from innkeeper.core.errors import InvalidValue, LimitReached
from innkeeper.hosting.filenames import Path
from innkeeper.hosting.files import MAX_TEXT_BYTES, SiteFiles, opened
from innkeeper.hosting.operations.files import read_file, replace_file

BOM = "\ufeff"
TOO_LARGE = "Text of up to 1 MB is changed here. Download this file, and upload it again."


@dataclass(frozen=True, slots=True)
class Text:
    """What stands in a file. Lines end with a line feed here, with `newline` in the file; `digest` knows its bytes."""

    text: str
    digest: str
    newline: str
    has_mark: bool


def read_text(actor: Actor, files: SiteFiles, path: Path) -> Text:
    """The text of a file; who read it is on record. Raises Refused for what is no text, or too much."""
    entry, file = read_file(actor, files, path)
    with file:
        return _text(entry.size, file.read(MAX_TEXT_BYTES + 1))


def save_text(actor: Actor, files: SiteFiles, path: Path, text: str, digest: str) -> Text | None:
    """Write a text into a file, whose line ends and mark stay as they are. What was there goes to the trash.

    A file whose bytes are not those of `digest` any more is left alone; its text is the result then.
    """
    entry, file = opened(files, path)
    with file:
        now = _text(entry.size, file.read(MAX_TEXT_BYTES + 1))
    if now.digest != digest:
        return now
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    if lines == now.text:
        return None
    data = (BOM * now.has_mark + lines.replace("\n", now.newline)).encode()
    if len(data) > MAX_TEXT_BYTES:
        raise LimitReached(TOO_LARGE, field="text")
    replace_file(actor, files, path, data)
    return None


def _text(size: int, data: bytes) -> Text:
    if size > MAX_TEXT_BYTES or len(data) > MAX_TEXT_BYTES:
        raise LimitReached(TOO_LARGE)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.replace("\r\n", "\n")
    # A page's text field knows one kind of line ends: others would be changed without a word.
    if "\0" in text or "\r" in lines or (newline == "\r\n" and text.count("\n") != text.count("\r\n")):
        raise InvalidValue("This is no text that could be changed here: it is not UTF-8, or its lines end differently.")
    has_mark = lines.startswith(BOM)
    return Text(lines.removeprefix(BOM), hashlib.sha256(data).hexdigest(), newline, has_mark)
