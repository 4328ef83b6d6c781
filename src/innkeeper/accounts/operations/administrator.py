"""The administrator's own account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils import timezone

from innkeeper.accounts import contact, events
from innkeeper.accounts.models import Account
from innkeeper.core import passwords
from innkeeper.core.actor import Actor
from innkeeper.core.errors import NotAllowed
from innkeeper.core.operation import Operation, is_planning
from innkeeper.core.serversettings import check_settings, write_settings


def create_administrator(password: str) -> bool:
    """Create the account `admin` if there is no administrator yet; True if it was created.

    The first account of a database, so its id is 1, as clients of the protocol expect.
    """
    if Account.objects.filter(kind=Account.Kind.ADMINISTRATOR).exists():
        return False
    Account.objects.create(
        kind=Account.Kind.ADMINISTRATOR,
        login="admin",
        password=passwords.hash_login(password),
        contact_name="Administrator",
        email="admin@localhost",
        created_at=timezone.now(),
    )
    return True


@dataclass(frozen=True, slots=True)
class AdministratorChanges:
    """What to change of the administrator's account; None leaves a thing as it is."""

    contact: Mapping[str, str] = field(default_factory=dict)
    password: str | None = field(default=None, repr=False)
    send_announce: bool | None = None
    multiple_sessions: bool | None = None


def update_administrator(
    actor: Actor, changes: AdministratorChanges, settings: Mapping[str, str] | None = None
) -> Account:
    """Change the calling administrator's account and, in the same transaction, settings of the server.

    Raises NotAllowed, NotSupported, InvalidValue.
    """
    if not actor.is_administrator:
        raise NotAllowed("Permission denied: only the administrator changes this account.")
    values = contact.clean(changes.contact)
    checked = check_settings(settings or {})
    new_hash = None
    if changes.password is not None:
        passwords.check(changes.password, actor.login)
        new_hash = "" if is_planning() else passwords.hash_login(changes.password)
    with Operation(actor, "administrator.update") as operation:
        account = Account.objects.select_for_update().get(pk=actor.account_id)
        if checked:
            _write_settings(operation, checked)
        if changes == AdministratorChanges():
            return account
        before = events.described(account)
        for name, value in values.items():
            setattr(account, name, (value or None) if name == "external_id" else value)
        if new_hash is not None:
            account.password = new_hash
        if changes.send_announce is not None:
            account.send_announce = changes.send_announce
        if changes.multiple_sessions is not None:
            account.multiple_sessions = changes.multiple_sessions
        account.save()
        detail = ", ".join(sorted({*values, *(["password"] if new_hash is not None else [])}))
        operation.audit("admin", account.pk, account.login, detail)
        operation.event(events.ADMIN_UPDATE, account.pk, old=before, new=events.described(account))
    return account


def _write_settings(operation: Operation, checked: Mapping[str, str]) -> None:
    before = write_settings(operation, checked)
    if "login_timeout" in checked:
        operation.event(
            events.SESSION_PREFERENCES_UPDATE,
            0,
            old={"session_idle_time": before["login_timeout"]},
            new={"session_idle_time": checked["login_timeout"]},
        )
