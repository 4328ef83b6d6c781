"""Writes answers: one appending writer that escapes, in place of a tree.

The text goes to memory up to 1 MiB and to a temporary file above, so that an answer of a million results takes no
more memory than one of a hundred.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import IO

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
IN_MEMORY = 1024 * 1024
FRAGMENTS_BEFORE_FLUSH = 512

# "\r" would be read back as a line feed; the others are what XML 1.0 forbids.
_SPECIAL = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


def escape(text: str) -> str:
    """Text as it stands in an element. Characters that XML forbids are left out."""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda match: _ENTITIES.get(match[0], ""), text)


class Writer:
    """An XML document that grows at its end.

    Pretty printing puts each element on a line of its own and changes white space between elements only.
    """

    def __init__(self, *, pretty: bool = False) -> None:
        self._pretty = pretty
        self._depth = 0
        self._fragments: list[str] = []
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        self.append(DECLARATION.rstrip("\n"))

    def line(self, deeper: int = 0) -> str:
        """What goes before an element that stands `deeper` levels below the open one: a new line, or nothing."""
        if self._pretty:
            return "\n" + "  " * (self._depth + deeper)
        # The declaration has a line of its own in either form.
        return "" if self._depth + deeper else "\n"

    def append(self, text: str) -> None:
        """Add text that is XML already. Hot paths build whole elements with `line` and `escape` and add them here."""
        self._fragments.append(text)
        if len(self._fragments) >= FRAGMENTS_BEFORE_FLUSH:
            self._flush()

    def extend(self, texts: Iterable[str]) -> None:
        """Add texts that are XML already, and hold some hundred of them at a time."""
        texts = iter(texts)
        while some := list(islice(texts, FRAGMENTS_BEFORE_FLUSH)):
            self._fragments += some
            self._flush()

    @contextmanager
    def element(self, tag: str, attributes: str = "") -> Iterator[None]:
        """An element with elements inside. `attributes` is XML already."""
        opening = f"{self.line()}<{tag}{attributes}>"
        self.append(opening)
        self._depth += 1
        yield
        self._depth -= 1
        if self._fragments and self._fragments[-1] is opening:
            self._fragments[-1] = f"{opening[:-1]}/>"
        else:
            self.append(f"{self.line() if self._pretty else ''}</{tag}>")

    def leaf(self, tag: str, value: str | int | bool | None = "") -> None:
        """An element with text inside; empty for an empty text or None."""
        if isinstance(value, bool):
            text = "true" if value else "false"
        else:
            text = "" if value is None else escape(str(value))
        self.append(f"{self.line()}<{tag}>{text}</{tag}>" if text else f"{self.line()}<{tag}/>")

    def mark(self) -> tuple[int, int]:
        """A place to come back to with `rewind`."""
        self._flush()
        return self._file.tell(), self._depth

    def rewind(self, mark: tuple[int, int]) -> None:
        """Forget everything written since `mark`."""
        self._fragments.clear()
        position, self._depth = mark
        self._file.seek(position)
        self._file.truncate()

    def _flush(self) -> None:
        self._file.write("".join(self._fragments).encode())
        self._fragments.clear()

    def finish(self) -> tuple[IO[bytes], int]:
        """The document as a file at its beginning, and its length."""
        self.append("\n")
        self._flush()
        length = self._file.tell()
        self._file.seek(0)
        return self._file, length
