"""A packet as its operations, one after the other: from a tree, or from a second reading for a large one.

A tree takes ten times the bytes it was read from. A large packet is therefore read twice and never held as a tree:
first to validate it whole, because one error refuses all of it, and then to run it, account by account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from itertools import chain, islice, repeat
from typing import Any, Protocol, cast

from lxml import etree

from innkeeper.core.errors import Malformed
from innkeeper.doors.xmlapi import parser, schema
from innkeeper.doors.xmlapi.versions import Version

LARGE = 1024 * 1024
ROOT, SETTINGS = "packet", "request-settings"
# The element of which a large packet has most, and the only operator that has it.
RECORD, RECORD_OPERATOR = "mailname", "mail"

Element = etree._Element
Records = Callable[[], Iterator[Element]]
"""Begins to read the records of an operation, each of which is only good until the next. It may be called again."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `number` counts the operator elements of the packet.

    `records` is None when `element` is complete. Otherwise `element` ends at its first `mailname`, and `records`
    reads these one by one.
    """

    number: int
    operator: str
    element: Element
    records: Records | None = None


class Packet(Protocol):
    """A packet within the bounds."""

    version: str | None

    def names_only(self, operator: str) -> bool:
        """False if the packet is known to speak to another operator."""

    def validate(self, version: Version) -> None:
        """Raise Malformed if the packet is not valid in this version."""

    def operations(self) -> Iterator[Operation]:
        """The operations in order. Only for a packet that was validated."""


def read(body: bytes, charset: str = "") -> Packet:
    """The packet in these bytes. Raises Malformed for what is no XML."""
    text = parser.readable(body, charset)
    return StreamedPacket(text) if len(text) > LARGE else TreePacket(text)


class TreePacket:
    """A packet that is small enough for a tree."""

    def __init__(self, text: bytes) -> None:
        self._root = parser.parse_bounded(text)
        self.version = self._root.get("version")

    def names_only(self, operator: str) -> bool:
        return all(element.tag == operator for element in self._root)

    def validate(self, version: Version) -> None:
        schema.validate(self._root, version)

    def operations(self) -> Iterator[Operation]:
        for number, operator in enumerate(self._root):
            if operator.tag != SETTINGS:
                for element in operator:
                    yield Operation(number, str(operator.tag), element)


class StreamedPacket:
    """A large packet."""

    def __init__(self, text: bytes) -> None:
        parser.refuse_long_tags(text)
        self._text = text
        head = etree.XMLPullParser(("start",), **parser.OPTIONS)
        try:
            head.feed(text[: parser.LONGEST_HEAD])
            root = cast(Element, next(iter(head.read_events()))[1])
        except etree.XMLSyntaxError as error:
            raise Malformed(parser.not_well_formed(error)) from error
        except StopIteration as error:
            raise Malformed("Parser error: The root element does not begin where it should.") from error
        self.version: str | None = root.get("version")

    def names_only(self, operator: str) -> bool:
        # Left to the schema: the operators stand in the part that is not read yet.
        return True

    def validate(self, version: Version) -> None:
        count = 0
        try:
            for element, operation in _events(self._text, schema=schema.for_version(version)):
                if operation is not None:
                    _forget(element)
                    continue
                root = cast(Element, element.getparent())
                parser.bounded(root, operations_before=count)
                count += 0 if element.tag == SETTINGS else len(element)
                element.clear()
        except (etree.XMLSyntaxError, EOFError):
            # Said again from a tree, with the line and in full: an error met on the way names neither.
            TreePacket(self._text).validate(version)

    def operations(self) -> Iterator[Operation]:
        for place, operation in enumerate(_Stream(self._text).operations()):
            if operation.records is None:
                yield operation
            else:
                readings = chain([operation.records()], map(self._read_again, repeat(place)))
                yield replace(operation, records=partial(next, readings))

    def _read_again(self, place: int) -> Iterator[Element]:
        """The records of an operation, found by reading the packet from its beginning."""
        operation = next(islice(_Stream(self._text).operations(), place, None))
        return cast(Records, operation.records)()


def _events(text: bytes, **options: Any) -> Iterator[tuple[Element, Element | None]]:
    """The end of each record, with its operation, and of each child of the root, with None.

    Raises XMLSyntaxError, and EOFError for a document that ends too early: with a schema, lxml keeps silent about that.
    """
    tags = [ROOT, RECORD, SETTINGS, *schema.EVERY_OPERATOR]
    ended = False
    reader: Any = etree.iterparse(BytesIO(text), events=("end",), tag=tags, **parser.OPTIONS, **options)
    for _, element in reader:
        above = list(element.iterancestors())
        if not above:
            ended = True
        elif len(above) == 1:
            yield element, None
        elif element.tag == RECORD and len(above) > 2 and above[-2].tag == RECORD_OPERATOR:
            yield element, above[-3]
    if not ended:
        raise EOFError


def _forget(record: Element) -> None:
    """Free a record and those before it. The element itself must stay while the parser is beside it."""
    record.clear()
    parent = record.getparent()
    while parent is not None and (before := record.getprevious()) is not None and before.tag == RECORD:
        parent.remove(before)


class _Stream:
    """The second reading of a valid document."""

    def __init__(self, text: bytes) -> None:
        self._events = _events(text)
        self._ahead: tuple[Element, Element | None] | None = None
        self._finished: Element | None = None

    def operations(self) -> Iterator[Operation]:
        number = 0
        while (event := self._next()) is not None:
            element, operation = event
            if operation is not None:
                operator = cast(Element, operation.getparent())
                yield from self._complete(number, operator, until=operation)
                records = self._records(element, operation)
                yield Operation(number, RECORD_OPERATOR, operation, partial(iter, records))
                for _ in records:
                    pass  # what the handler left unread
                self._finished = operation
            else:
                if element.tag != SETTINGS:
                    yield from self._complete(number, element)
                element.clear()
                number += 1

    def _next(self) -> tuple[Element, Element | None] | None:
        if self._ahead is not None:
            event, self._ahead = self._ahead, None
            return event
        return next(self._events, None)

    def _complete(self, number: int, operator: Element, *, until: Element | None = None) -> Iterator[Operation]:
        """The operations of an operator that were read to their end and not run yet, up to one."""
        if self._finished is not None:
            operator.remove(self._finished)
            self._finished = None
        for element in list(operator):
            if element is until:
                return
            yield Operation(number, str(operator.tag), element)
            operator.remove(element)

    def _records(self, first: Element, operation: Element) -> Iterator[Element]:
        """The records of one operation. What follows them is kept for `_next`."""
        event: tuple[Element, Element | None] | None = (first, operation)
        while event is not None and event[1] is operation:
            yield event[0]
            _forget(event[0])
            event = self._next()
        self._ahead = event
