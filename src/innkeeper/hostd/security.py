"""The rules of hosting accounts: an instance for each, made and applied once its folder and users are there."""

from __future__ import annotations

from collections.abc import Callable

from innkeeper.hostd.hosting_accounts import HostingAccount
from innkeeper.instance.config import Instance
from innkeeper.permissions.report import Report
from innkeeper.permissions.server import hosting
from innkeeper.permissions.server.layout import Layout

PANEL = "panel"
"""Who changed an instance, in its history."""


class NotAppliedError(RuntimeError):
    """The rules of an account could not be applied to its folder. The message names the rule."""


def instantiate(
    instance: Instance,
    *accounts: HostingAccount,
    who: str = PANEL,
    why: str = "settings of the account",
    progress: Callable[[int], None] | None = None,
) -> None:
    """Bring the rules of accounts in line with their settings, and apply them to their folders.

    For one whose folder and users are there; for several of a domain at once it takes hardly longer. It can be done
    again at any time: what was changed in an instance stays. `progress` hears how many objects were looked at.

    Raises: NotAppliedError, MetadataError, RuleError, UnknownAccountError, JournalError, OSError.
    """

    def told(report: Report) -> None:
        if progress:
            progress(report.objects)

    for outcome in hosting.instantiate(Layout.of(instance), map(hosted, accounts), who, why, told):
        if outcome.run.report.stopped:
            raise NotAppliedError(outcome.run.report.stopped)


def remove_instance(instance: Instance, account: HostingAccount) -> None:
    """Forget the rules of an account whose folder is gone. One that has none is no error."""
    hosting.remove_instance(Layout.of(instance), hosted(account))


def hosted(account: HostingAccount) -> hosting.Hosted:
    """A hosting account as its rules need it."""
    return hosting.Hosted(
        key=account.spec.key,
        kind=account.kind,
        folder=account.spec.folder,
        users=account.users,
        is_frame=account.hosting == "frame",
        writable=account.spec.writable,
        www_root=account.spec.www_root,
    )
