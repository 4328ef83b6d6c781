"""The local parts of a site, taken and given up one by one: one name space for accounts and aliases."""

from __future__ import annotations

from collections.abc import Iterable

from innkeeper.core.db.sets import among
from innkeeper.core.db.statements import execute
from innkeeper.core.errors import AlreadyExists
from innkeeper.mail.operations.site import Site
from innkeeper.mail.operations.state import AccountState


class Names:
    """Who holds which of the local parts that an operation speaks of. Only right under the webspace's lock."""

    def __init__(self, site: Site, candidates: Iterable[str]) -> None:
        """Read the holders of all candidates in one statement."""
        wanted = sorted(set(candidates))
        condition, parameter = among("local_part", wanted)
        rows = execute(
            f"SELECT local_part, account_id FROM mail_mailname WHERE site_id = %s AND {condition}",
            [site.id, parameter],
            by_key=len(wanted) == 1,
        )
        self._holders: dict[str, int] = dict(rows)

    def is_taken(self, name: str) -> bool:
        return name in self._holders

    def check(self, before: AccountState | None, after: AccountState) -> None:
        """Raises AlreadyExists if the account would hold a name that another one has."""
        own = {before.name, *before.aliases} if before else set()
        if after.name not in own and after.name in self._holders:
            raise AlreadyExists(f"The mail name {after.name} already exists.", field="name")
        for alias in after.aliases:
            if alias not in own and alias in self._holders:
                raise AlreadyExists(f"alias: the mail name {alias} already exists.", field="alias")

    def take(self, before: AccountState | None, after: AccountState) -> None:
        """Move the names of one account from before to after its change."""
        if before is not None:
            for name in (before.name, *before.aliases):
                self._holders.pop(name, None)
        for name in (after.name, *after.aliases):
            self._holders[name] = after.id
