"""One operation of a packet, as its handler gets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from lxml import etree

from innkeeper.core.actor import Actor
from innkeeper.core.errors import InvalidValue, Refused
from innkeeper.doors.xmlapi.packet import Records
from innkeeper.doors.xmlapi.results import write_error, write_ok
from innkeeper.doors.xmlapi.versions import Version
from innkeeper.doors.xmlapi.writer import Writer


@dataclass(frozen=True, slots=True)
class Call:
    """An operation to run. `element` is valid in the packet's version and has its defaults filled in.

    The handler writes its results to `writer`, inside the operation's element. A `Refused` that it raises becomes the
    one result of the whole operation, in place of everything it wrote; any other exception becomes 1023.
    `records` is not None for an operation of a large packet: see `packet.Operation`.
    """

    actor: Actor
    version: Version
    element: etree._Element
    writer: Writer
    records: Records | None = None

    @contextmanager
    def result(self, error: Refused | None = None) -> Iterator[Writer]:
        """A `result` element that begins with its status; what belongs to the operator follows inside."""
        with self.writer.element("result"):
            if error is None:
                write_ok(self.writer)
            else:
                write_error(self.writer, error)
            yield self.writer


Handler = Callable[[Call], None]


@contextmanager
def in_packet_words(names: Mapping[str, str]) -> Iterator[None]:
    """A value that is refused inside is named by the packet's element. `names`: element -> the field that it fills."""
    try:
        yield
    except InvalidValue as error:
        for tag, field in names.items():
            if field == error.field and error.message.startswith(f"{field}:"):
                raise InvalidValue(tag + error.message.removeprefix(field), field=tag) from error
        raise


def text_of(element: etree._Element, tag: str) -> str | None:
    """The text of a child with its white space folded, "" if it is empty, None if it is not there."""
    child = element.find(tag)
    if child is None:
        return None
    return " ".join((child.text or "").split())


def raw_text_of(element: etree._Element, tag: str) -> str | None:
    """The text of a child as it stands, "" if it is empty, None if it is not there."""
    child = element.find(tag)
    if child is None:
        return None
    return child.text or ""


def boolean(text: str) -> bool:
    """The value of a valid boolean."""
    return text.strip() in ("true", "1")


def number_of(element: etree._Element, tag: str) -> int | None:
    """The value of a child that is a valid number, None if it is not there."""
    text = text_of(element, tag)
    return None if text is None else int(text)


def boolean_of(element: etree._Element, tag: str) -> bool | None:
    """The value of a child that is a valid boolean, None if it is not there."""
    text = text_of(element, tag)
    return None if text is None else boolean(text)
