"""Log-ins to the panel and log-outs, as operations: what they record."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from innkeeper.accounts.events import CP_USER_LOGIN, CP_USER_LOGOUT
from innkeeper.accounts.models import Account, LatestLogin
from innkeeper.accounts.queries import named, visible_accounts
from innkeeper.core.actor import Actor
from innkeeper.core.errors import AccountDisabled, NotAllowed, NotFound
from innkeeper.core.events import EventType
from innkeeper.core.operation import Operation


def record_login(actor: Actor, contact_name: str) -> str:
    """Record that the actor logged in to the panel; the mark of the session that begins, the latest from now on."""
    mark = secrets.token_hex(16)
    with _recorded(actor, "session.open", CP_USER_LOGIN, contact_name):
        LatestLogin.objects.update_or_create(
            kind=actor.kind.value, account_id=actor.account_id, defaults={"mark": mark}
        )
    return mark


def is_latest(actor: Actor, mark: str) -> bool:
    """Whether nobody logged in as the actor after the session of that mark began."""
    return LatestLogin.objects.filter(kind=actor.kind.value, account_id=actor.account_id, mark=mark).exists()


def record_offer(actor: Actor, login: str) -> Account:
    """Record that the actor offers a panel session of an account in its scope; the account.

    Raises NotFound, AccountDisabled.
    """
    account = named(visible_accounts(actor), login=login).first()
    if account is None:
        raise NotFound("User does not exist")
    if account.status:
        raise AccountDisabled(f"The account {account.login} is suspended.")
    with Operation(actor, "session.offer") as operation:
        operation.audit("session", account.pk, account.login)
    return account


def record_end(actor: Actor, account_id: int, login: str) -> None:
    """Record that the administrator ends somebody's session. Raises NotAllowed."""
    if not actor.is_administrator:
        raise NotAllowed("Permission denied: sessions are ended by the administrator.")
    with Operation(actor, "session.end") as operation:
        operation.audit("session", account_id, login)


def record_logout(actor: Actor, contact_name: str) -> None:
    """Record that the actor logged out of the panel."""
    with _recorded(actor, "session.close", CP_USER_LOGOUT, contact_name):
        pass


@contextmanager
def _recorded(actor: Actor, operation: str, event: EventType, contact_name: str) -> Iterator[None]:
    names = {"contact_name": contact_name}
    with Operation(actor, operation) as op:
        op.audit("session", actor.account_id, actor.login)
        op.event(event, actor.account_id, old=names, new=names)
        yield
