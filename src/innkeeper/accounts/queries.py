"""Which accounts a caller may see, and how a caller names one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q
from django.db.models.functions import Lower

from innkeeper.accounts.authentication import key_hash
from innkeeper.accounts.models import Account, SecretKey
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import NotFound, OwnerNotFound

if TYPE_CHECKING:
    from django.db.models import QuerySet

BIGGEST_ID = 2**63 - 1


def visible_accounts(actor: Actor) -> QuerySet[Account]:
    """The accounts in the caller's scope: all, a reseller and its customers, or the caller alone."""
    if actor.is_administrator:
        return Account.objects.all()
    if actor.kind is ActorKind.RESELLER:
        return Account.objects.filter(Q(pk=actor.account_id) | Q(owner_id=actor.account_id))
    if actor.kind is ActorKind.CUSTOMER:
        return Account.objects.filter(pk=actor.account_id)
    return Account.objects.none()


def visible_customers(actor: Actor) -> QuerySet[Account]:
    """The customers among them."""
    return visible_accounts(actor).filter(kind=Account.Kind.CUSTOMER)


def named(
    accounts: QuerySet[Account],
    *,
    id: int | None = None,
    login: str | None = None,
    guid: str | None = None,
    external_id: str | None = None,
) -> QuerySet[Account]:
    """Those of the accounts that have the given key. Logins and GUIDs are compared without case."""
    if id is not None:
        return accounts.filter(pk=id) if 0 < id <= BIGGEST_ID else accounts.none()
    if login is not None:
        return accounts.alias(folded=Lower("login")).filter(folded=login.lower())
    if guid is not None:
        return accounts.filter(guid=guid.lower())
    return accounts.filter(external_id=external_id)


def find_customer(actor: Actor, *, id: int | None = None, login: str | None = None, guid: str | None = None) -> Account:
    """One customer in the caller's scope. Raises NotFound."""
    found = named(visible_customers(actor), id=id, login=login, guid=guid).first()
    if found is None:
        raise NotFound("client does not exist")
    return found


def find_owner(
    actor: Actor,
    *,
    id: int | None = None,
    login: str | None = None,
    guid: str | None = None,
    external_id: str | None = None,
) -> Account:
    """The account that an owner reference names, in the caller's scope. Raises OwnerNotFound."""
    # An external id is unique per kind of account only: a customer's own comes first.
    candidates = named(visible_accounts(actor), id=id, login=login, guid=guid, external_id=external_id)
    found = candidates.order_by("kind", "pk")[:3]
    by_kind = {account.kind: account for account in found}
    for kind in (Account.Kind.CUSTOMER, Account.Kind.RESELLER, Account.Kind.ADMINISTRATOR):
        if kind in by_kind:
            return by_kind[kind]
    raise OwnerNotFound("Owner does not exist")


def the_administrator() -> Actor | None:
    """In whose name scheduled work acts; None before there is one."""
    account = Account.objects.filter(kind=Account.Kind.ADMINISTRATOR).first()
    return None if account is None else Actor(ActorKind.ADMINISTRATOR, account.pk, account.login)


def visible_keys(actor: Actor) -> QuerySet[SecretKey]:
    """Secret keys: the administrator sees all, nobody else any."""
    keys = SecretKey.objects.select_related("account").order_by("pk")
    return keys if actor.is_administrator else keys.none()


def find_key(actor: Actor, key: str) -> SecretKey:
    """The secret key of that text or that id. Raises NotFound."""
    keys = visible_keys(actor)
    found = keys.filter(key_hash=key_hash(key)).first()
    if found is None and key.isascii() and key.isdigit() and 0 < int(key) <= BIGGEST_ID:
        found = keys.filter(pk=int(key)).first()
    if found is None:
        raise NotFound("Secret key does not exist")
    return found
