"""Bringing a removed account back from its grave."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date
from typing import Any

from django.db import connection
from django.utils import timezone

from innkeeper.core.actor import Actor
from innkeeper.core.errors import NotFound
from innkeeper.core.operation import Operation
from innkeeper.mail.events import MAILNAME_CREATE
from innkeeper.mail.operations import scripts
from innkeeper.mail.operations.limits import Limits
from innkeeper.mail.operations.names import Names
from innkeeper.mail.operations.rings import Forwarding
from innkeeper.mail.operations.site import Site, lock_site, refuse_mail_user
from innkeeper.mail.operations.state import AccountState, insert
from innkeeper.mail.replies import Reply, StoredFile
from innkeeper.mail.requests import AccountRef, RestoreAccount, Restored


def restore_account(actor: Actor, request: RestoreAccount) -> Restored:
    """Bring back the account of that name that was removed last, with its mail and settings, under a new id.

    Aliases that others have taken meanwhile are left out and named. Raises NotFound if there is none or its time is
    over, AlreadyExists if the name is taken, LimitReached, InvalidValue for a ring of forwarding, NotAllowed, Failed.
    """
    refuse_mail_user(actor)
    with Operation(actor, "mail.restore") as operation:
        site = lock_site(actor, request.site_id)
        name = request.name.lower()
        state = _exhume(site, name)
        names = Names(site, [state.name, *state.aliases])
        lost = tuple(alias for alias in state.aliases if names.is_taken(alias))
        state.aliases = [alias for alias in state.aliases if alias not in lost]
        names.check(None, state)
        Limits.of(site).take(None, state)
        forwarding = Forwarding(actor, state.targets())
        forwarding.check(site, None, state)
        scripts.refresh(site, state)
        insert(site, [state])
        address = site.address(state.name)
        operation.audit("mailname", state.id, address)
        operation.event(MAILNAME_CREATE, state.id, new={"mailname": address})
    return Restored(AccountRef(state.id, state.name), lost)


def _exhume(site: Site, name: str) -> AccountState:
    """The account out of its newest grave, which is then no more: the storage is the account's again."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        # One that is due may be under deletion at this moment.
        cursor.execute(
            "SELECT id, storage, snapshot FROM mail_grave WHERE address = %s AND site_id = %s AND due_at > %s"
            " ORDER BY buried_at DESC, id DESC LIMIT 1",
            [site.address(name), site.id, now],
        )
        row = cursor.fetchone()
        if row is None:
            raise NotFound(f"There is no removed mail name {name} that could be restored.", field="name")
        cursor.execute("DELETE FROM mail_grave WHERE id = %s", [row[0]])
    return _from_snapshot(json.loads(row[2]), row[1])


def _from_snapshot(values: dict[str, Any], storage: str) -> AccountState:
    known = {setting.name for setting in fields(AccountState)}
    replies = [_reply(reply) for reply in values.pop("replies")]
    files = {file["name"]: StoredFile(**file) for file in values.pop("files")}
    kept = {name: value for name, value in values.items() if name in known}
    return AccountState(**kept, storage=storage, replies=replies, files=files)


def _reply(values: dict[str, Any]) -> Reply:
    for day in ("start_date", "end_date"):
        if values[day]:
            values[day] = date.fromisoformat(values[day])
    return Reply(**values)
