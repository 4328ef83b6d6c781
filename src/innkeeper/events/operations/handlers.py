"""Create, change, switch and remove handlers.

Programs and users are looked at before the transaction opens: hostd must not be waited for under the writer's lock.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import fields

from django.db import connection
from django.utils import timezone

from innkeeper.core.actor import Actor
from innkeeper.core.db.sets import among
from innkeeper.core.errors import Failed, InvalidValue, NotFound, Refused
from innkeeper.core.events import EventType
from innkeeper.core.operation import Operation, Outcome
from innkeeper.core.sealing import seal
from innkeeper.core.wake import wake
from innkeeper.events.catalogue import event as find_event
from innkeeper.events.models import Delivery, DeliveryState, EventHandler, HandlerKind
from innkeeper.events.operations.checks import check_target, check_values
from innkeeper.events.operations.secret_events import refresh_secret_events
from innkeeper.events.queries import BIGGEST_ID, find_handler, require_administrator
from innkeeper.events.requests import HandlerChanges, NewHandler, Saved
from innkeeper.events.webhook import SECRET_PREFIX

OBJECT = "event_handler"
SECRET_BYTES = 32


def create_handler(actor: Actor, request: NewHandler) -> Saved:
    """Attach a command or a webhook to an event. Raises NotAllowed, NotFound (event), InvalidValue, Failed."""
    require_administrator(actor)
    if request.kind not in HandlerKind.values:
        raise InvalidValue(f"kind: {request.kind!r} is neither command nor webhook.", field="kind")
    event = find_event(request.event)
    row = EventHandler(**{each.name: getattr(request, each.name) for each in fields(NewHandler)})
    row.event = event.name
    warnings = _checked(row, event)
    secret = _new_secret(row) if row.kind == HandlerKind.WEBHOOK else ""
    with Operation(actor, "event_handler.create") as operation:
        row.created_at = row.updated_at = timezone.now()
        row.save()
        refresh_secret_events()
        operation.audit(OBJECT, row.pk, row.event, _described(row))
    return Saved(row, warnings, secret)


def update_handler(actor: Actor, id: int, changes: HandlerChanges) -> Saved:
    """Change a handler. What waits for it under another event is cancelled when its event changes.

    Raises NotAllowed, NotFound (handler, event), InvalidValue, Failed.
    """
    row = find_handler(actor, id)
    before, read_at = row.event, row.updated_at
    given = {each.name: getattr(changes, each.name) for each in fields(HandlerChanges)}
    changed = [name for name, value in given.items() if value is not None and name != "new_secret"]
    for name in changed:
        setattr(row, name, given[name])
    event = find_event(row.event)
    row.event = event.name
    if changes.new_secret and row.kind != HandlerKind.WEBHOOK:
        raise InvalidValue("new_secret: a command handler signs nothing. Leave it out.", field="new_secret")
    warnings = _checked(row, event)
    secret = _new_secret(row) if changes.new_secret else ""
    with Operation(actor, "event_handler.update") as operation:
        row.updated_at = timezone.now()
        # Only what was asked for is written: the deliveries keep figures of their own in the row.
        names = [*changed, "user", "updated_at", *(["sealed_secret"] if secret else [])]
        values = {name: getattr(row, name) for name in names}
        if not EventHandler.objects.filter(pk=row.pk, updated_at=read_at).update(**values):
            find_handler(actor, row.pk)
            raise Failed("Somebody else changed this handler at the same moment. Look at it, and try again.")
        if row.event != before and (count := _cancel(row)):
            warnings += (f"{count} deliveries of {before} that waited for this handler were cancelled.",)
        refresh_secret_events()
        operation.on_commit(wake)
        operation.audit(OBJECT, row.pk, row.event, _described(row))
    row.refresh_from_db()
    return Saved(row, warnings, secret)


def remove_handlers(actor: Actor, ids: Sequence[int]) -> list[Outcome[int]]:
    """Remove handlers with their delivery logs. What runs at that moment ends by itself. Raises NotAllowed."""
    with Operation(actor, "event_handler.remove") as operation:
        rows = _locked(actor, ids)
        for row in rows.values():
            operation.audit(OBJECT, row.pk, row.event, _described(row))
        # In sets: a log may hold a hundred thousand rows, which Django would load to remove them.
        handler, found = among("handler_id", list(rows))
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM events_attempt WHERE delivery_id IN (SELECT id FROM events_delivery WHERE {handler})",
                [found],
            )
            cursor.execute(f"DELETE FROM events_delivery WHERE {handler}", [found])
            condition, found = among("id", list(rows))
            cursor.execute(f"DELETE FROM events_eventhandler WHERE {condition}", [found])
        refresh_secret_events()
    return _outcomes(ids, rows)


def set_enabled(actor: Actor, ids: Sequence[int], enabled: bool) -> list[Outcome[int]]:
    """Switch handlers on or off. Off, a handler is given no new event, and what waits for it goes on waiting.

    Raises NotAllowed.
    """
    with Operation(actor, "event_handler.enable" if enabled else "event_handler.disable") as operation:
        rows = _locked(actor, ids)
        for row in rows.values():
            if row.enabled != enabled:
                operation.audit(OBJECT, row.pk, row.event, "switched on" if enabled else "switched off")
        EventHandler.objects.filter(pk__in=list(rows)).update(enabled=enabled, updated_at=timezone.now())
        refresh_secret_events()
        operation.on_commit(wake)
    return _outcomes(ids, rows)


def resume_handler(actor: Actor, id: int) -> EventHandler:
    """Let a handler go on that was paused because it kept failing. Raises NotAllowed, NotFound."""
    with Operation(actor, "event_handler.resume") as operation:
        rows = _locked(actor, [id])
        if id not in rows:
            raise _missing(id)
        row = rows[id]
        row.paused_at, row.pause_reason, row.failures = None, "", 0
        row.save(update_fields=["paused_at", "pause_reason", "failures"])
        operation.audit(OBJECT, row.pk, row.event, "resumed")
        operation.on_commit(wake)
    return row


def _checked(row: EventHandler, event: EventType) -> tuple[str, ...]:
    check_values(row)
    warnings = check_target(row, event)
    if row.pass_secrets and not any(each.secret for each in event.parameters):
        warnings += (f"{event.name} has no password, so there is none to pass.",)
    return warnings


def _new_secret(row: EventHandler) -> str:
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    row.sealed_secret = seal(secret)
    return secret


def _locked(actor: Actor, ids: Sequence[int]) -> dict[int, EventHandler]:
    require_administrator(actor)
    wanted = sorted({id for id in ids if 0 < id <= BIGGEST_ID})
    return {row.pk: row for row in EventHandler.objects.select_for_update().filter(pk__in=wanted).order_by("pk")}


def _outcomes(ids: Sequence[int], rows: dict[int, EventHandler]) -> list[Outcome[int]]:
    return [Outcome(id, None if id in rows else _missing(id)) for id in dict.fromkeys(ids)]


def _missing(id: int) -> Refused:
    return NotFound(f"id: there is no event handler {id}. The list of handlers shows their ids.", field="id")


def _cancel(row: EventHandler) -> int:
    waiting = Delivery.objects.filter(handler=row, state__in=[DeliveryState.WAITING, DeliveryState.RETRY])
    return waiting.exclude(event=row.event).update(state=DeliveryState.CANCELLED, finished_at=timezone.now())


def _described(row: EventHandler) -> str:
    """For the audit. What stands behind a path or an address may be a token, and is left out."""
    if row.kind == HandlerKind.WEBHOOK:
        return f"webhook, priority {row.priority}"
    return f"command as {row.user}, priority {row.priority}"
