"""Operator `event_log`: who did what to which object, for programs that follow the panel.

Reading empties nothing, unless the request asks for it with `options`: the guide's clients leave the element out to
read, though the schema gives its content a default of true.
"""

from __future__ import annotations

from innkeeper.doors.xmlapi.call import Call, boolean_of, number_of, text_of
from innkeeper.doors.xmlapi.versions import Dialect
from innkeeper.events.log import Logged, last_number, logged
from innkeeper.events.operations import empty_log

OPERATOR = "event_log"
DIALECTS = (Dialect.NEW, Dialect.OLD)


def get(call: Call) -> None:
    """All events; with `options` they are not shown again, unless `flush_selected_range` is false."""
    options = call.element.find("options")
    last = 0
    with call.result() as writer:
        for entry in logged(call.actor):
            with writer.element("event"):
                _write_kind(call, entry)
                writer.leaf("id", str(entry.object_id))
            last = entry.number
    if last and options is not None and boolean_of(options, "flush_selected_range") is not False:
        empty_log(call.actor, last)


def get_events(call: Call) -> None:
    """The events after `lastId`, of all kinds or of those that are named."""
    wanted = call.element.find("events")
    kinds = None
    if wanted is not None:
        kinds = {(text_of(each, "type") or "", text_of(each, "class") or "") for each in wanted.iterchildren("event")}
    with call.result() as writer:
        for entry in logged(call.actor, after=number_of(call.element, "lastId") or 0, kinds=kinds):
            with writer.element("event"):
                writer.leaf("id", str(entry.number))
                _write_kind(call, entry)
                writer.leaf("obj_id", str(entry.object_id))
                writer.leaf("user", entry.login)
                writer.leaf("host", entry.address)


def get_last_id(call: Call) -> None:
    """The number of the last event."""
    with call.result() as writer:
        writer.leaf("id", str(last_number(call.actor)))


def _write_kind(call: Call, entry: Logged) -> None:
    type_, class_ = entry.kind
    call.writer.leaf("type", type_)
    call.writer.leaf("time", str(int(entry.at.timestamp())))
    call.writer.leaf("class", class_)


OPERATIONS = {"get": get, "get_events": get_events, "get-last-id": get_last_id}
