"""The parts of an answer that all operators share."""

from __future__ import annotations

from innkeeper.core.errors import Refused, codes
from innkeeper.doors.xmlapi.writer import Writer


def write_ok(writer: Writer) -> None:
    """`status` of an object that was treated."""
    writer.leaf("status", "ok")


def write_error(writer: Writer, error: Refused) -> None:
    """`status`, `errcode` and `errtext` of an object that was refused. Clients need all three."""
    writer.leaf("status", "error")
    writer.leaf("errcode", codes(error).xml)
    writer.leaf("errtext", error.message or "The operation failed.")
