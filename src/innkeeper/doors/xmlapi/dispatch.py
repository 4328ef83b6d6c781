"""Runs the operations of a packet in order and writes one answer element for each."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from typing import IO, NamedTuple

from django.db import OperationalError
from lxml import etree

from innkeeper.core.actor import Actor
from innkeeper.core.errors import Failed, NotSupported, Refused, VersionNotSupported
from innkeeper.doors.xmlapi import schema, scope
from innkeeper.doors.xmlapi.call import Call
from innkeeper.doors.xmlapi.operators import handlers
from innkeeper.doors.xmlapi.packet import Operation, Records, read
from innkeeper.doors.xmlapi.results import write_error
from innkeeper.doors.xmlapi.versions import NEWEST, Version, resolve
from innkeeper.doors.xmlapi.writer import Writer, escape

log = logging.getLogger(__name__)

# Operations whose results stand one level deeper, in an element named as the request's.
NESTED = {("mail", "update"), ("webspace", "db-servers")}
# An operation that answers without a `result`.
BARE = ("server", "lic_update")
UNEXPECTED = "The operation failed for an internal reason. Nothing of it was changed; the server's log has the details."


class Answer(NamedTuple):
    """A finished answer: a file at its beginning, and its length. The caller closes the file."""

    content: IO[bytes]
    length: int


def answer(actor: Actor, body: bytes, *, charset: str = "", pretty: bool = False) -> Answer:
    """Run a packet for an authenticated caller. Everything that goes wrong stands in the answer."""
    version_text = str(NEWEST)
    try:
        packet = read(body, charset)
        version_text = (packet.version or "").strip()[:32] or version_text
        version = resolve(packet.version)
        version_text = str(version)
        if version.is_mail_only and not packet.names_only("mail"):
            raise VersionNotSupported(f"Protocol version {version} is only supported for the operator mail.")
        packet.validate(version)
    except Refused as error:
        return refusal(error, version=version_text, pretty=pretty)
    writer = Writer(pretty=pretty)
    with writer.element("packet", f' version="{version}"'):
        for (_, operator), operations in groupby(packet.operations(), key=lambda each: (each.number, each.operator)):
            with writer.element(operator):
                for operation in operations:
                    _run(actor, version, operation, writer)
    return Answer(*writer.finish())


def refusal(error: Refused, *, version: str = str(NEWEST), pretty: bool = False) -> Answer:
    """The answer to a packet of which nothing runs: the `system` form."""
    writer = Writer(pretty=pretty)
    attribute = escape(version).replace('"', "&quot;")
    with writer.element("packet", f' version="{attribute}"'), writer.element("system"):
        write_error(writer, error)
    return Answer(*writer.finish())


def _run(actor: Actor, version: Version, operation: Operation, writer: Writer) -> None:
    """One operation, whose failure is its own."""
    operator, element, records = operation.operator, operation.element, operation.records
    name = str(element.tag)
    mark = writer.mark()
    try:
        scope.require(actor, operator, name)
        handler = handlers().get((version.dialect, operator), {}).get(name)
        if handler is None:
            raise NotSupported(f"{operator}/{name} is part of the protocol and not served by this server.")
        schema.fill_defaults(element, version.dialect, operator)
        if records is not None:
            records = partial(_with_defaults, records, version, operator)
        with writer.element(name):
            handler(Call(actor, version, element, writer, records))
        return
    except Refused as refused:
        error = refused
    except OperationalError:
        log.exception("%s/%s could not read the database", operator, name)
        error = Failed("The panel's database cannot be reached now. Try again later.")
    except Exception:
        log.exception("%s/%s failed", operator, name)
        error = Failed(UNEXPECTED)
    writer.rewind(mark)
    with writer.element(name):
        if (operator, name) == BARE:
            write_error(writer, error)
        elif (operator, name) in NESTED and len(element):
            with writer.element(str(element[0].tag)), writer.element("result"):
                write_error(writer, error)
        else:
            with writer.element("result"):
                write_error(writer, error)


def _with_defaults(records: Records, version: Version, operator: str) -> Iterator[etree._Element]:
    for record in records():
        schema.fill_defaults(record, version.dialect, operator)
        yield record
