"""Gives the events of the outbox to their handlers: one delivery for each enabled handler.

Events that wait are found by their state. Each gets the next number in the order of this, which is what readers of the
event log remember. An event that nobody handles is done with that, in one statement for many.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from innkeeper.core.db.sets import among, insert

log = logging.getLogger("innkeeper.events")

BATCH = 500
DEEPEST = 5
"""An event whose operation was caused by so many handlers in a row is given to no further one: it is a loop."""

BEFORE_THE_FIRST = 1
"""The number that readers of an empty log remember; the protocol's numbers are positive."""

PARKED = datetime(9999, 12, 31, tzinfo=UTC)
"""When a delivery is due that waits for an earlier one of its handler and object."""

DELIVERY_COLUMNS = (
    "outbox_id", "handler_id", "replay", "is_test", "event", "object_type", "object_id", "priority", "state",
    "attempts", "due_at", "created_at",
)  # fmt: skip


class _Event(NamedTuple):
    id: int
    event: str
    object_type: str
    object_id: int
    depth: int
    is_sealed: bool


def is_waiting() -> bool:
    """Whether an event waits for a handler. Takes no lock."""
    return _exists(
        "SELECT 1 FROM core_outboxevent o JOIN events_eventhandler h ON h.event = o.event AND h.enabled"
        " WHERE o.state = 'pending' LIMIT 1"
    )


def is_pending() -> bool:
    """Whether any event is not dispatched. Takes no lock."""
    return _exists("SELECT 1 FROM core_outboxevent WHERE state = 'pending' LIMIT 1")


def dispatch(limit: int = BATCH) -> int:
    """Dispatch the oldest events, in one transaction; how many they were.

    Safe beside other dispatchers: all take the row of the last number first.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_eventnumber (id, last) VALUES (1, %s)"
            " ON CONFLICT (id) DO UPDATE SET last = core_eventnumber.last RETURNING last",
            [BEFORE_THE_FIRST],
        )
        [last] = cursor.fetchone()
        cursor.execute(
            "SELECT id, event, object_type, object_id, depth, sealed IS NOT NULL FROM core_outboxevent"
            " WHERE state = 'pending' ORDER BY id LIMIT %s",
            [limit],
        )
        events = [_Event(*row) for row in cursor.fetchall()]
        if not events:
            return 0
        _fan_out(cursor, events)
        condition, ids = among("id", [each.id for each in events])
        cursor.execute(
            "UPDATE core_outboxevent SET state = 'dispatched', number = given.number FROM"
            " (SELECT id AS event_id, %s + ROW_NUMBER() OVER (ORDER BY id) AS number FROM core_outboxevent"
            f" WHERE {condition}) AS given WHERE given.event_id = core_outboxevent.id",
            [last, ids],
        )
        if any(each.is_sealed for each in events):
            cursor.execute(
                f"UPDATE core_outboxevent SET sealed = NULL WHERE {condition} AND event NOT IN"
                " (SELECT event FROM events_eventhandler WHERE enabled AND pass_secrets)",
                [ids],
            )
        cursor.execute("UPDATE core_eventnumber SET last = %s WHERE id = 1", [last + len(events)])
    return len(events)


def _fan_out(cursor: Any, events: Sequence[_Event]) -> None:
    """A delivery for each event and enabled handler. Which goes first is said when they are claimed."""
    condition, names = among("event", sorted({each.event for each in events}))
    lock = " FOR SHARE" if connection.features.has_select_for_update else ""
    cursor.execute(
        f"SELECT id, event, priority FROM events_eventhandler WHERE enabled AND {condition} ORDER BY id{lock}",
        [names],
    )
    handlers: dict[str, list[tuple[int, int]]] = {}
    for handler, event, priority in cursor.fetchall():
        handlers.setdefault(event, []).append((handler, priority))
    if not handlers:
        return
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    parked = connection.ops.adapt_datetimefield_value(PARKED)
    queued = {handler: _queued(cursor, handler, events, name) for name in handlers for handler, _ in handlers[name]}
    rows = []
    for each in events:
        if each.depth > DEEPEST:
            log.error("event %d (%s) was caused by %d handlers in a row and is given to none", *each[:2], each.depth)
            continue
        for handler, priority in handlers.get(each.event, ()):
            place = (each.object_type, each.object_id)
            due = parked if place in queued[handler] else now
            queued[handler].add(place)
            rows.append((each.id, handler, 0, False, each.event, *place, priority, "waiting", 0, due, now))
    insert("events_delivery", DELIVERY_COLUMNS, rows)


def _queued(cursor: Any, handler: int, events: Sequence[_Event], name: str) -> set[tuple[str, int]]:
    """The objects of these events for which the handler has something to do already."""
    mine = [each for each in events if each.event == name]
    condition, ids = among("object_id", sorted({each.object_id for each in mine}))
    cursor.execute(
        "SELECT DISTINCT object_type, object_id FROM events_delivery WHERE handler_id = %s AND object_type = %s"
        f" AND {condition} AND state IN ('waiting', 'running', 'retry') AND NOT is_test",
        [handler, mine[0].object_type, ids],
    )
    return set(cursor.fetchall())


def _exists(statement: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone() is not None
