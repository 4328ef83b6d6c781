"""Who may act at all: log-ins by password and by secret key, and the throttle of failures."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import threading
import time
from datetime import timedelta
from functools import cache
from typing import NamedTuple

from django.db.models import F
from django.utils import timezone

from innkeeper.accounts.models import Account, LoginFailure
from innkeeper.core.actor import Actor, ActorKind, Door
from innkeeper.core.db.statements import execute
from innkeeper.core.errors import AccountDisabled, AuthenticationFailed, KeyRefused, LoginLocked, NotAllowed
from innkeeper.core.passwords import hash_login, verify_login

FAILURES_BEFORE_LOCK = 10
LOCK = timedelta(minutes=5)
FAILURE_MEMORY = timedelta(minutes=30)
VERIFIED_SECONDS = 60.0
VERIFIED_ENTRIES = 10_000

# ARGON2ID takes 64 MiB and a core for a tenth of a second: more than two at once would starve everybody else.
_verifications = threading.BoundedSemaphore(2)
_verified_key = os.urandom(32)
_verified: dict[bytes, float] = {}
_verified_lock = threading.Lock()


class Caller(NamedTuple):
    """What decides whether an authenticated account may act."""

    kind: str
    account_id: int
    login: str
    status: int
    may_use_api: bool


def key_hash(key: str) -> str:
    """How a secret key is stored. Keys are random, so a plain digest is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


def authenticate_password(login: str, password: str, address: str, door: Door) -> Actor:
    """The actor that a login and its password name.

    Failures are counted by login and address together, so that nobody locks another address out.
    Raises LoginLocked, AuthenticationFailed, AccountDisabled; at the XML door NotAllowed without API access.
    """
    folded = login.lower()
    refuse_locked(folded, address)
    account = _account_by_login(folded)
    if account is None:
        with _verifications:
            verify_login(password, _decoy())
    if account is None or not _password_matches(account, password):
        count_failure(folded, address)
        raise AuthenticationFailed("Wrong user name or password.")
    caller = Caller(account.kind, account.pk, account.login, account.status, account.may_use_api)
    return _actor(caller, address, door)


def authenticate_key(key: str, address: str) -> Actor:
    """The actor that a secret key names, if the request comes from an address that it is bound to.

    Raises KeyRefused, AccountDisabled, NotAllowed.
    """
    # By hand: each request with a key pays for this look-up, and building the ORM's query costs ten times its run.
    rows = execute(
        "SELECT k.addresses, a.kind, a.id, a.login, a.status, a.may_use_api FROM accounts_secretkey k"
        " JOIN accounts_account a ON a.id = k.account_id WHERE k.key_hash = %s",
        [key_hash(key)],
        by_key=True,
    )
    if not rows or not _bound_to(rows[0][0], address):
        raise KeyRefused("The secret key is unknown, or may not be used from this address.")
    return _actor(Caller(*rows[0][1:]), address, Door.XML)


def _account_by_login(folded: str) -> Account | None:
    # Raw condition: the unique index is on LOWER(login).
    return Account.objects.extra(where=["LOWER(login) = %s"], params=[folded]).first()


@cache
def _decoy() -> str:
    """A hash that nothing matches, verified in place of a missing account's so that both take the same time."""
    return hash_login(os.urandom(16).hex())


def _password_matches(account: Account, password: str) -> bool:
    # The stored hash is part of the key: a changed password forgets the old one in every process at once.
    digest = hmac.digest(_verified_key, f"{account.pk}\0{account.password}\0{password}".encode(), "sha256")
    now = time.monotonic()
    with _verified_lock:
        if _verified.get(digest, 0.0) > now:
            return True
    with _verifications:
        matches = verify_login(password, account.password)
    if matches:
        with _verified_lock:
            if len(_verified) >= VERIFIED_ENTRIES:
                _verified.clear()
            _verified[digest] = now + VERIFIED_SECONDS
    return matches


def refuse_locked(login: str, address: str) -> None:
    """Refuse a log-in from an address that failed too often with this login. Raises LoginLocked."""
    now = timezone.now()
    if LoginFailure.objects.filter(login=login[:320], address=address, locked_until__gt=now).exists():
        raise LoginLocked("Too many failed log-ins from this address. Wait a few minutes and try again.")


def count_failure(login: str, address: str) -> None:
    """Remember a failed log-in of one login from one address; after several the pair is locked for a while."""
    now = timezone.now()
    login = login[:320]
    LoginFailure.objects.filter(last_at__lt=now - FAILURE_MEMORY).delete()
    row, created = LoginFailure.objects.get_or_create(
        login=login, address=address, defaults={"failures": 1, "last_at": now}
    )
    if created:
        return
    LoginFailure.objects.filter(pk=row.pk).update(failures=F("failures") + 1, last_at=now)
    LoginFailure.objects.filter(pk=row.pk, failures__gte=FAILURES_BEFORE_LOCK).update(
        failures=0, locked_until=now + LOCK
    )


def _bound_to(addresses: str, address: str) -> bool:
    bound = addresses.split(",")
    if address and address in bound:
        return True
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ipaddress.ip_address(other) == client for other in bound if other)


def _actor(caller: Caller, address: str, door: Door) -> Actor:
    if caller.status:
        raise AccountDisabled("This account is suspended.")
    kind = ActorKind(caller.kind)
    if door is Door.XML and not caller.may_use_api and kind is not ActorKind.ADMINISTRATOR:
        raise NotAllowed("This account may not use the XML API. Ask the provider for the permission.")
    return Actor(kind, caller.account_id, caller.login, address, door)
