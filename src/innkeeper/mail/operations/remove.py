"""Removing mail accounts: their rows go, their stored mail lies in a grave for a while."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, timedelta

from django.db import connection
from django.utils import timezone

from innkeeper.core.actor import Actor
from innkeeper.core.db.sets import among, insert
from innkeeper.core.errors import NotAllowed
from innkeeper.core.operation import Operation, Outcome, json_text
from innkeeper.core.serversettings import check_settings, read_setting, write_settings
from innkeeper.jobs import effects
from innkeeper.mail.events import MAILNAME_DELETE
from innkeeper.mail.operations.site import Site, find_sites, lock_site, refuse_mail_user
from innkeeper.mail.operations.state import AccountState, delete, load
from innkeeper.mail.requests import AccountRef, RemoveAccounts
from innkeeper.mail.scope import account_not_found

RETENTION = "mail_retention_days"
BATCH = 1_000


def remove_accounts(actor: Actor, request: RemoveAccounts) -> list[Outcome[AccountRef]]:
    """Remove accounts of one site, in one transaction: an outcome for each, in the order of the request.

    Without names every account of the site goes, by ascending id. An account can be restored until its grave is due.
    Raises NotFound, NotAllowed, Failed.
    """
    refuse_mail_user(actor)
    with Operation(actor, "mail.remove") as operation:
        site = lock_site(actor, request.site_id)
        if request.names is None:
            return [Outcome(AccountRef(ref.id, ref.name)) for ref in _bury_all(operation, site)]
        wanted = {name.lower() for name in request.names}
        condition, parameter = among("n.local_part", sorted(wanted))
        found = {
            state.name: state for state in load(f"n.site_id = %s AND {condition}", [site.id, parameter], replies=True)
        }
        outcomes = []
        removed = []
        for name in request.names:
            state = found.pop(name.lower(), None)  # named twice, it is gone the second time
            if state is None:
                outcomes.append(Outcome(AccountRef(None, name), account_not_found(name)))
            else:
                removed.append(state)
                outcomes.append(Outcome(AccountRef(state.id, state.name)))
        bury(operation, site, removed)
    return outcomes


def _bury_all(operation: Operation, site: Site) -> list[AccountRef]:
    """Bury every account of a site, some at a time: a site may have more than fit into memory."""
    removed: list[AccountRef] = []
    last = 0
    # Both sides of the join start where the last batch ended: a merge join would read one from its beginning.
    condition = "a.site_id = %s AND a.id > %s AND n.account_id > %s"
    while states := load(condition, [site.id, last, last], replies=True, limit=BATCH):
        bury(operation, site, states)
        removed += [AccountRef(state.id, state.name) for state in states]
        last = states[-1].id
    return removed


def bury_site_accounts(operation: Operation, site_ids: Iterable[int]) -> None:
    """Remove every mail account of these sites inside another domain's operation, such as the removal of a site.

    The caller has checked the actor's right and holds the webspaces' locks.
    """
    for site in find_sites(list(site_ids)):
        _bury_all(operation, site)


def bury(operation: Operation, site: Site, states: Sequence[AccountState]) -> None:
    """Turn the storage of these accounts into graves and delete their rows, with audit, events and effects."""
    if not states:
        return
    adapt = connection.ops.adapt_datetimefield_value
    now = timezone.now()
    due = adapt(now + timedelta(days=int(read_setting(RETENTION))))
    graves = [(state.storage, site.id, site.address(state.name), snapshot(state), adapt(now), due) for state in states]
    insert("mail_grave", ("storage", "site_id", "address", "snapshot", "buried_at", "due_at"), graves)
    delete([state.id for state in states])
    for state in states:
        address = site.address(state.name)
        operation.audit("mailname", state.id, address)
        operation.event(MAILNAME_DELETE, state.id, old={"mailname": address})
    effects.end_sessions(site.address(state.name) for state in states if state.mailbox_enabled)


def set_retention(actor: Actor, days: str) -> None:
    """Keep the mail of accounts that are removed from now on for so many days. Raises NotAllowed, InvalidValue."""
    if not actor.is_administrator:
        raise NotAllowed("Permission denied: only the administrator changes settings of the server.")
    checked = check_settings({RETENTION: days})
    with Operation(actor, "mail.retention") as operation:
        write_settings(operation, checked)


def move_site_graves(site_id: int, old_domain: str, new_domain: str) -> None:
    """Let the graves of a site follow its new name: accounts are restored by their address."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE mail_grave SET address = replace(address, %s, %s) WHERE site_id = %s",
            [f"@{old_domain}", f"@{new_domain}", site_id],
        )


def snapshot(state: AccountState) -> str:
    """Everything about an account that brings it back, as JSON text. The password in it is a hash."""
    values = asdict(state)
    for transient in ("id", "storage", "script"):
        del values[transient]
    for reply in values["replies"]:
        for name, value in reply.items():
            if isinstance(value, date):
                reply[name] = value.isoformat()
    values["files"] = [{k: v for k, v in file.items() if k != "id"} for file in values["files"].values()]
    return json_text(values)
