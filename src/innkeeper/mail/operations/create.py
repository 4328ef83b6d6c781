"""Creating mail accounts."""

from __future__ import annotations

from innkeeper.core.actor import Actor
from innkeeper.core.errors import Refused
from innkeeper.core.operation import Operation, Outcome
from innkeeper.mail.events import MAILNAME_CREATE
from innkeeper.mail.operations.apply import Sources, apply
from innkeeper.mail.operations.checks import Checked, check_all, needs_hashing, prepare
from innkeeper.mail.operations.limits import Limits
from innkeeper.mail.operations.names import Names
from innkeeper.mail.operations.site import Site, lock_site, refuse_mail_user
from innkeeper.mail.operations.state import AccountState, insert
from innkeeper.mail.queries import require_site
from innkeeper.mail.requests import UNSET, AccountRef, CreateAccounts, Mode


def create_accounts(actor: Actor, request: CreateAccounts) -> list[Outcome[AccountRef]]:
    """Create accounts on one site, in one transaction: an outcome for each, in the order of the request.

    An account is created whole or not at all, and the others whatever becomes of it. A reference has an id if the
    account was created. Raises NotFound, NotAllowed, LimitReached (too much to hash), Failed: then none was.
    """
    refuse_mail_user(actor)
    items = check_all(request.accounts)
    if needs_hashing(items):
        require_site(actor, request.site_id)
    prepare(items)
    outcomes: list[Outcome[AccountRef]] = []
    with Operation(actor, "mail.create") as operation:
        site = lock_site(actor, request.site_id)
        limits = Limits.of(site)
        names = Names(site, _candidates(items))
        accepted: list[tuple[int, AccountState]] = []
        for position, (account, item) in enumerate(zip(request.accounts, items, strict=True)):
            try:
                if isinstance(item, Refused):
                    raise item
                state = _new(site, item, limits, names)
            except Refused as refused:
                outcomes.append(Outcome(AccountRef(None, account.name), refused))
            else:
                accepted.append((position, state))
                outcomes.append(Outcome(AccountRef(None, state.name)))
        insert(site, [state for _, state in accepted])
        for position, state in accepted:
            address = site.address(state.name)
            operation.audit("mailname", state.id, address)
            operation.event(MAILNAME_CREATE, state.id, new={"mailname": address})
            outcomes[position] = Outcome(AccountRef(state.id, state.name))
    return outcomes


def _candidates(items: list[Checked | Refused]) -> set[str]:
    found: set[str] = set()
    for item in items:
        if isinstance(item, Checked):
            found.add(item.change.name)
            if item.change.aliases is not UNSET:
                found.update(item.change.aliases)
    return found


def _new(site: Site, item: Checked, limits: Limits, names: Names) -> AccountState:
    change = item.change
    state = AccountState(change.name, quota=limits.quota)
    apply(state, item, Mode.SET, Sources())
    names.check(None, state)
    limits.check_quota(change)
    limits.take(None, state)
    names.take(None, state)
    return state
