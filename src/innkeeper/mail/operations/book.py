"""The accounts of a site that an operation has in hand: as they were, and as they are to become."""

from __future__ import annotations

from collections.abc import Iterable

from innkeeper.core.db.sets import among
from innkeeper.core.errors import InvalidValue, NotFound
from innkeeper.mail.operations.site import Site
from innkeeper.mail.operations.state import AccountState, insert, load, update
from innkeeper.mail.requests import Mode


class Book:
    """Accounts by name. A change replaces an entry only when it is accepted, so a refused one leaves no trace."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.accounts: dict[str, AccountState] = {}
        self._loaded: dict[str, AccountState] = {}
        self._groups: set[str] = set()  # names of the accounts that have group members

    def load(self, names: Iterable[str], *, replies: bool) -> None:
        """Read the accounts of these names, in one set; missing ones stay missing."""
        if wanted := sorted(set(names) - set(self.accounts)):
            condition, parameter = among("n.local_part", wanted)
            self._load(f"n.site_id = %s AND {condition}", parameter, replies=replies)

    def load_groups_of(self, addresses: Iterable[str], *, replies: bool) -> None:
        """Read the accounts of the site in whose mail groups these addresses stand."""
        if wanted := sorted(set(addresses)):
            condition, parameter = among("r.address", wanted)
            groups = f"SELECT r.account_id FROM mail_recipient r WHERE r.kind = 'group' AND {condition}"
            self._load(f"a.site_id = %s AND a.id IN ({groups})", parameter, replies=replies)

    def _load(self, condition: str, parameter: object, *, replies: bool) -> None:
        for state in load(condition, [self.site.id, parameter], replies=replies):
            if state.name not in self._loaded:
                self._loaded[state.name] = state
                self.accept(state)

    def memberships(self, name: str, groups: tuple[str, ...], mode: Mode) -> list[tuple[AccountState, AccountState]]:
        """The group accounts before and after the account `name` joins and leaves groups.

        Raises NotFound for a group to join that is none, InvalidValue for the account itself.
        """
        if name in groups:
            raise InvalidValue("group: a mail group cannot be a member of itself. Leave it out.", field="group")
        address = self.site.address(name)
        changed = []
        if mode is not Mode.REMOVE:
            for group_name in groups:
                group = self.accounts.get(group_name)
                if group is None or not (group.group_enabled or group.group):
                    raise NotFound(f"group: there is no mail group {group_name} on this site.", field="group")
                if address not in group.group:
                    joined = group.copy()
                    joined.group.append(address)
                    changed.append((group, joined))
        if mode is not Mode.ADD:
            for group in [self.accounts[group_name] for group_name in sorted(self._groups)]:
                named = group.name in groups
                if address in group.group and (named if mode is Mode.REMOVE else not named):
                    left = group.copy()
                    left.group.remove(address)
                    changed.append((group, left))
        return changed

    def accept(self, state: AccountState) -> None:
        """Let an account become so."""
        self.accounts[state.name] = state
        if state.group:
            self._groups.add(state.name)

    def write(self) -> None:
        """Insert the new accounts, and write what changed of the others."""
        insert(self.site, [state for name, state in self.accounts.items() if name not in self._loaded])
        pairs = [(old, self.accounts[name]) for name, old in self._loaded.items()]
        update(self.site, [(old, new) for old, new in pairs if old is not new])
