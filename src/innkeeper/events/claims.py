"""Which deliveries are to be made now, and what becomes of them: the rows of the delivery log.

Three rules hold here and nowhere else. Of one handler and object the next event waits until the one before is done or
given up. A handler starts on an event after the first attempt of those before it. And nothing else waits for anything:
what stands behind another is parked, so that it is never in the way of a look at what is due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from django.db import connection
from django.utils import timezone

from innkeeper.core.db.sets import among, execute_each, insert
from innkeeper.core.models import OutboxEvent
from innkeeper.events.dispatch import PARKED
from innkeeper.events.models import EventHandler, HandlerKind

WINDOW = 200
"""Rows looked at for a handler when those due first are not free. Those behind another are parked: not seen again."""

LEASE = timedelta(minutes=3)
"""Beyond the handler's own time."""

WAITS = {
    HandlerKind.COMMAND: (2, 10, 60, 300, 1800),
    HandlerKind.WEBHOOK: (5, 30, 120, 600, 3600, 3 * 3600, 6 * 3600, 12 * 3600),
}
"""Seconds between attempts; after the last one a delivery is given up. A web server may be away for a night."""

PAUSE_AFTER = 20
"""So many failures in a row, over all events of a handler, pause it: nothing is given up while it is broken."""

PROBE_AFTER = timedelta(minutes=15)
"""A paused handler is tried with one event so long after it was tried last; it goes on when that succeeds."""

AGAIN_S = 1
"""After an attempt that ended with one of our own processes."""

OPEN = "('waiting', 'running', 'retry')"
DUE = "('waiting', 'retry')"
ATTEMPT_COLUMNS = (
    "delivery_id", "number", "started_at", "duration_ms", "exit_status", "signal", "http_status", "stdout", "stderr",
    "error",
)  # fmt: skip


class Verdict(Enum):
    """What an attempt came to."""

    DONE = auto()
    FAILED = auto()
    REFUSED = auto()
    """For good: no further attempt can succeed."""
    INTERRUPTED = auto()
    """It ended with one of our own processes, which is not the handler's fault."""
    UNTRIED = auto()
    """It did not begin, since what would make it is away."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that is to be made now. Without an event it is a test with sample values."""

    id: int
    handler: EventHandler
    event: OutboxEvent | None
    attempt: int
    is_test: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an attempt."""

    delivery: int
    handler: int
    attempt: int
    verdict: Verdict
    started_at: datetime
    duration_ms: int
    exit_status: int | None = None
    signal: int | None = None
    http_status: int | None = None
    stdout: str = ""
    stderr: str = ""
    error: str = ""
    retry_after_s: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """When there is something to do: for each handler that may run, and for tests.

    Handlers among `probed` are paused, and get one event to show whether they work again.
    """

    handlers: dict[int, datetime]
    tests: bool
    probed: frozenset[int] = frozenset()

    def ready(self, now: datetime, room: Mapping[int, int], default: int) -> list[int]:
        return [id for id, at in self.handlers.items() if at <= now and room.get(id, default) > 0]


def due() -> Due:
    """What is due next, in one statement however long the queues are. Takes no lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT h.id, h.paused_at IS NOT NULL, (SELECT MIN(d.due_at) FROM events_delivery d"
            f" WHERE d.handler_id = h.id AND d.state IN {DUE}) FROM events_eventhandler h WHERE h.enabled"
            " AND (h.paused_at IS NULL OR (h.paused_at < %s AND h.last_at < %s AND NOT EXISTS (SELECT 1"
            " FROM events_delivery r WHERE r.handler_id = h.id AND r.state = 'running' AND NOT r.is_test)))",
            [_adapt(timezone.now() - PROBE_AFTER)] * 2,
        )
        rows = [row for row in cursor.fetchall() if row[2] is not None]
        cursor.execute(
            f"SELECT 1 FROM events_delivery WHERE is_test AND state IN {DUE} AND due_at <= %s LIMIT 1",
            [_adapt(timezone.now())],
        )
        has_tests = cursor.fetchone() is not None
    return Due(
        {id: _moment(at) for id, _, at in rows}, has_tests, frozenset(id for id, is_paused, _ in rows if is_paused)
    )


def claim(ready: Iterable[int], room: Mapping[int, int], default: int, tests: bool) -> list[Claim]:
    """Take deliveries of handlers that have some due, as many as there is room for. Within the caller's transaction."""
    now = timezone.now()
    taken: list[tuple[int, int, int | None, bool]] = []  # delivery, handler, event, test
    parked: list[int] = []
    with connection.cursor() as cursor:
        for handler in ready:
            left = room.get(handler, default)
            for window in (left, WINDOW):
                cursor.execute(_CANDIDATES, [_adapt(now), handler, _adapt(now), window])
                rows = cursor.fetchall()
                free = [(id, handler, outbox_id, False) for id, outbox_id, behind, early in rows if not behind | early]
                if len(free) >= left or len(rows) < window:
                    break
            taken += free[:left]
            parked += [id for id, _, is_behind, _ in rows if is_behind]
        if tests:
            cursor.execute(
                f"SELECT id, handler_id, outbox_id FROM events_delivery WHERE is_test AND state IN {DUE}"
                " AND due_at <= %s ORDER BY due_at, id LIMIT %s",
                [_adapt(now), default],
            )
            taken += [(id, handler, outbox_id, True) for id, handler, outbox_id in cursor.fetchall()]
        if parked:
            condition, ids = among("id", parked)
            cursor.execute(f"UPDATE events_delivery SET due_at = %s WHERE {condition}", [_adapt(PARKED), ids])
    return _take(taken, now) if taken else []


_CANDIDATES = f"""\
SELECT d.id, d.outbox_id,
  EXISTS (SELECT 1 FROM events_delivery e WHERE e.handler_id = d.handler_id AND e.object_type = d.object_type
    AND e.object_id = d.object_id AND e.id < d.id AND e.state IN {OPEN} AND NOT e.is_test),
  d.replay = 0 AND EXISTS (SELECT 1 FROM events_delivery e JOIN events_eventhandler h ON h.id = e.handler_id
    WHERE e.outbox_id = d.outbox_id AND e.replay = 0 AND e.handler_id <> d.handler_id
    AND (e.priority > d.priority OR (e.priority = d.priority AND e.handler_id < d.handler_id))
    AND ((e.state = 'running' AND e.attempts <= 1)
      OR (e.state = 'waiting' AND e.due_at <= %s AND h.enabled AND h.paused_at IS NULL)))
FROM events_delivery d
WHERE d.handler_id = %s AND d.state IN {DUE} AND NOT d.is_test AND d.due_at <= %s ORDER BY d.due_at, d.id LIMIT %s"""


def _take(taken: Sequence[tuple[int, int, int | None, bool]], now: datetime) -> list[Claim]:
    handlers = EventHandler.objects.in_bulk([handler for _, handler, _, _ in taken])
    events = OutboxEvent.objects.in_bulk([event for _, _, event, _ in taken if event is not None])
    gone = [id for id, _, event, _ in taken if event is not None and event not in events]
    rows = [each for each in taken if each[0] not in gone and each[1] in handlers]
    finished = _adapt(now)
    execute_each(
        "UPDATE events_delivery SET state = 'cancelled', finished_at = %s WHERE id = %s",
        [(finished, id) for id in gone],
    )
    attempts: dict[int, int] = {}
    with connection.cursor() as cursor:
        for handler in {handler for _, handler, _, _ in rows}:
            condition, ids = among("id", [id for id, of, _, _ in rows if of == handler])
            cursor.execute(
                "UPDATE events_delivery SET state = 'running', attempts = attempts + 1, lease_until = %s"
                f" WHERE {condition} RETURNING id, attempts",
                [_adapt(now + timedelta(seconds=handlers[handler].timeout_s) + LEASE), ids],
            )
            attempts |= dict(cursor.fetchall())
    return [
        Claim(id, handlers[handler], None if event is None else events[event], attempts[id], is_test)
        for id, handler, event, is_test in rows
    ]


def record(results: Sequence[Result]) -> None:
    """Write what came of attempts. Within the caller's transaction.

    A delivery that is gone or no longer runs (its handler was removed meanwhile) is left as it is.
    """
    # Handlers first, as removing one does, so that the two never wait for each other.
    locked = EventHandler.objects.select_for_update().order_by("pk")
    handlers = {row.pk: row for row in locked.filter(pk__in={each.handler for each in results})}
    condition, ids = among("id", [each.delivery for each in results])
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, outbox_id, object_type, object_id, is_test, attempts FROM events_delivery"
            f" WHERE {condition} AND state = 'running'{lock}",
            [ids],
        )
        rows = {row[0]: row[1:] for row in cursor.fetchall()}
    failures = _failures([each.delivery for each in results if each.verdict is Verdict.FAILED])
    now = timezone.now()
    states: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    finished: dict[tuple[int, str], list[int]] = defaultdict(list)
    attempts, events = [], []
    for each in results:
        row, handler = rows.get(each.delivery), handlers.get(each.handler)
        if row is None or handler is None or row[4] != each.attempt:
            continue
        outbox_id, object_type, object_id, is_test, _ = row
        state, due_at = _next(each, handler, is_test, failures.get(each.delivery, 0), now)
        if each.verdict is Verdict.UNTRIED:
            number = each.attempt - 1
            states["waiting" if number == 0 else "retry", number, _adapt(due_at), None].append(each.delivery)
            continue
        ended = state in ("done", "dead")
        states[state, each.attempt, _adapt(due_at), _adapt(now) if ended else None].append(each.delivery)
        attempts.append(_attempt(each))
        if not is_test:
            _count(handler, each, now)
        if ended and not is_test:
            finished[handler.pk, object_type].append(object_id)
        if ended and outbox_id is not None:
            events.append(outbox_id)
    with connection.cursor() as cursor:
        for values, deliveries in states.items():
            condition, ids = among("id", deliveries)
            cursor.execute(
                "UPDATE events_delivery SET state = %s, attempts = %s, due_at = %s, finished_at = %s,"
                f" lease_until = NULL WHERE {condition}",
                [*values, ids],
            )
    insert("events_attempt", ATTEMPT_COLUMNS, attempts)
    for handler in handlers.values():
        handler.save(update_fields=_COUNTED)
    for (handler_id, object_type), objects in finished.items():
        _unpark(handler_id, object_type, objects, now)
    erase_secrets(events)


_COUNTED = ["failures", "last_at", "last_state", "delivered_count", "failed_count", "paused_at", "pause_reason"]


def _unpark(handler: int, object_type: str, objects: Sequence[int], now: datetime) -> None:
    """Let the next delivery of each of these objects go on."""
    condition, ids = among("object_id", objects)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_delivery SET due_at = %s WHERE due_at >= %s AND id IN (SELECT MIN(id) FROM events_delivery"
            f" WHERE handler_id = %s AND object_type = %s AND {condition} AND state IN {OPEN} AND NOT is_test"
            " GROUP BY object_id)",
            [_adapt(now), _adapt(PARKED), handler, object_type, ids],
        )


def _failures(deliveries: Sequence[int]) -> dict[int, int]:
    """How often each was tried in vain before. An attempt without a duration was interrupted, and is not counted."""
    if not deliveries:
        return {}
    condition, ids = among("delivery_id", deliveries)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT delivery_id, COUNT(duration_ms) FROM events_attempt WHERE {condition} GROUP BY delivery_id", [ids]
        )
        return dict(cursor.fetchall())


def _next(result: Result, handler: EventHandler, is_test: bool, failures: int, now: datetime) -> tuple[str, datetime]:
    """The state that an attempt leads to, and when the delivery is due again."""
    if result.verdict is Verdict.DONE:
        return "done", now
    if result.verdict in (Verdict.INTERRUPTED, Verdict.UNTRIED):
        return "retry", now + timedelta(seconds=AGAIN_S)
    waits = () if is_test else WAITS[HandlerKind(handler.kind)]
    if result.verdict is Verdict.REFUSED or (failures >= len(waits) and (is_test or handler.paused_at is None)):
        return "dead", now
    wait = max(waits[min(failures, len(waits) - 1)], min(result.retry_after_s, waits[-1]))
    return "retry", now + timedelta(seconds=wait)


def _count(handler: EventHandler, result: Result, now: datetime) -> None:
    """Keep the handler's figures, and pause it when it keeps failing."""
    if result.verdict is Verdict.INTERRUPTED:
        return
    handler.last_at = now
    if result.verdict is Verdict.DONE:
        handler.last_state = "done"
        handler.failures = 0
        handler.paused_at, handler.pause_reason = None, ""
        handler.delivered_count += 1
        return
    handler.last_state = "failed"
    handler.failures += 1
    handler.failed_count += 1
    if handler.failures >= PAUSE_AFTER and handler.paused_at is None:
        handler.paused_at = now
        handler.pause_reason = f"It failed {handler.failures} times in a row; at last: {result.error}"


def _attempt(each: Result) -> tuple[Any, ...]:
    return (
        each.delivery, each.attempt, _adapt(each.started_at),
        None if each.verdict is Verdict.INTERRUPTED else each.duration_ms, each.exit_status, each.signal,
        each.http_status, each.stdout, each.stderr, each.error,
    )  # fmt: skip


def erase_secrets(events: Sequence[int] | None = None) -> None:
    """Erase the passwords of those events (None: of all) that no handler is to get any more."""
    if events == []:
        return
    condition, parameters = "sealed IS NOT NULL", []
    if events is not None:
        among_them, ids = among("id", sorted(set(events)))
        condition, parameters = f"{condition} AND {among_them}", [ids]
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE core_outboxevent SET sealed = NULL WHERE {condition} AND state = 'dispatched' AND NOT EXISTS"
            " (SELECT 1 FROM events_delivery d JOIN events_eventhandler h ON h.id = d.handler_id"
            f" WHERE d.outbox_id = core_outboxevent.id AND d.state IN {OPEN} AND h.pass_secrets)",
            parameters,
        )


def release(held: Iterable[int] = (), *, all_running: bool = False) -> int:
    """Give back deliveries whose worker was killed: all that run, or those whose lease has ended but for `held`."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, attempts, lease_until FROM events_delivery WHERE state = 'running'")
        rows = [
            (id, number)
            for id, number, lease in cursor.fetchall()
            if id not in set(held) and (all_running or lease is None or _moment(lease) < now)
        ]
    error = "It was interrupted: a process of the server ended during this attempt."
    insert(
        "events_attempt",
        ATTEMPT_COLUMNS,
        [(id, number, _adapt(now), None, None, None, None, "", "", error) for id, number in rows],
    )
    execute_each(
        "UPDATE events_delivery SET state = 'retry', due_at = %s, lease_until = NULL WHERE id = %s",
        [(_adapt(now), id) for id, _ in rows],
    )
    return len(rows)


def put_off(made: Sequence[Claim], until: datetime, note: str) -> None:
    """Give back deliveries that were taken and not begun, until a later moment."""
    for attempt in {each.attempt for each in made}:
        condition, ids = among("id", [each.id for each in made if each.attempt == attempt])
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE events_delivery SET state = %s, attempts = %s, due_at = %s, lease_until = NULL, note = %s"
                f" WHERE {condition}",
                ["waiting" if attempt == 1 else "retry", attempt - 1, _adapt(until), note, ids],
            )


def find_stuck() -> list[int]:
    """Parked deliveries with nothing before them any more: what they waited for was removed. Takes no lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT d.id FROM events_delivery d WHERE d.state IN {DUE} AND d.due_at >= %s AND NOT EXISTS"
            " (SELECT 1 FROM events_delivery e WHERE e.handler_id = d.handler_id AND e.object_type = d.object_type"
            f" AND e.object_id = d.object_id AND e.id < d.id AND e.state IN {OPEN} AND NOT e.is_test)",
            [_adapt(PARKED)],
        )
        return [id for (id,) in cursor.fetchall()]


def make_due(deliveries: Sequence[int]) -> None:
    """Let parked deliveries go on."""
    condition, ids = among("id", deliveries)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE events_delivery SET due_at = %s WHERE {condition}", [_adapt(timezone.now()), ids])


def _adapt(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)


def _moment(value: Any) -> datetime:
    """A date and time as a raw statement gives it: SQLite's are text."""
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=PARKED.tzinfo)
