"""Handlers of events and their deliveries for tests, as rows: a page can show what takes days to come."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from innkeeper.events.catalogue import EVENTS
from innkeeper.events.models import Attempt, Delivery, EventHandler
from tests.events.handler_world import SCRIPT, happened

COMMAND = f'"{SCRIPT}" <new_contact_name> <new_login_name>'


def make_handler(event: str = "client_create", **values: Any) -> EventHandler:
    """A handler with the command of the guide's example."""
    now = timezone.now()
    limits = {"timeout_s": 300, "memory_mb": 512, "output_kb": 64, "open_files": 256}
    return EventHandler.objects.create(
        event=event, **{"user": "handlers", "command": COMMAND, "created_at": now, "updated_at": now} | limits | values
    )


def make_delivery(handler: EventHandler, state: str = "done", **values: Any) -> Delivery:
    """A delivery of an event to a handler; the event is made too, unless `outbox_id` names one."""
    now = timezone.now()
    row = {
        "outbox_id": None if "outbox_id" in values else happened(handler.event).pk, "event": handler.event,
        "object_type": EVENTS[handler.event].object_type, "object_id": 5, "priority": handler.priority, "state": state,
        "attempts": 1, "due_at": now, "created_at": now,
    } | values  # fmt: skip
    return Delivery.objects.create(handler=handler, **row)


def make_attempt(delivery: Delivery, **values: Any) -> Attempt:
    """One attempt, which went well."""
    row = {"number": 1, "started_at": timezone.now(), "duration_ms": 12, "exit_status": 0} | values
    return Attempt.objects.create(delivery=delivery, **row)
