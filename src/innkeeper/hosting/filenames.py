"""Names of files as text: every name can be shown, and what is shown names the same file again.

A file's name is any bytes. What is no text, or text that would not be seen as it is (controls, changes of direction,
blanks at the ends), is written as a backslash and a number.
"""

from __future__ import annotations

import os
import re
import unicodedata

from innkeeper.core.errors import InvalidValue

MAX_BYTES, MAX_DEPTH = 255, 100
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_ESCAPE = re.compile(r"\\(?:\\|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|())")
_UNFINISHED_UPLOAD = re.compile(r"\.upload-[0-9a-f]{32}")

Path = tuple[str, ...]


def shown(name: str) -> str:
    """A name as it can be shown and typed."""
    last = len(name) - 1
    return "".join(_shown(letter, at_end=position in (0, last)) for position, letter in enumerate(name))


def _shown(letter: str, *, at_end: bool) -> str:
    number = ord(letter)
    if letter == "\\":
        return "\\\\"
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is no text
        return f"\\x{number - 0xDC00:02x}"
    if unicodedata.category(letter) in _HIDDEN or (letter.isspace() and (at_end or letter != " ")):
        return f"\\x{number:02x}" if number < 0x80 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
    return letter


def named(text: str) -> str:
    """The name that is shown as this. Raises InvalidValue."""
    return _ESCAPE.sub(_letter, text)


def _letter(match: re.Match[str]) -> str:
    byte, short, long, _ = match.groups()
    if byte:
        number = int(byte, 16)
        return chr(number if number < 0x80 else 0xDC00 + number)
    if short or long:
        number = int(short or long, 16)
        if number > 0x10FFFF or 0xD800 <= number < 0xE000:
            raise InvalidValue("There is no such name.", field="path")
        return chr(number)
    if match[0] == "\\\\":
        return "\\"
    raise InvalidValue("There is no such name: a backslash is written twice.", field="path")


def path_text(path: Path) -> str:
    """A path as it can be shown and typed."""
    return "/".join(map(shown, path))


def path_of(text: str) -> Path:
    """The path that is shown as this, from the root of a site's files. Raises InvalidValue."""
    path = tuple(named(part) for part in text.split("/") if part)
    if any(name in (".", "..") or "/" in name or "\0" in name for name in path):
        raise InvalidValue("A path names folders from the top, without . and .. in it.", field="path")
    if len(path) > MAX_DEPTH or any(len(os.fsencode(name)) > MAX_BYTES for name in path):
        raise InvalidValue("There is no such path: it is too long.", field="path")
    return path


def new_name(text: str, field: str = "name") -> str:
    """A name that somebody gives, with one kind of blanks: some systems put others into names that they make.

    Raises InvalidValue, which says what is wrong with it.
    """
    text = "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in text)
    if not text:
        raise InvalidValue("Give it a name.", field=field)
    if text in (".", ".."):
        raise InvalidValue("The names . and .. mean folders that are there already.", field=field)
    if "/" in text or "\\" in text:
        raise InvalidValue("A name has no slash and no backslash in it.", field=field)
    if shown(text) != text:
        raise InvalidValue("A name has no blanks at its ends and no invisible letters in it.", field=field)
    if len(text.encode()) > MAX_BYTES:
        raise InvalidValue(f"A name has at most {MAX_BYTES} bytes; most letters are one.", field=field)
    if _UNFINISHED_UPLOAD.fullmatch(text):
        raise InvalidValue("Names of this form are kept for uploads. Use another.", field=field)
    return text
