"""How long events and their deliveries are kept."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from innkeeper.core.actor import Actor
from innkeeper.core.models import OutboxEvent, Setting
from innkeeper.core.operation import Operation
from innkeeper.core.serversettings import check_settings, read_setting, write_settings
from innkeeper.events.log import READ_UP_TO
from innkeeper.events.models import OPEN_STATES, Attempt, Delivery
from innkeeper.events.queries import require_administrator

SETTING = "event_retention_days"
WINDOW = 2_000
"""Rows looked at in one transaction: no operation waits for long."""


def set_retention(actor: Actor, days: str) -> None:
    """Keep events, their deliveries and captured output for so many days. Raises NotAllowed, InvalidValue."""
    require_administrator(actor)
    checked = check_settings({SETTING: days})
    with Operation(actor, "event_handler.retention") as operation:
        write_settings(operation, checked)


def remove_old() -> int:
    """Remove deliveries that ended, and events that nobody waits for, once their time is over; how many events.

    Rows are looked at from the oldest on, until a window of them holds none that is old enough to go.
    """
    before = timezone.now() - timedelta(days=int(read_setting(SETTING)))
    last = 0
    while window := list(Delivery.objects.filter(pk__gt=last).order_by("pk").values_list(*_DELIVERY)[:WINDOW]):
        last = window[-1][0]
        if not any(created < before for _, created, _, _ in window):
            break
        old = [pk for pk, _, finished, state in window if finished and finished < before and state not in OPEN_STATES]
        with transaction.atomic():
            Attempt.objects.filter(delivery__in=old).delete()
            Delivery.objects.filter(pk__in=old).delete()
    last = removed = 0
    events = OutboxEvent.objects.order_by("pk").values_list("pk", "at", "state")
    while rows := list(events.filter(pk__gt=last)[:WINDOW]):
        last = rows[-1][0]
        old = [pk for pk, at, state in rows if at < before and state == "dispatched"]
        if not any(at < before for _, at, _ in rows):
            break
        with transaction.atomic():
            waited_for = Delivery.objects.filter(outbox_id__in=old, state__in=OPEN_STATES).values("outbox_id")
            removed += OutboxEvent.objects.filter(pk__in=old).exclude(pk__in=waited_for).delete()[0]
    return removed


_DELIVERY = ("pk", "created_at", "finished_at", "state")


def empty_log(actor: Actor, number: int) -> None:
    """Show events up to that number no longer in the log of actions. Raises NotAllowed.

    The events stay until their time is over: handlers that have yet to get them, and replays, need them.
    """
    require_administrator(actor)
    with Operation(actor, "event_log.empty") as operation:
        Setting.objects.update_or_create(name=READ_UP_TO, defaults={"value": str(number)})
        operation.audit("event_log", 0, "event_log", f"up to {number}")
