"""From the bytes of a packet to a tree that can be trusted to be small, flat and self-contained.

Nothing outside the bytes is ever read: no document type, entity, network or file. What a packet may contain is the
business of `schema`.
"""

from __future__ import annotations

import re
import threading
from typing import Any, Final, cast

from lxml import etree

from innkeeper.core.errors import Malformed

MAX_DEPTH = 64
MAX_OPERATIONS = 1000
LONGEST_HEAD = 64 * 1024
"""Before this many bytes the root element begins in a large packet."""
ENCODINGS = frozenset({"utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "iso-8859-1", "us-ascii", "ascii"})
LATIN_1 = frozenset({"iso-8859-1", "iso8859-1", "latin-1", "latin1"})

_DECLARATION = re.compile(rb"<\?xml\s[^>]{0,200}?encoding\s*=\s*[\"']([^\"']{0,64})[\"']")
_PROLOG = re.compile(rb"(?:\s++|<\?(?s:.*?)\?>|<!--(?s:.*?)-->)*+")
_LONG_TAG = re.compile(rb"<([^<>!?/\s]{1,64})\s[^<>]{65536}")
_HIDING = re.compile(rb"<!|<\?(?!xml\s)")
_TOO_DEEP = etree.XPath("boolean(" + "/*" * (MAX_DEPTH + 1) + ")")
_FOREIGN = "(/*/@*[name() != 'version'] | /*//*/@*)[1]"
_FOREIGN_ATTRIBUTE_NAME = etree.XPath(f"name({_FOREIGN})")
_FOREIGN_ATTRIBUTE_OWNER = etree.XPath(f"{_FOREIGN}/..")
# What keeps the parser within the bytes it is given.
OPTIONS: Final[dict[str, Any]] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
_WHITE_SPACE = b" \t\r\n"
_kept = threading.local()


def parse(body: bytes) -> etree._Element:
    """The root of a well-formed packet within the bounds, without comments and processing instructions.

    Raises Malformed, with the line and what is wrong.
    """
    return parse_bounded(readable(body))


def parse_bounded(text: bytes) -> etree._Element:
    """The root of a document that `readable` let pass. Raises Malformed as `parse` does."""
    root = parse_text(text)
    # Elements nest no deeper than there are tags, and an attribute has an equals sign: most packets need no more.
    body = text.find(b"?>") if text.startswith(b"<?xml") else 0
    attributes = 0 if root.get("version") is None else 1
    if text.count(b"<") <= MAX_DEPTH and text.count(b"=", body) <= attributes:
        return root
    return bounded(root)


def parse_text(text: bytes) -> etree._Element:
    """The root of a document that `readable` let pass. Raises Malformed if it is not well-formed."""
    parser = getattr(_kept, "parser", None)
    if parser is None:  # to make one takes as long as to read a short packet
        parser = _kept.parser = etree.XMLParser(**OPTIONS)
    try:
        return etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise Malformed(not_well_formed(error)) from error


def bounded(root: etree._Element, *, operations_before: int = 0) -> etree._Element:
    """The same root. Raises Malformed if the document is too deep, has too many operations or any attribute.

    A document that is read piece by piece tells how many operations it had before those that `root` holds.
    """
    if _TOO_DEEP(root):
        raise too_deep()
    # Left to the schema, each of half a million attributes would become a message of its own.
    if name := str(_FOREIGN_ATTRIBUTE_NAME(root))[:64]:
        owner = cast(list[etree._Element], _FOREIGN_ATTRIBUTE_OWNER(root))[0]
        raise foreign_attribute(cast(int, owner.sourceline), str(owner.tag), name)
    count = sum(len(operator) for operator in root if operator.tag != "request-settings")
    if operations_before + count > MAX_OPERATIONS:
        raise too_many_operations()
    return root


def refuse_long_tags(text: bytes) -> None:
    """Raise Malformed for a start tag of a size that only attributes can have, before half a million are parsed."""
    found = _LONG_TAG.search(text)
    # Inside of a comment or a CDATA section it may be text. What such a document has is left to `bounded`.
    if found and not _HIDING.search(text):
        line = text.count(b"\n", 0, found.start()) + 1
        raise Malformed(
            f"Parser error: Request is invalid. Error in line {line}: Element '{found[1].decode(errors='replace')}':"
            " The start tag is too long. No attribute is allowed but the packet's version."
        )


def foreign_attribute(line: int, tag: str, name: str) -> Malformed:
    """The refusal of an attribute other than the packet's version, in libxml2's words."""
    return Malformed(
        f"Parser error: Request is invalid. Error in line {line}: Element '{tag}', attribute '{name}':"
        f" The attribute '{name}' is not allowed."
    )


def too_deep() -> Malformed:
    """The refusal of a document that is nested too deep."""
    return Malformed(f"Parser error: Elements are nested deeper than {MAX_DEPTH} levels.")


def too_many_operations() -> Malformed:
    """The refusal of a packet with too many operations."""
    return Malformed(
        f"Parser error: More than {MAX_OPERATIONS} operations in one packet. Send several packets,"
        " or several objects in one operation."
    )


def not_well_formed(error: etree.XMLSyntaxError) -> str:
    """The text of the error for a document that is no XML."""
    line = error.lineno or 1
    message = re.sub(r", line \d+, column \d+.*$", "", error.msg or "the document is empty")
    return f"Parser error: Request is not well-formed XML. Error in line {line}: {message[:300]}"


def readable(body: bytes, charset: str = "") -> bytes:
    """The document in an encoding in which ASCII is ASCII, without white space before its declaration.

    `charset` is what the transport says of a document that does not declare its encoding itself.
    Raises Malformed for an encoding that is not accepted and for a document type.
    """
    text = _transcoded(body, charset)
    prolog = _PROLOG.match(text)
    if prolog and text.startswith(b"<!DOCTYPE", prolog.end()):
        raise Malformed("Parser error: A document type declaration is not accepted. Leave it out.")
    return text


def _transcoded(body: bytes, charset: str) -> bytes:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _from_utf16(body, "utf-16")
    if body.startswith(b"<\0"):
        return _from_utf16(body, "utf-16-le")
    if body.startswith(b"\0<"):
        return _from_utf16(body, "utf-16-be")
    text = body.removeprefix(b"\xef\xbb\xbf").lstrip(_WHITE_SPACE)
    if not text:
        raise Malformed("Parser error: The request is empty.")
    declared = _DECLARATION.match(text)
    if declared:
        encoding = declared[1].decode("latin-1").lower()
        if encoding not in ENCODINGS or encoding.startswith("utf-16"):
            raise Malformed(
                f"Parser error: The encoding {encoding!r} is not accepted or not the one in use. Use UTF-8."
            )
    elif charset in LATIN_1 and not body.startswith(b"\xef\xbb\xbf"):
        return text.decode("latin-1").encode()
    return text


def _from_utf16(body: bytes, encoding: str) -> bytes:
    try:
        text = body.decode(encoding).lstrip("\ufeff \t\r\n")
    except UnicodeDecodeError as error:
        raise Malformed("Parser error: The request is not valid UTF-16.") from error
    # The declaration names the encoding that was just left.
    return re.sub(r"\A<\?xml\s[^>]*?\?>", "", text).encode(errors="replace")
