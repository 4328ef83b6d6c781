"""How long events and their deliveries are kept."""

from __future__ import annotations

from innkeeper.core.actor import Actor
from innkeeper.core.operation import Operation
from innkeeper.core.serversettings import check_settings, write_settings
from innkeeper.events.queries import require_administrator

SETTING = "event_retention_days"


def set_retention(actor: Actor, days: str) -> None:
    """Keep events, their deliveries and captured output for so many days. Raises NotAllowed, InvalidValue."""
    require_administrator(actor)
    checked = check_settings({SETTING: days})
    with Operation(actor, "event_handler.retention") as operation:
        write_settings(operation, checked)
