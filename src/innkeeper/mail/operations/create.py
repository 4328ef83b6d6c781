"""Creating mail accounts."""

from __future__ import annotations

from innkeeper.core.actor import Actor
from innkeeper.core.errors import Refused
from innkeeper.core.operation import Operation, Outcome
from innkeeper.mail.events import MAILNAME_CREATE
from innkeeper.mail.operations.checks import Checked, check_all, needs_hashing, prepare
from innkeeper.mail.operations.desk import Desk
from innkeeper.mail.operations.site import refuse_mail_user
from innkeeper.mail.queries import require_site
from innkeeper.mail.requests import AccountRef, CreateAccounts, Mode


def create_accounts(actor: Actor, request: CreateAccounts) -> list[Outcome[AccountRef]]:
    """Create accounts on one site, in one transaction: an outcome for each, in the order of the request.

    An account is created whole or not at all, and the others whatever becomes of it. A reference has an id if the
    account was created. Raises NotFound, NotAllowed, LimitReached (too much to hash), Failed: then none was.
    """
    refuse_mail_user(actor)
    items = check_all(request.accounts, Mode.SET)
    if needs_hashing(items):
        require_site(actor, request.site_id)
    prepare(items)
    outcomes: list[Outcome[AccountRef]] = []
    with Operation(actor, "mail.create") as operation:
        desk = Desk(actor, request.site_id, items, Mode.SET, new=True)
        created = [item if isinstance(item, Refused) else _create(desk, item) for item in items]
        desk.book.write()
        for account, name in zip(request.accounts, created, strict=True):
            if isinstance(name, Refused):
                outcomes.append(Outcome(AccountRef(None, account.name), name))
                continue
            account_id = desk.book.accounts[name].id
            address = desk.site.address(name)
            operation.audit("mailname", account_id, address)
            operation.event(MAILNAME_CREATE, account_id, new={"mailname": address})
            outcomes.append(Outcome(AccountRef(account_id, name)))
    return outcomes


def _create(desk: Desk, item: Checked) -> str | Refused:
    """The name of an account that was accepted, or why it was not."""
    try:
        return desk.create(item).name
    except Refused as refused:
        return refused
