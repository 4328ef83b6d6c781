"""A metadata file as text with its entries: read strictly, changed without touching anything else.

The text is the truth. Comments, order, unknown elements and attributes, blanks and quotes survive because a
change is a splice of the text at the place of one entry, never a new serialisation.
"""

from __future__ import annotations

import os
import re
import stat
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from xml.sax.saxutils import escape, unescape

from lxml import etree

from innkeeper.permissions.rules.finding import Finding, RuleError

MAX_BYTES = 16 * 1024 * 1024
MAX_ENTRIES = 100_000
EMPTY = '<?xml version="1.0" encoding="utf-8"?>\n<SecurityMetadata version="1">\n</SecurityMetadata>\n'

_TOKEN = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<(?P<close>/)?(?P<name>[^\s/>]+)", re.DOTALL)
_PROLOG = re.compile(r"\s+|<!--.*?-->|<\?.*?\?>", re.DOTALL)
_ATTRIBUTE = re.compile(r"\s+(?P<name>[^\s=/>]+)\s*=\s*(?P<quote>[\"'])(?P<value>.*?)(?P=quote)", re.DOTALL)
_END = re.compile(r"\s*(?P<empty>/)?>")
_REFERENCE = re.compile(r"&#(x[0-9a-fA-F]+|\d+);")
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)""")
# What the parser's programmer could do about a limit.
_HINT = re.compile(r",? (try|use) XML_PARSE_HUGE.*", re.DOTALL)
_ENCODINGS = {"utf-8", "us-ascii", "iso-8859-1", "windows-1252", "utf-16", "utf-16le", "utf-16be"}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute with the place of its value in the text."""

    name: str
    value: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Element:
    """One ``Entry`` element: its attributes and its place in the text."""

    start: int
    end: int
    attributes: dict[str, Attribute] = field(hash=False)

    @property
    def values(self) -> dict[str, str]:
        """Every attribute's value as it is written."""
        return {name: attribute.value for name, attribute in self.attributes.items()}

    def get(self, name: str, default: str = "") -> str:
        """The value of an attribute, without the blanks around it."""
        found = self.attributes.get(name)
        return found.value.strip() if found else default


class Document:
    """The text of a metadata file and the entries in it. A change returns a new document."""

    def __init__(self, text: str, file: str = "<text>") -> None:
        """Read the text.

        Raises: RuleError when it is no well-formed XML, holds a DOCTYPE, or is beyond a limit. Nothing is
        ever fetched or expanded.
        """
        self.file = file
        self.text = text
        self.entries: list[Element] = []
        # In this order: the scanner takes linear time only on what is well-formed.
        self._refuse_document_type()
        self._check_well_formed()
        self._scan()

    @classmethod
    def load(cls, path: Path) -> Document:
        """Read a file; the size is checked before a byte is read.

        Raises: RuleError, OSError.
        """
        # A pipe that nobody writes to would be waited for.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise RuleError([Finding("not-xml", "is no file", str(path), 1, 1)])
            size = found.st_size
            if size > MAX_BYTES:
                raise RuleError([Finding("too-large", f"{size} bytes; at most {MAX_BYTES} are read", str(path), 1, 1)])
            data = stream.read(MAX_BYTES + 1)
        return cls(decode(data, str(path)), str(path))

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of an offset in the text."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def finding(self, code: str, message: str, offset: int) -> Finding:
        """An error at an offset of this document."""
        return Finding(code, message, self.file, *self.position(offset))

    def with_value(self, entry: Element, name: str, value: str) -> Document:
        """Set one attribute of one entry; a new one goes behind the others."""
        found = entry.attributes.get(name)
        if found:
            quoted = _quote(value, found.quote)
            return self._splice(found.start, found.end, quoted)
        at = max(
            (attribute.end + 1 for attribute in entry.attributes.values()),
            default=entry.start + len("<Entry"),
        )
        return self._splice(at, at, f' {name}="{_quote(value, chr(34))}"')

    def without_value(self, entry: Element, name: str) -> Document:
        """Take one attribute of one entry away."""
        found = entry.attributes.get(name)
        if found is None:
            return self
        head = self.text.rfind(name, entry.start, found.start)
        start = len(self.text[:head].rstrip())
        return self._splice(start, found.end + 1, "")

    def with_entry(self, values: Mapping[str, str]) -> Document:
        """Add an entry behind the last one, or at the end of the root element."""
        return self.with_entries([values])

    def with_entries(self, entries: Iterable[Mapping[str, str]]) -> Document:
        """Add entries behind the last one, or at the end of the root element."""
        tags = [
            "<Entry " + " ".join(f'{name}="{_quote(value, chr(34))}"' for name, value in values.items()) + " />"
            for values in entries
        ]
        if not tags:
            return self
        if self.entries:
            last = self.entries[-1]
            line_start = self.text.rfind("\n", 0, last.start) + 1
            indent = self.text[line_start : last.start]
            indent = indent if not indent.strip() else "  "
            return self._splice(last.end, last.end, "".join(f"\n{indent}{tag}" for tag in tags))
        at = self._root_end
        if at is None:  # <Root/>
            closing = self.text.rfind("/>")
            name = re.match(r"[^\s/>]+", self.text[self._root_start + 1 :])
            root = name[0] if name else "SecurityMetadata"
            lines = "".join(f"\n  {tag}" for tag in tags)
            return self._splice(closing, closing + 2, f">{lines}\n</{root}>")
        lead = "" if self.text[:at].endswith("\n") else "\n"
        return self._splice(at, at, lead + "".join(f"  {tag}\n" for tag in tags))

    def without(self, entry: Element) -> Document:
        """Take one entry out, with its line when nothing else stands there."""
        return self.without_all([entry])

    def without_all(self, entries: Iterable[Element]) -> Document:
        """Take entries out, each with its line when nothing else stands there."""
        kept, at = [], 0
        for entry in sorted(entries, key=lambda entry: entry.start):
            start, end = entry.start, entry.end
            line_start = self.text.rfind("\n", 0, start) + 1
            line_end = self.text.find("\n", end)
            if line_end != -1 and not (self.text[line_start:start] + self.text[end:line_end]).strip():
                start, end = line_start, line_end + 1
            kept.append(self.text[at:start])
            at = end
        return Document("".join(kept) + self.text[at:], self.file) if kept else self

    def encoded(self) -> bytes:
        """The text as it is saved: in UTF-8."""
        return _with_utf8_declaration(self.text).encode()

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def _splice(self, start: int, end: int, text: str) -> Document:
        return Document(self.text[:start] + text + self.text[end:], self.file)

    def _refuse_document_type(self) -> None:
        """A document type can only stand before the root element, and is refused before any parser sees it."""
        at = 0
        while match := _PROLOG.match(self.text, at):
            at = match.end()
        if self.text.startswith("<!DOCTYPE", at):
            raise RuleError([self.finding("doctype", "a document type is not allowed", at)])

    def _scan(self) -> None:
        """Find the start tags of entries in well-formed text."""
        text, at = self.text, 0
        open_entries: list[tuple[int, dict[str, Attribute]]] = []
        self._root_start, self._root_end = -1, None
        while match := _TOKEN.search(text, at):
            at = match.end()
            name = match["name"]
            if name is None:
                continue
            if match["close"]:
                self._root_end = match.start()
                if name == "Entry" and open_entries:
                    start, attributes = open_entries.pop()
                    closing = text.find(">", at)
                    self.entries.append(Element(start, closing + 1, attributes))
                continue
            if self._root_start < 0:
                self._root_start = match.start()
            attributes = {}
            for attribute in self._attributes(at):
                attributes[attribute.name] = attribute
                at = attribute.end + 1
            end = _END.match(text, at)
            if end:
                at = end.end()
            if name != "Entry":
                continue
            if len(self.entries) >= MAX_ENTRIES:
                raise RuleError(
                    [self.finding("too-many", f"more than {MAX_ENTRIES} entries in one file", match.start())]
                )
            if end and not end["empty"]:
                open_entries.append((match.start(), attributes))
            else:
                self.entries.append(Element(match.start(), at, attributes))
        self.entries.sort(key=lambda entry: entry.start)

    def _attributes(self, at: int) -> Iterator[Attribute]:
        while match := _ATTRIBUTE.match(self.text, at):
            at = match.end()
            yield Attribute(
                match["name"],
                _plain(match["value"]),
                match.start("value"),
                match.end("value"),
                match["quote"],
            )

    def _check_well_formed(self) -> None:
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
        )
        body = re.sub(
            r"^\s*<\?xml.*?\?>",
            lambda match: "\n" * match[0].count("\n"),
            self.text,
            count=1,
            flags=re.DOTALL,
        )
        try:
            etree.fromstring(body.encode(), parser)
        except etree.XMLSyntaxError as error:
            line, column = error.position
            message = _HINT.sub("", (error.msg or "not well-formed").split(", line")[0]).strip()
            raise RuleError([Finding("not-xml", message, self.file, max(line, 1), max(column, 1))]) from None


def _plain(value: str) -> str:
    if "&" not in value:
        return value
    value = _REFERENCE.sub(lambda match: _character(match[1]), value)
    return unescape(value, {"&quot;": '"', "&apos;": "'"})


def _character(reference: str) -> str:
    number = int(reference[1:], 16) if reference.startswith("x") else int(reference)
    return chr(number) if number < 0x110000 else "\ufffd"


def _quote(value: str, quote: str) -> str:
    entity = {'"': "&quot;", "'": "&apos;"}
    return escape(value, {quote: entity[quote], "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})


def decode(data: bytes, file: str) -> str:
    """The text of a metadata file.

    Raises: RuleError when its encoding is not read.
    """
    declared = _DECLARED.match(data)
    encoding = declared[1].decode().lower() if declared else "utf-8"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif data.startswith(b"\xef\xbb\xbf"):
        encoding = "utf-8-sig"
    elif encoding not in _ENCODINGS:
        raise RuleError([Finding("encoding", f"the encoding {encoding} is not read; use utf-8", file, 1, 1)])
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RuleError([Finding("encoding", f"not valid {encoding}: {error.reason}", file, line, 1)]) from None


def _with_utf8_declaration(text: str) -> str:
    """What is saved is UTF-8, so the declaration must not name another encoding."""
    return re.sub(
        r"""(^\s*<\?xml[^>]*?encoding\s*=\s*["'])[A-Za-z0-9._-]+""",
        lambda match: match[1] + "utf-8",
        text,
        count=1,
    )
