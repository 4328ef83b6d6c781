"""What there is to see of events: handlers, their deliveries, and the catalogue in groups.

All of it is the administrator's; whoever else asks is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from innkeeper.core.actor import Actor
from innkeeper.core.errors import InvalidValue, NotAllowed, NotFound
from innkeeper.events.catalogue import event as find_event
from innkeeper.events.groups import catalogue_groups
from innkeeper.events.models import Attempt, Delivery, DeliveryState, EventHandler
from innkeeper.events.samples import sample
from innkeeper.events.system import allowed_users

if TYPE_CHECKING:
    from django.db.models import QuerySet

__all__ = [
    "attempts", "catalogue_groups", "deliveries", "find_delivery", "find_event", "find_handler", "handler_users",
    "require_administrator", "sample", "visible_handlers",
]  # fmt: skip

BIGGEST_ID = 2**63 - 1
PAGE = 100


def require_administrator(actor: Actor) -> None:
    """Raises NotAllowed for everybody else."""
    if not actor.is_administrator:
        raise NotAllowed("Permission denied: event handlers are the administrator's.")


def visible_handlers(actor: Actor) -> QuerySet[EventHandler]:
    """All handlers by event, in the order in which they run. Raises NotAllowed."""
    require_administrator(actor)
    return EventHandler.objects.order_by("event", "-priority", "pk")


def find_handler(actor: Actor, id: int) -> EventHandler:
    """One handler. Raises NotAllowed, NotFound."""
    found = visible_handlers(actor).filter(pk=id).first() if 0 < id <= BIGGEST_ID else None
    if found is None:
        raise NotFound(f"id: there is no event handler {id}. The list of handlers shows their ids.", field="id")
    return found


def deliveries(
    actor: Actor,
    *,
    handler: int | None = None,
    event: str = "",
    since: datetime | None = None,
    state: str = "",
    after: int | None = None,
    limit: int = PAGE,
) -> Sequence[Delivery]:
    """A page of deliveries, the latest first; `after` is the id of the last one of the page before.

    Raises NotAllowed, NotFound (no such event), InvalidValue (no such state).
    """
    require_administrator(actor)
    found = Delivery.objects.select_related("handler").order_by("-pk")
    if handler is not None:
        found = found.filter(handler=handler if 0 < handler <= BIGGEST_ID else 0)
    if event:
        found = found.filter(event=find_event(event).name)
    if since is not None:
        found = found.filter(created_at__gte=since)
    if state:
        if state not in DeliveryState.values:
            raise InvalidValue(
                f"state: {state!r} is none of {', '.join(DeliveryState.values)}. Use one of them.", field="state"
            )
        found = found.filter(state=state)
    if after is not None:
        found = found.filter(pk__lt=max(0, min(after, BIGGEST_ID)))
    return list(found[:limit])


def find_delivery(actor: Actor, id: int) -> Delivery:
    """One delivery. Raises NotAllowed, NotFound."""
    require_administrator(actor)
    found = Delivery.objects.select_related("handler").filter(pk=id).first() if 0 < id <= BIGGEST_ID else None
    if found is None:
        raise NotFound(f"delivery: there is none with the id {id}. The delivery log shows the ids.", field="delivery")
    return found


def attempts(delivery: Delivery) -> QuerySet[Attempt]:
    """The attempts of a delivery, the first first."""
    return delivery.tries.order_by("number")


def handler_users(actor: Actor) -> list[str]:
    """The system users that a command may run as. Raises NotAllowed, Failed (the service that decides is away)."""
    require_administrator(actor)
    return allowed_users()
