"""Files of removed hosting accounts: how long they are kept, and how they come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from innkeeper.core.actor import Actor
from innkeeper.core.errors import Failed, NotAllowed, NotFound
from innkeeper.core.operation import Operation
from innkeeper.core.serversettings import check_settings, read_setting, write_settings
from innkeeper.hostd.hosting_accounts import Spec
from innkeeper.hosting.placement import RETENTION, hosting_accounts
from innkeeper.jobs.effects import restore_tree
from innkeeper.jobs.services import services


@dataclass(frozen=True, slots=True)
class RemovedTree:
    """The files of an account that were taken away: a grave's name, the account's folder, since when, until when."""

    grave: str
    kind: str
    folder: str
    removed_at: datetime
    kept_until: datetime


def set_hosting_retention(actor: Actor, days: str) -> None:
    """Keep the files of removed hosting accounts for so many days. Raises NotAllowed, InvalidValue."""
    _require_administrator(actor)
    checked = check_settings({RETENTION: days})
    with Operation(actor, "site.retention") as operation:
        write_settings(operation, checked)


def removed_trees(actor: Actor) -> list[RemovedTree]:
    """What was taken away and can be restored, the newest first. Raises NotAllowed, Failed."""
    _require_administrator(actor)
    try:
        graves = services().graves()
    except (OSError, RuntimeError) as error:
        raise Failed("The server cannot be asked for removed files now. Try again in a moment.") from error
    kept = timedelta(days=int(read_setting(RETENTION)))
    found = []
    for grave in graves:
        spec = Spec(**grave.account)
        removed = datetime.fromtimestamp(grave.buried_at, UTC)
        found.append(RemovedTree(grave.name, spec.kind, "/".join(spec.folder), removed, removed + kept))
    return found


def restore_files(actor: Actor, webspace_id: int, keys: Sequence[str], grave: str | None = None) -> RemovedTree:
    """Give a hosting account the files that an account of its place had when it was removed last, or those of a grave.

    `keys` are those by which its tree may be known. What it has now is kept as what was removed is.

    Raises NotAllowed, NotFound.
    """
    _require_administrator(actor)
    spec = next((spec for spec in hosting_accounts([webspace_id]) if spec.key in keys), None)
    if spec is None:
        raise NotFound("It has no web hosting, so there is no place for files. Give it web hosting first.")
    folder = "/".join(spec.folder)
    fitting = [tree for tree in removed_trees(actor) if tree.kind == spec.kind]
    chosen = [tree for tree in fitting if (tree.grave == grave if grave else tree.folder == folder)]
    if not chosen:
        known = ", ".join(tree.grave for tree in fitting[:10]) or "none"
        raise NotFound(f"No files of {grave or folder} are kept. Removed accounts of this kind: {known}.")
    with Operation(actor, "site.restore") as operation:
        operation.audit("files", spec.id, folder, f"from {chosen[0].grave}")
        restore_tree(webspace_id, spec.key, chosen[0].grave)
    return chosen[0]


def _require_administrator(actor: Actor) -> None:
    if not actor.is_administrator:
        raise NotAllowed("Permission denied: only the administrator brings files of removed accounts back.")
