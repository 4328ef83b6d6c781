"""How long events and their deliveries are kept."""

from __future__ import annotations

from innkeeper.core.actor import Actor
from innkeeper.core.models import Setting
from innkeeper.core.operation import Operation
from innkeeper.core.serversettings import check_settings, write_settings
from innkeeper.events.log import READ_UP_TO
from innkeeper.events.queries import require_administrator

SETTING = "event_retention_days"


def set_retention(actor: Actor, days: str) -> None:
    """Keep events, their deliveries and captured output for so many days. Raises NotAllowed, InvalidValue."""
    require_administrator(actor)
    checked = check_settings({SETTING: days})
    with Operation(actor, "event_handler.retention") as operation:
        write_settings(operation, checked)


def empty_log(actor: Actor, number: int) -> None:
    """Show events up to that number no longer in the log of actions. Raises NotAllowed.

    The events stay until their time is over: handlers that have yet to get them, and replays, need them.
    """
    require_administrator(actor)
    with Operation(actor, "event_log.empty") as operation:
        Setting.objects.update_or_create(name=READ_UP_TO, defaults={"value": str(number)})
        operation.audit("event_log", 0, "event_log", f"up to {number}")
