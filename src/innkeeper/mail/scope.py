"""Which sites an actor sees, as a condition for hand-written SQL."""

from __future__ import annotations

from typing import Any

from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import NotFound

SITE_WITH_OWNER = (
    "hosting_site s JOIN hosting_webspace w ON w.site_id = s.webspace_id JOIN accounts_account o ON o.id = w.owner_id"
)
"""The tables that `visible` speaks of: s the site, w its webspace, o the webspace's owner."""


def visible(actor: Actor) -> tuple[str, list[Any]]:
    """The condition, and its parameters, that keeps the sites of the actor's scope."""
    match actor.kind:
        case ActorKind.ADMINISTRATOR:
            return "TRUE", []
        case ActorKind.RESELLER:
            return "(w.owner_id = %s OR o.owner_id = %s)", [actor.account_id, actor.account_id]
        case ActorKind.CUSTOMER:
            return "w.owner_id = %s", [actor.account_id]
        case ActorKind.MAIL_USER:
            return "s.id = (SELECT own.site_id FROM mail_mailaccount own WHERE own.id = %s)", [actor.account_id]


def site_not_found() -> NotFound:
    """The one answer for a site that is not there and for one of somebody else."""
    return NotFound("Site does not exist.", field="site-id")


def account_not_found(name: str) -> NotFound:
    """The one answer for an account that is not there."""
    return NotFound(f"The mail name {name} does not exist.", field="name")
