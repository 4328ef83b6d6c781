"""The parts of an answer that all operators share."""

from __future__ import annotations

from innkeeper.core.errors import Refused, codes
from innkeeper.doors.xmlapi.writer import Writer, escape


def write_ok(writer: Writer) -> None:
    """`status` of an object that was treated."""
    writer.leaf("status", "ok")


def write_error(writer: Writer, error: Refused) -> None:
    """`status`, `errcode` and `errtext` of an object that was refused. Clients need all three."""
    writer.append(error_fragment(error, writer.line()))


def error_fragment(error: Refused, line: str) -> str:
    """What `write_error` writes, as text, for answers of thousands of results. `line` goes before each element."""
    return (
        f"{line}<status>error</status>{line}<errcode>{codes(error).xml}</errcode>"
        f"{line}<errtext>{escape(error.message) or 'The operation failed.'}</errtext>"
    )
