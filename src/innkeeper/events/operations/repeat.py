"""Give a handler an event to try it, or events of the past again."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.db.models import Max
from django.utils import timezone

from innkeeper.core.actor import Actor
from innkeeper.core.errors import AlreadyExists, InvalidValue, NotFound
from innkeeper.core.models import OutboxEvent
from innkeeper.core.operation import Operation
from innkeeper.core.wake import wake
from innkeeper.events.catalogue import EVENTS
from innkeeper.events.models import Delivery, DeliveryState, EventHandler
from innkeeper.events.queries import find_delivery, find_handler, require_administrator
from innkeeper.events.requests import Replay, Replayed

LOOKED_AT = 100_000
"""How far back a test looks for a real event, in rows of the outbox: it keeps no index by event."""


def test_handler(actor: Actor, id: int) -> int:
    """Give a handler the last real event of its kind, or sample values if there is none; the id of the delivery.

    A handler that is switched off can be tested too. Raises NotAllowed, NotFound.
    """
    require_administrator(actor)
    with Operation(actor, "event_handler.test") as operation:
        handler = _locked(actor, id)
        newest = OutboxEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0
        recent = OutboxEvent.objects.filter(event=handler.event, state="dispatched", pk__gt=newest - LOOKED_AT)
        real = recent.order_by("-pk").first()
        now = timezone.now()
        delivery = Delivery.objects.create(
            outbox_id=real.pk if real else None,
            handler=handler,
            replay=_replays(handler, real.pk) + 1 if real else 0,
            is_test=True,
            event=handler.event,
            object_type=EVENTS[handler.event].object_type,
            object_id=real.object_id if real else 0,
            priority=handler.priority,
            due_at=now,
            created_at=now,
        )
        operation.audit("event_handler", handler.pk, handler.event, "test")
        operation.on_commit(wake)
    return delivery.pk


test_handler.__test__ = False  # type: ignore[attr-defined]  # not one of pytest's


def replay(actor: Actor, request: Replay) -> Replayed:
    """Give events of the past to a handler again, in their order, as events with the same ids.

    Raises NotAllowed, NotFound, InvalidValue (neither a delivery nor a range, or a handler of another event), and
    AlreadyExists (others were given again since the caller looked).
    """
    require_administrator(actor)
    if request.delivery_id is not None:
        return _replay_delivery(actor, request.delivery_id, request)
    if request.handler_id is None:
        raise InvalidValue("handler: it is missing. Say which handler is given the events again.", field="handler")
    if request.since is None:
        raise InvalidValue("since: it is missing. Say from when on events are given again.", field="since")
    until = request.until or timezone.now()
    if until <= request.since:
        raise InvalidValue("until: it lies before since. Give a later moment.", field="until")
    with Operation(actor, "event_handler.replay") as operation:
        handler = _locked(actor, request.handler_id)
        newest = _newest(handler, request.known)
        count = _insert_range(handler, request.since, until)
        times = f"{request.since:%Y-%m-%d %H:%M:%S} to {until:%Y-%m-%d %H:%M:%S}"
        operation.audit("event_handler", handler.pk, handler.event, f"{count} events of {times} again")
        operation.on_commit(wake)
    return Replayed(handler, count, newest)


def _replay_delivery(actor: Actor, id: int, request: Replay) -> Replayed:
    with Operation(actor, "event_handler.replay") as operation:
        old = find_delivery(actor, id)
        handler = _locked(actor, old.handler_id if request.handler_id is None else request.handler_id)
        newest = _newest(handler, request.known)
        if handler.event != old.event:
            raise InvalidValue(
                f"handler: {handler.pk} is for {handler.event}, and this delivery is of {old.event}.", field="handler"
            )
        if old.outbox_id is None:
            raise InvalidValue(
                "delivery: this was a test with sample values, of no event. Test the handler again.", field="delivery"
            )
        if not OutboxEvent.objects.filter(pk=old.outbox_id).exists():
            raise NotFound("delivery: its event is older than events are kept, and is gone.", field="delivery")
        now = timezone.now()
        Delivery.objects.create(
            outbox_id=old.outbox_id,
            handler=handler,
            replay=_replays(handler, old.outbox_id) + 1,
            event=old.event,
            object_type=old.object_type,
            object_id=old.object_id,
            priority=handler.priority,
            due_at=now,
            created_at=now,
        )
        operation.audit("event_handler", handler.pk, handler.event, f"delivery {id} again")
        operation.on_commit(wake)
    return Replayed(handler, 1, newest)


def _newest(handler: EventHandler, known: int | None) -> int:
    """The handler's newest repetition, 0 without one. Raises AlreadyExists if it is not the one that is known."""
    found = Delivery.objects.filter(handler=handler, replay__gt=0, is_test=False).order_by("-pk").first()
    newest = found.pk if found else 0
    if known is not None and known != newest:
        raise AlreadyExists(
            "known: events were given to this handler again since you looked. Look at the delivery log, and ask anew.",
            field="known",
        )
    return newest


def _insert_range(handler: EventHandler, since: datetime, until: datetime) -> int:
    """One statement, however many events they are."""
    adapt = connection.ops.adapt_datetimefield_value
    now = adapt(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_delivery (outbox_id, handler_id, replay, is_test, event, object_type, object_id,"
            " priority, state, attempts, due_at, created_at)"
            " SELECT o.id, %s, COALESCE((SELECT MAX(d.replay) FROM events_delivery d"
            " WHERE d.outbox_id = o.id AND d.handler_id = %s), 0) + 1, %s, o.event, o.object_type, o.object_id,"
            " %s, %s, 0, %s, %s FROM core_outboxevent o"
            " WHERE o.event = %s AND o.at >= %s AND o.at < %s AND o.state = 'dispatched' ORDER BY o.id",
            [
                handler.pk, handler.pk, False, handler.priority, DeliveryState.WAITING, now, now, handler.event,
                adapt(since), adapt(until),
            ],
        )  # fmt: skip
        return int(cursor.rowcount)


def _locked(actor: Actor, id: int) -> EventHandler:
    """The handler, locked: numbers of replays are taken under its lock. Raises NotFound."""
    find_handler(actor, id)
    found = EventHandler.objects.select_for_update().filter(pk=id).first()
    return found or find_handler(actor, id)


def _replays(handler: EventHandler, outbox_id: int) -> int:
    found = Delivery.objects.filter(outbox_id=outbox_id, handler=handler)
    return found.aggregate(most=Max("replay"))["most"] or 0
