"""Who may use the XML API follows from what the webspaces of a customer permit."""

from __future__ import annotations

from collections.abc import Iterable

from innkeeper.accounts.models import Account
from innkeeper.accounts.operations import set_api_access
from innkeeper.hosting.models import Webspace, WebspacePermission

PERMISSION = "remote_access_interface"


def settle_api_access(owner_ids: Iterable[int]) -> None:
    """Bring the access of these owners in line with their webspaces, inside the operation that changed something there.

    One webspace that permits it is enough, and a customer without any is not shut out. Accounts hold the outcome,
    because each packet asks for it. They are locked first: two operations on webspaces of one owner take turns, so that
    the second sees what the first has written.
    """
    accounts = Account.objects.filter(pk__in=set(owner_ids), kind=Account.Kind.CUSTOMER)
    for account in accounts.select_for_update().order_by("pk"):
        webspaces = Webspace.objects.filter(owner=account)
        closed = WebspacePermission.objects.filter(webspace__owner=account, name=PERMISSION, value=False)
        allowed = not webspaces.exists() or webspaces.exclude(pk__in=closed.values("webspace")).exists()
        if account.may_use_api is not allowed:
            set_api_access(account.pk, allowed)
