"""Create, change, suspend and remove customers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import IntegrityError
from django.utils import timezone

from innkeeper.accounts import contact, events
from innkeeper.accounts.models import Account, new_guid
from innkeeper.accounts.queries import find_customer, named
from innkeeper.core import names, passwords, status
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import AlreadyExists, NotAllowed, OwnerNotFound
from innkeeper.core.operation import Operation, is_planning

# What a customer may change of its own account.
OWN_FIELDS = frozenset(contact.LENGTHS) - {"external_id", "description"}


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """A customer to create. `contact` takes the fields of `contact.LENGTHS`; `owner_id` None is the caller."""

    login: str
    password: str = field(repr=False)
    contact: Mapping[str, str]
    owner_id: int | None = None
    status: int = 0


@dataclass(frozen=True, slots=True)
class CustomerChanges:
    """What to change of a customer; None leaves a thing as it is."""

    contact: Mapping[str, str] = field(default_factory=dict)
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    status: int | None = None
    new_guid: bool = False


def hash_password(password: str, login: str) -> str:
    """The stored form of a panel password that fulfils the policy. A plan never hashes."""
    passwords.check(password, login, field="passwd")
    return "" if is_planning() else passwords.hash_login(password)


def create_customer(actor: Actor, request: NewCustomer) -> Account:
    """Create a customer below the caller, or below the reseller that an administrator names.

    Raises NotAllowed, OwnerNotFound, InvalidValue, WrongStatus, AlreadyExists.
    """
    if actor.kind not in (ActorKind.ADMINISTRATOR, ActorKind.RESELLER):
        raise NotAllowed("Permission denied: only the administrator and resellers create customers.")
    owner_id = actor.account_id if request.owner_id is None else request.owner_id
    owner = Account.objects.filter(pk=owner_id).exclude(kind=Account.Kind.CUSTOMER).first()
    if owner is None or not (actor.is_administrator or owner.pk == actor.account_id):
        raise OwnerNotFound("Owner does not exist")
    values = contact.clean({"contact_name": "", **request.contact})
    account = Account(
        kind=Account.Kind.CUSTOMER,
        login=names.login(request.login),
        password=hash_password(request.password, request.login),
        owner=owner,
        status=status.requested(actor, status.ACTIVE, request.status),
        created_at=timezone.now(),
        **(values | {"external_id": values.get("external_id") or None, "locale": values.get("locale") or "en"}),
    )
    if owner.status:
        account.status |= status.INHERITED
    with Operation(actor, "customer.create") as operation:
        _require_free(account)
        _store(account)
        operation.audit("client", account.pk, account.login)
        operation.event(
            events.CLIENT_CREATE, account.pk, new=events.described(account), secrets={"password": request.password}
        )
    return account


def update_customer(actor: Actor, customer_id: int, changes: CustomerChanges) -> Account:
    """Change a customer's data. A customer changes its own contact data, password and language alone.

    Raises NotFound, NotAllowed, InvalidValue, WrongStatus, AlreadyExists.
    """
    customer = find_customer(actor, id=customer_id)
    if actor.kind is ActorKind.CUSTOMER and (
        changes.login is not None
        or changes.status is not None
        or changes.new_guid
        or not OWN_FIELDS.issuperset(changes.contact)
    ):
        raise NotAllowed("Permission denied: ask your provider to change login, status, identifiers or description.")
    values = contact.clean(changes.contact)
    login = customer.login if changes.login is None else names.login(changes.login)
    new_hash = None if changes.password is None else hash_password(changes.password, login)
    with Operation(actor, "customer.update") as operation:
        _lock(customer_id)
        customer = find_customer(actor, id=customer_id)
        before, old_status = events.described(customer), customer.status
        preferred = events.preferences(customer)
        for name, value in values.items():
            setattr(customer, name, (value or None) if name == "external_id" else value)
        customer.login = login
        if new_hash is not None:
            customer.password = new_hash
        if changes.status is not None:
            customer.status = status.requested(actor, old_status, changes.status)
        old_guid = customer.guid
        if changes.new_guid:
            customer.guid = new_guid()
        _require_free(customer)
        _store(customer)
        if values or login != before["login_name"] or new_hash is not None or changes.new_guid:
            detail = ", ".join(sorted({*values, *(["passwd"] if new_hash is not None else [])}))
            operation.audit("client", customer.pk, customer.login, detail)
            clear = {} if changes.password is None else {"password": changes.password}
            operation.event(
                events.CLIENT_UPDATE, customer.pk, old=before, new=events.described(customer), secrets=clear
            )
        if customer.locale != preferred["interface_language"]:
            now_preferred = events.preferences(customer)
            operation.event(events.CLIENT_PREFERENCES_UPDATE, customer.pk, old=preferred, new=now_preferred)
        if customer.guid != old_guid:
            operation.event(
                events.CLIENT_GUID,
                customer.pk,
                old={"login_name": before["login_name"], "guid": old_guid},
                new={"login_name": customer.login, "guid": customer.guid},
            )
        if customer.status != old_status:
            _record_status(operation, customer, old_status)
    return customer


def _lock(account_id: int) -> None:
    """Take turns with other changes of the account until the transaction ends. SQLite's one writer needs no lock."""
    Account.objects.select_for_update().filter(pk=account_id).first()


def _record_status(operation: Operation, account: Account, old_status: int) -> None:
    """Audit and event of a changed status, and its effect on everything below the account."""
    from innkeeper.hosting.operations import inherit_status  # hosting stands on accounts

    operation.audit("client", account.pk, account.login, f"status {account.status}")
    shared = {"contact_name": account.contact_name, "login_name": account.login}
    operation.event(
        events.CLIENT_STATUS_UPDATE,
        account.pk,
        old={**shared, "status": old_status},
        new={**shared, "status": account.status},
    )
    inherit_status(operation, owner_id=account.pk)


def _require_free(account: Account) -> None:
    others = Account.objects.exclude(pk=account.pk)
    if named(others, login=account.login).exists():
        raise AlreadyExists(f"User account {account.login} already exists.", field="login")
    if account.external_id and named(others.filter(kind=account.kind), external_id=account.external_id).exists():
        raise AlreadyExists(
            f"An account with the external id {account.external_id} already exists.", field="external-id"
        )


def _store(account: Account) -> None:
    """Save. What somebody else took since it was looked up is refused like anything taken."""
    try:
        account.save()
    except IntegrityError as error:
        raise AlreadyExists(
            f"User account {account.login} or its external id already exists.", field="login"
        ) from error


def remove_customer(actor: Actor, customer_id: int) -> None:
    """Remove a customer with its webspaces, their sites and mail. Raises NotFound, NotAllowed."""
    from innkeeper.hosting.operations import remove_webspaces  # hosting stands on accounts

    find_customer(actor, id=customer_id)
    if actor.kind is ActorKind.CUSTOMER:
        raise NotAllowed("Permission denied: ask your provider to remove the account.")
    with Operation(actor, "customer.remove") as operation:
        _lock(customer_id)
        customer = find_customer(actor, id=customer_id)
        remove_webspaces(operation, list(customer.webspaces.values_list("pk", flat=True)))
        operation.audit("client", customer.pk, customer.login)
        operation.event(events.CLIENT_DELETE, customer.pk, old=events.described(customer))
        customer.delete()
