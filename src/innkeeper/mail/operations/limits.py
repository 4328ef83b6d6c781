"""The limits of a webspace's plan, as far as they are about mail."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from innkeeper.core.db.statements import execute
from innkeeper.core.errors import LimitReached
from innkeeper.mail.operations.site import Site
from innkeeper.mail.operations.state import AccountState
from innkeeper.mail.requests import UNSET, AccountChange

UNLIMITED = -1
QUOTA = "mbox_quota"
# What each limit counts over all sites of the webspace, and its name in the message.
COUNTED = {
    "max_box": ("SELECT COUNT(*) FROM {accounts} AND a.mailbox_enabled", "mailboxes"),
    "max_redir": ("SELECT COUNT(*) FROM {accounts} AND a.redirect_enabled", "redirects"),
    "max_mg": ("SELECT COUNT(*) FROM {accounts} AND a.group_enabled", "mail groups"),
    "max_resp": (
        "SELECT COUNT(*) FROM mail_autoresponder r WHERE r.account_id IN (SELECT a.id FROM {accounts})",
        "automatic replies",
    ),
}
ACCOUNTS = "mail_mailaccount a WHERE a.site_id IN (SELECT h.id FROM hosting_site h WHERE h.webspace_id = %s)"


def _usage(state: AccountState | None) -> dict[str, int]:
    if state is None:
        return dict.fromkeys(COUNTED, 0)
    return {
        "max_box": int(state.mailbox_enabled),
        "max_redir": int(state.redirect_enabled),
        "max_mg": int(state.group_enabled),
        "max_resp": len(state.replies),
    }


@dataclass(slots=True)
class Limits:
    """The limits of one webspace, and what is left of each while an operation takes from it.

    Only right under the webspace's lock.
    """

    webspace_id: int
    values: Mapping[str, int]
    left: dict[str, int]
    _is_counting: bool = field(init=False)

    def __post_init__(self) -> None:
        self._is_counting = any(self.values.get(name, UNLIMITED) != UNLIMITED for name in COUNTED)

    @classmethod
    def of(cls, site: Site) -> Limits:
        return cls(site.webspace_id, site.limits, {})

    @property
    def quota(self) -> int:
        """The quota of an account that names none."""
        return self.values.get(QUOTA, UNLIMITED)

    def check_quota(self, change: AccountChange) -> None:
        """Raises LimitReached for a quota above the plan's."""
        if change.quota is not UNSET and self.quota != UNLIMITED and not 0 < change.quota <= self.quota:
            asked = "no limit" if change.quota == UNLIMITED else change.quota
            raise LimitReached(
                f"quota: the plan allows at most {self.quota} bytes a mailbox, {asked} is more.", field="quota"
            )

    def take(self, before: AccountState | None, after: AccountState) -> None:
        """Count a change of one account. Raises LimitReached, and then counts nothing."""
        if not self._is_counting:
            return
        was, becomes = _usage(before), _usage(after)
        grown = {name: becomes[name] - was[name] for name in COUNTED if becomes[name] != was[name]}
        for name, growth in grown.items():
            if growth > 0 and self._remaining(name) < growth:
                raise LimitReached(
                    f"{name}: the plan's limit of {self.values[name]} {COUNTED[name][1]} is reached.", field=name
                )
        for name, growth in grown.items():
            if self.values.get(name, UNLIMITED) != UNLIMITED:
                self.left[name] = self._remaining(name) - growth

    def _remaining(self, name: str) -> int:
        limit = self.values.get(name, UNLIMITED)
        if limit == UNLIMITED:
            return sys.maxsize
        if name not in self.left:
            ((used,),) = execute(COUNTED[name][0].format(accounts=ACCOUNTS), [self.webspace_id])
            self.left[name] = limit - int(used)
        return self.left[name]
