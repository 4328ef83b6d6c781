"""Files of removed hosting accounts: how long they are kept, and how they come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import idna

from innkeeper.core.actor import Actor
from innkeeper.core.errors import Failed, NotAllowed, NotFound
from innkeeper.core.operation import Operation
from innkeeper.core.serversettings import check_settings, read_setting, write_settings
from innkeeper.hostd.hosting_accounts import Spec
from innkeeper.hosting.models import Site
from innkeeper.hosting.placement import RETENTION, hosting_accounts
from innkeeper.jobs.effects import restore_tree
from innkeeper.jobs.services import services

TOGETHER = timedelta(minutes=10)
"""What lies in a domain goes before it does, in one run that may be cut off and begun again."""


@dataclass(frozen=True, slots=True)
class RemovedTree:
    """The files of an account that were taken away: a grave's name, the account as it was, since when, until when."""

    grave: str
    account: Spec
    removed_at: datetime
    kept_until: datetime

    @property
    def folder(self) -> str:
        return "/".join(self.account.folder)

    @property
    def name(self) -> str:
        """How people call it and write it, as the list of sites with files does."""
        account = self.account
        host = f"{account.name}.{account.domain}" if account.kind == "subdomain" else account.domain
        host = idna.decode(host) if "xn--" in host else host
        return f"{account.name}@{host}" if account.kind == "webuser" else host


@dataclass(frozen=True, slots=True)
class Restored:
    """Files that come back: an account's own; with them, of what was removed with a domain, what has an account now.

    `waiting` is the rest of that.
    """

    tree: RemovedTree
    along: tuple[RemovedTree, ...]
    waiting: tuple[RemovedTree, ...]


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
        found.append(RemovedTree(grave.name, spec, removed, removed + kept))
    return found


def places_of(trees: Sequence[RemovedTree]) -> dict[str, Spec]:
    """The accounts that have the places of removed ones now, by the names of the graves."""
    domains = {tree.account.domain for tree in trees}
    webspaces = Site.objects.filter(ascii_name__in=domains).exclude(webspace=None).values_list("webspace_id", flat=True)
    places = {spec.folder: spec for spec in hosting_accounts(set(webspaces))}
    return {tree.grave: places[tree.account.folder] for tree in trees if tree.account.folder in places}


def restore_files(actor: Actor, webspace_id: int, keys: Sequence[str], grave: str | None = None) -> Restored:
    """Give a hosting account the files that an account of its place had when it was removed last, or those of a grave.

    `keys` are those by which its tree may be known. What was removed with a domain comes along, for subdomains and web
    users that have the names again. What an account has now is kept as what was removed is.

    Raises NotAllowed, NotFound, Failed.
    """
    _require_administrator(actor)
    accounts = hosting_accounts([webspace_id])
    spec = next((spec for spec in accounts if spec.key in keys), None)
    if spec is None:
        raise NotFound("It has no web hosting, so there is no place for files. Give it web hosting first.")
    folder = "/".join(spec.folder)
    trees = removed_trees(actor)
    fitting = [tree for tree in trees if tree.account.kind == spec.kind]
    chosen = next((tree for tree in fitting if (tree.grave == grave if grave else tree.folder == folder)), None)
    if chosen is None:
        known = ", ".join(tree.grave for tree in fitting[:10]) or "none"
        raise NotFound(f"No files of {grave or folder} are kept. Removed accounts of this kind: {known}.")
    places = {(other.kind, other.name): other for other in accounts if other.site == spec.site}
    pairs = [(spec, chosen)]
    waiting = []
    for tree in _removed_with(chosen, trees):
        place = places.get((tree.account.kind, tree.account.name))
        if place is None:
            waiting.append(tree)
        else:
            pairs.append((place, tree))
    with Operation(actor, "site.restore") as operation:
        for place, tree in pairs:
            operation.audit("files", place.id, "/".join(place.folder), f"from {tree.grave}")
            restore_tree(webspace_id, place.key, tree.grave)
    return Restored(chosen, tuple(tree for _, tree in pairs[1:]), tuple(waiting))


def _removed_with(domain: RemovedTree, trees: Sequence[RemovedTree]) -> list[RemovedTree]:
    """What lay in a domain when it was removed, each once."""
    found: dict[str, RemovedTree] = {}
    for tree in trees:
        is_in_it = domain.account.kind == "domain" != tree.account.kind and tree.account.site == domain.account.site
        if is_in_it and domain.removed_at - TOGETHER <= tree.removed_at <= domain.removed_at:
            found.setdefault(tree.account.key, tree)
    return sorted(found.values(), key=lambda tree: tree.folder)


def _require_administrator(actor: Actor) -> None:
    if not actor.is_administrator:
        raise NotAllowed("Permission denied: only the administrator brings files of removed accounts back.")
