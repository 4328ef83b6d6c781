"""Panel sessions as others see them: the list of those that are open, ending one, and offering one to a browser.

An offer is a row among the sessions, found by a token, that is nobody's session yet: a browser that brings the token in
time and from the right address gets a session of its own in its place. In lists, the offer and its session have the
token as their id; it is sealed, because the mail daemons' group can read the embedded database.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from innkeeper.accounts.visits import record_end, record_login, record_offer
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import AccountDisabled, NotFound
from innkeeper.core.sealing import CannotUnsealError, seal, unseal
from innkeeper.core.serversettings import session_idle_minutes
from innkeeper.doors.panel.sessions import SessionStore
from innkeeper.doors.panel.visitor import (
    ADDRESS,
    LOGIN,
    SEEN,
    STARTED,
    WHO,
    client_address,
    open_session,
    visitor_of,
)

OFFER_SECONDS = 300
OFFER, TOKEN = "offer", "token"


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session, or an offer of one. `key` is how its row is found."""

    key: str
    id: str
    kind: ActorKind
    account_id: int
    login: str
    address: str
    started: datetime
    seen: datetime


def open_sessions() -> Iterator[OpenSession]:
    """Every session that has not idled too long, and every offer."""
    now, idle = time.time(), session_idle_minutes() * 60
    store = SessionStore()
    for row in Session.objects.filter(expire_date__gt=timezone.now()).order_by("session_key").iterator(500):
        data = store.decode(row.session_data)
        who = data.get(WHO) or data.get(OFFER, {}).get(WHO)
        if who and (OFFER in data or now - data.get(SEEN, 0) <= idle):
            yield OpenSession(
                key=row.session_key,
                id=_id(row.session_key, data),
                kind=ActorKind(who[0]),
                account_id=who[1],
                login=data.get(LOGIN, ""),
                address=data.get(ADDRESS, ""),
                started=datetime.fromtimestamp(data.get(STARTED, 0), UTC),
                seen=datetime.fromtimestamp(data.get(SEEN, 0), UTC),
            )


def _id(key: str, data: dict[str, Any]) -> str:
    try:
        return unseal(bytes.fromhex(data[TOKEN])) if TOKEN in data else key
    except CannotUnsealError:
        return key


def end_session(actor: Actor, session_id: str) -> None:
    """End a session, or take an offer back. Raises NotFound, NotAllowed."""
    for found in open_sessions():
        if found.id == session_id:
            with transaction.atomic():
                record_end(actor, found.account_id, found.login)
                Session.objects.filter(session_key=found.key).delete()
            return
    raise NotFound("Session does not exist")


def offer_session(actor: Actor, login: str, address: str, target: str) -> str:
    """The token by which a browser at an address gets a session of an account, for some minutes and once.

    `target` is the page that it starts with. Raises NotFound, AccountDisabled.
    """
    with transaction.atomic():
        account = record_offer(actor, login)
        visitor = visitor_of(ActorKind(account.kind), account.pk, address)
        if visitor is None:
            raise AccountDisabled(f"The account {login} may not use the panel now.")
        store = SessionStore()
        store.create()
        now, token = int(time.time()), store.session_key or ""
        store[OFFER] = {WHO: [account.kind, account.pk, visitor.fingerprint], "target": target}
        store[TOKEN] = seal(token).hex()
        store[LOGIN], store[ADDRESS], store[STARTED], store[SEEN] = account.login, address, now, now
        store.set_expiry(OFFER_SECONDS)
        store.save_or_raise()
    return token


def take_offer(request: HttpRequest, token: str) -> str | None:
    """Open the session that a token stands for: the page to begin with, or None if it stands for none here and now."""
    store = SessionStore(token)
    data = store.load()
    offer = data.get(OFFER)
    address = client_address(request)
    if offer is None or not _same_address(address, data[ADDRESS]):
        return None
    # Of two that come at once, one finds the row gone.
    if not store.take():
        return None
    kind, account_id, fingerprint = offer[WHO]
    visitor = visitor_of(ActorKind(kind), account_id, address)
    if visitor is None or not constant_time_compare(visitor.fingerprint, fingerprint):
        return None
    open_session(request, visitor, record_login(visitor.actor, visitor.name))
    request.session[TOKEN] = data[TOKEN]
    return str(offer["target"])


def _same_address(one: str, other: str) -> bool:
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return False
