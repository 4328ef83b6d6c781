"""Log-ins to the panel and log-outs, as operations: what they record."""

from __future__ import annotations

from innkeeper.accounts.events import CP_USER_LOGIN, CP_USER_LOGOUT
from innkeeper.core.actor import Actor
from innkeeper.core.events import EventType
from innkeeper.core.operation import Operation


def record_login(actor: Actor, contact_name: str) -> None:
    """Record that the actor logged in to the panel."""
    _record(actor, "session.open", CP_USER_LOGIN, contact_name)


def record_logout(actor: Actor, contact_name: str) -> None:
    """Record that the actor logged out of the panel."""
    _record(actor, "session.close", CP_USER_LOGOUT, contact_name)


def _record(actor: Actor, operation: str, event: EventType, contact_name: str) -> None:
    names = {"contact_name": contact_name}
    with Operation(actor, operation) as op:
        op.audit("session", actor.account_id, actor.login)
        op.event(event, actor.account_id, old=names, new=names)
