"""From the bytes of a packet to a tree that can be trusted to be small, flat and self-contained.

Nothing outside the bytes is ever read: no document type, entity, network or file. What a packet may contain is the
business of `schema`.
"""

from __future__ import annotations

import re
from typing import cast

from lxml import etree

from innkeeper.core.errors import Malformed

MAX_DEPTH = 64
MAX_OPERATIONS = 1000
ENCODINGS = frozenset({"utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "iso-8859-1", "us-ascii", "ascii"})

_DECLARATION = re.compile(rb"<\?xml\s[^>]{0,200}?encoding\s*=\s*[\"']([^\"']{0,64})[\"']")
_PROLOG = re.compile(rb"(?:\s++|<\?(?s:.*?)\?>|<!--(?s:.*?)-->)*+")
_TOO_DEEP = etree.XPath("boolean(" + "/*" * (MAX_DEPTH + 1) + ")")
_FOREIGN = "(/*/@*[name() != 'version'] | /*//*/@*)[1]"
_FOREIGN_ATTRIBUTE_NAME = etree.XPath(f"name({_FOREIGN})")
_FOREIGN_ATTRIBUTE_OWNER = etree.XPath(f"{_FOREIGN}/..")
_WHITE_SPACE = b" \t\r\n"


def parse(body: bytes) -> etree._Element:
    """The root of a well-formed packet within the bounds, without comments and processing instructions.

    Raises Malformed, with the line and what is wrong.
    """
    text = _readable(body)
    prolog = _PROLOG.match(text)
    if prolog and text.startswith(b"<!DOCTYPE", prolog.end()):
        raise Malformed("Parser error: A document type declaration is not accepted. Leave it out.")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise Malformed(not_well_formed(error)) from error
    if _TOO_DEEP(root):
        raise Malformed(f"Parser error: Elements are nested deeper than {MAX_DEPTH} levels.")
    # Left to the schema, each of half a million attributes would become a message of its own.
    if name := str(_FOREIGN_ATTRIBUTE_NAME(root))[:64]:
        owner = cast(list[etree._Element], _FOREIGN_ATTRIBUTE_OWNER(root))[0]
        raise Malformed(
            f"Parser error: Request is invalid. Error in line {owner.sourceline}: Element '{owner.tag}',"
            f" attribute '{name}': The attribute '{name}' is not allowed."
        )
    if sum(len(operator) for operator in root if operator.tag != "request-settings") > MAX_OPERATIONS:
        raise Malformed(
            f"Parser error: More than {MAX_OPERATIONS} operations in one packet. Send several packets,"
            " or several objects in one operation."
        )
    return root


def not_well_formed(error: etree.XMLSyntaxError) -> str:
    """The text of the error for a document that is no XML."""
    line = error.lineno or 1
    message = re.sub(r", line \d+, column \d+.*$", "", error.msg or "the document is empty")
    return f"Parser error: Request is not well-formed XML. Error in line {line}: {message[:300]}"


def _readable(body: bytes) -> bytes:
    """The document in an encoding in which ASCII is ASCII, without white space before its declaration."""
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
    return text


def _from_utf16(body: bytes, encoding: str) -> bytes:
    try:
        text = body.decode(encoding).lstrip("\ufeff \t\r\n")
    except UnicodeDecodeError as error:
        raise Malformed("Parser error: The request is not valid UTF-16.") from error
    # The declaration names the encoding that was just left.
    return re.sub(r"\A<\?xml\s[^>]*?\?>", "", text).encode(errors="replace")
