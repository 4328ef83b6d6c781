"""Writes answers: one appending writer that escapes, in place of a tree.

The text goes to memory up to 1 MiB and to a temporary file above, so that an answer of a million results takes no
more memory than one of a hundred.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from io import BytesIO
from itertools import islice
from types import TracebackType
from typing import IO

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
_DECLARATION = DECLARATION.rstrip("\n")
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


class _Element:
    """An open element. Left by an error, it stays open: whoever deals with the error rewinds.

    A generator of `contextlib` takes four times as long, and an answer has many elements.
    """

    __slots__ = ("_attributes", "_opening", "_tag", "_writer")

    def __init__(self, writer: Writer, tag: str, attributes: str) -> None:
        self._writer = writer
        self._tag = tag
        self._attributes = attributes

    def __enter__(self) -> None:
        self._opening = self._writer.open(self._tag, self._attributes)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._writer.close(self._tag, self._opening)


class Writer:
    """An XML document that grows at its end.

    Pretty printing puts each element on a line of its own and changes white space between elements only.
    """

    def __init__(self, *, pretty: bool = False) -> None:
        self._pretty = pretty
        self._depth = 0
        self._fragments = [_DECLARATION]
        self._file: IO[bytes] = BytesIO()
        self._in_memory = True

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

    def element(self, tag: str, attributes: str = "") -> _Element:
        """An element with elements inside, for `with`. `attributes` is XML already."""
        return _Element(self, tag, attributes)

    def open(self, tag: str, attributes: str) -> str:
        """Begin an element. What `close` needs to know of it."""
        opening = f"{self.line()}<{tag}{attributes}>"
        self.append(opening)
        self._depth += 1
        return opening

    def close(self, tag: str, opening: str) -> None:
        """End the element that was opened last."""
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
        if self._in_memory and self._file.tell() > IN_MEMORY:
            self._in_memory = False
            memory, self._file = self._file, tempfile.TemporaryFile()  # noqa: SIM115  (the caller closes it)
            memory.seek(0)
            self._file.write(memory.read())

    def finish(self) -> tuple[IO[bytes], int]:
        """The document as a file at its beginning, and its length."""
        self.append("\n")
        self._flush()
        length = self._file.tell()
        self._file.seek(0)
        return self._file, length
