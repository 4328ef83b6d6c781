"""Puts one checked change after another through all that an account must satisfy, under the site's lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from innkeeper.core.actor import Actor
from innkeeper.core.errors import Refused
from innkeeper.mail.operations import scripts
from innkeeper.mail.operations.apply import apply, touches_replies
from innkeeper.mail.operations.book import Book
from innkeeper.mail.operations.checks import Checked
from innkeeper.mail.operations.limits import Limits
from innkeeper.mail.operations.mail_user import check_mail_user
from innkeeper.mail.operations.names import Names
from innkeeper.mail.operations.rings import Forwarding
from innkeeper.mail.operations.site import lock_site
from innkeeper.mail.operations.sources import sources
from innkeeper.mail.operations.state import AccountState
from innkeeper.mail.requests import UNSET, AccountChange, Addresses, Mode
from innkeeper.mail.scope import account_not_found


class Desk:
    """One operation's work on the accounts of a site: reads in sets first, judges each change, writes in sets."""

    def __init__(
        self, actor: Actor, site_id: int, items: Sequence[Checked | Refused], mode: Mode, *, new: bool = False
    ) -> None:
        """Lock the site, and read everything that the changes speak of. `new`: the changes make accounts.

        Raises NotFound, NotAllowed.
        """
        changes = [item.change for item in items if isinstance(item, Checked)]
        self.site = lock_site(actor, site_id)
        self.book = Book(self.site)
        self._actor = actor
        self._mode = mode
        self._limits = Limits.of(self.site)
        self._sources = sources(actor, changes)
        self._load(changes, new)
        self._names = Names(self.site, _candidates(changes, new))
        self._forwarding = Forwarding(actor, self._seeds(changes))

    def _load(self, changes: Sequence[AccountChange], new: bool) -> None:
        replies = any(touches_replies(change) for change in changes)
        joining = [change for change in changes if change.groups is not UNSET]
        wanted = {group for change in joining for group in change.groups or ()}
        if not new:
            wanted.update(change.name for change in changes)
        self.book.load(wanted, replies=replies)
        if self._mode is Mode.SET and not new:
            self.book.load_groups_of((self.site.address(change.name) for change in joining), replies=replies)

    def _seeds(self, changes: Iterable[AccountChange]) -> Iterator[str]:
        """Every address that some account may forward to after these changes."""
        for change in changes:
            if not touches_replies(change):
                continue
            for given in (change.forwarding, change.redirect, change.group):
                if isinstance(given, Addresses):
                    yield from given.addresses
            replies = () if change.autoresponders is UNSET else change.autoresponders.replies
            for reply in replies if change.autoresponder is UNSET else (*replies, change.autoresponder):
                if reply.forward:
                    yield reply.forward
            stored = self.book.accounts.get(change.name)
            if stored is not None:
                # Lists that are switched off count as well: the change may switch them on.
                yield from stored.redirect
                yield from stored.group
                yield from (reply.forward for reply in stored.replies if reply.forward)

    def create(self, item: Checked) -> AccountState:
        """Accept a new account, or raise a Refused and forget it."""
        state = AccountState(item.change.name, quota=self._limits.quota)
        apply(state, item, Mode.SET, self._sources)
        self._judge(None, state, item.change)
        return state

    def change(self, item: Checked) -> tuple[AccountState, AccountState]:
        """Accept a change of an account, or raise a Refused and forget it: the account before and after."""
        change = item.change
        before = self.book.accounts.get(change.name)
        if before is None or (change.id is not None and change.id != before.id):
            raise account_not_found(change.name)
        check_mail_user(self._actor, before, change)
        after = before.copy()
        apply(after, item, self._mode, self._sources)
        self._judge(before, after, change)
        return before, after

    def _judge(self, before: AccountState | None, after: AccountState, change: AccountChange) -> None:
        site = self.site
        touched = touches_replies(change)
        memberships = [] if change.groups is UNSET else self.book.memberships(after.name, change.groups, self._mode)
        self._names.check(before, after)
        self._limits.check_quota(change)
        if touched:
            joined = [group for old, group in memberships if group.group_enabled and len(group.group) > len(old.group)]
            self._forwarding.check(site, before, after, joined)
            scripts.refresh(site, after)
        self._limits.take(before, after)
        # Nothing is refused from here on.
        self._names.take(before, after)
        self.book.accept(after)
        if touched:
            self._forwarding.take(site, before, after)
            for old, group in memberships:
                self.book.accept(group)
                self._forwarding.take(site, old, group)


def _candidates(changes: Iterable[AccountChange], new: bool) -> set[str]:
    """The names that the changes may take."""
    found: set[str] = set()
    for change in changes:
        if new:
            found.add(change.name)
        if change.aliases is not UNSET:
            found.update(change.aliases)
    return found
