"""What requests may refer to beside the site's accounts: the caller's uploads, and panel users."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from innkeeper.accounts.models import Account
from innkeeper.core.actor import Actor
from innkeeper.core.models import Upload
from innkeeper.mail.operations.apply import Sources
from innkeeper.mail.replies import StoredFile
from innkeeper.mail.requests import UNSET, AccountChange


def sources(actor: Actor, changes: Iterable[AccountChange]) -> Sources:
    """Everything that these changes refer to and the actor may use: one statement a kind, none where none is named."""
    handles: set[str] = set()
    guids: set[str] = set()
    for change in changes:
        replies = () if change.autoresponders is UNSET else change.autoresponders.replies
        if change.autoresponder is not UNSET:
            replies = (*replies, change.autoresponder)
        handles.update(attachment.handle for reply in replies for attachment in reply.attachments)
        if change.user_guid is not UNSET:
            guids.add(change.user_guid.strip().lower())
    handles.discard("")
    guids.discard("")
    return Sources(_uploads(actor, handles) if handles else {}, _users(actor, guids) if guids else frozenset())


def _uploads(actor: Actor, handles: set[str]) -> dict[str, StoredFile]:
    rows = Upload.objects.filter(handle__in=handles, owner_kind=actor.kind.value, owner_id=actor.account_id)
    return {row.handle: StoredFile(row.name, row.size, row.sha256) for row in rows}


def _users(actor: Actor, guids: set[str]) -> frozenset[str]:
    rows: QuerySet[Account] = Account.objects.filter(guid__in=guids)
    if not actor.is_administrator:
        rows = rows.filter(Q(pk=actor.account_id) | Q(owner_id=actor.account_id))
    return frozenset(rows.values_list("guid", flat=True))
