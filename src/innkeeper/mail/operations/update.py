"""Changing and renaming mail accounts."""

from __future__ import annotations

from dataclasses import fields

from django.db import connection

from innkeeper.core import names as name_rules
from innkeeper.core.actor import Actor
from innkeeper.core.errors import AlreadyExists, Refused
from innkeeper.core.operation import Operation, Outcome
from innkeeper.jobs import effects
from innkeeper.mail.events import MAILNAME_UPDATE
from innkeeper.mail.operations import scripts
from innkeeper.mail.operations.checks import check_all, needs_hashing, prepare
from innkeeper.mail.operations.desk import Desk
from innkeeper.mail.operations.names import Names
from innkeeper.mail.operations.rings import Forwarding
from innkeeper.mail.operations.site import Site, lock_site, refuse_mail_user
from innkeeper.mail.operations.state import AccountState, load, update
from innkeeper.mail.queries import require_site
from innkeeper.mail.requests import UNSET, AccountChange, AccountRef, RenameAccount, Unset, UpdateAccounts
from innkeeper.mail.scope import account_not_found


def update_accounts(actor: Actor, request: UpdateAccounts) -> list[Outcome[AccountRef]]:
    """Change accounts of one site, in one transaction: an outcome for each, in the order of the request.

    A change is made whole or not at all. Two changes of one account are made one after the other. A mail user may
    change the own account, as far as it is his to change.
    Raises NotFound, NotAllowed, LimitReached (too much to hash), Failed: then nothing was changed.
    """
    items = check_all(request.changes, request.mode)
    if needs_hashing(items):
        require_site(actor, request.site_id)
    prepare(items)
    outcomes: list[Outcome[AccountRef]] = []
    ended: list[str] = []
    with Operation(actor, "mail.update") as operation:
        desk = Desk(actor, request.site_id, items, request.mode)
        for change, item in zip(request.changes, items, strict=True):
            try:
                if isinstance(item, Refused):
                    raise item
                before, after = desk.change(item)
            except Refused as refused:
                outcomes.append(Outcome(AccountRef(None, change.name), refused))
                continue
            outcomes.append(Outcome(AccountRef(after.id, after.name)))
            detail = f"{request.mode}: {_mentioned(change)}"
            _record(operation, desk.site, before, after, detail, clear=_clear_password(item.change))
            if after.password != before.password or (before.mailbox_enabled and not after.mailbox_enabled):
                ended.append(desk.site.address(after.name))
        desk.book.write()
        effects.end_sessions(ended)
    return outcomes


def rename_account(actor: Actor, request: RenameAccount) -> AccountRef:
    """Give an account another name on the same site. It keeps its mail, settings and memberships; no alias is made.

    Raises NotFound, NotAllowed, AlreadyExists (also for an own alias), InvalidValue, Failed.
    """
    refuse_mail_user(actor)
    new_name = name_rules.local_part(request.new_name, field="new-name")
    with Operation(actor, "mail.rename") as operation:
        site = lock_site(actor, request.site_id)
        found = load("n.site_id = %s AND n.local_part = %s", [site.id, request.name.lower()], replies=True)
        if not found:
            raise account_not_found(request.name)
        before, after = found[0], found[0].copy()
        if new_name == before.name:
            return AccountRef(before.id, before.name)
        if new_name in before.aliases:
            raise AlreadyExists(f"new-name: {new_name} is an alias of the account. Remove it first.", field="new-name")
        after.name = new_name
        Names(site, [new_name]).check(before, after)
        Forwarding(actor, after.targets()).check(site, before, after)
        scripts.refresh(site, after)
        update(site, [(before, after)])
        _move_memberships(site, before.name, new_name)
        _record(operation, site, before, after, f"renamed from {before.name}")
        effects.end_sessions([site.address(before.name)])
    return AccountRef(after.id, after.name)


def _move_memberships(site: Site, old_name: str, new_name: str) -> None:
    """Let the mail groups of the site follow a renamed member. Some may name its new address already."""
    here = "kind = 'group' AND account_id IN (SELECT a.id FROM mail_mailaccount a WHERE a.site_id = %s)"
    old, new = site.address(old_name), site.address(new_name)
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM mail_recipient WHERE address = %s AND {here} AND account_id IN"
            " (SELECT r.account_id FROM mail_recipient r WHERE r.address = %s AND r.kind = 'group')",
            [old, site.id, new],
        )
        cursor.execute(f"UPDATE mail_recipient SET address = %s WHERE address = %s AND {here}", [new, old, site.id])


def _record(
    operation: Operation,
    site: Site,
    before: AccountState,
    after: AccountState,
    detail: str,
    *,
    clear: str | None = None,
) -> None:
    operation.audit("mailname", after.id, site.address(after.name), detail)
    operation.event(
        MAILNAME_UPDATE,
        after.id,
        old=_event_values(site, before),
        new=_event_values(site, after),
        secrets=None if clear is None else {"password": clear},
    )


def _clear_password(change: AccountChange) -> str | None:
    """The new password, where it was not sent as a hash."""
    password = change.password
    return password.value if not isinstance(password, Unset) and password.kind == "plain" else None


def _event_values(site: Site, state: AccountState) -> dict[str, object]:
    return {
        "mailname": site.address(state.name),
        "mailbox": state.mailbox_enabled,
        "mailbox_quota": state.quota,
        "redirect": state.redirect_enabled,
        "redirect_address": ",".join(state.redirect),
        "mail_group": state.group_enabled,
        "autoresponders": state.autoresponders_enabled,
    }


def _mentioned(change: AccountChange) -> str:
    """The names of the settings that a change mentions, without any value."""
    named = (setting.name for setting in fields(change) if setting.name not in {"name", "id"})
    return ", ".join(name for name in named if getattr(change, name) is not UNSET)
