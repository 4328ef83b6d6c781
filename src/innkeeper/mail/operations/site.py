"""The site that an operation works on, locked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.db.sets import among
from innkeeper.core.db.statements import database, execute
from innkeeper.core.errors import NotAllowed
from innkeeper.mail.scope import SITE_WITH_OWNER, site_not_found, visible

PERMISSION = "manage_mail_settings"
LIMITS = ("max_box", "max_redir", "max_mg", "max_resp", "mbox_quota")
"""The limits of a webspace's plan that are about mail."""


@dataclass(frozen=True, slots=True)
class Site:
    """A site in the hands of an operation. `domain` is lower-case ASCII, `limits` those that its webspace has.

    Only a locked site has its limits. They are as they were when the operation asked for the lock: whoever changes one
    meanwhile counts as having come later.
    """

    id: int
    domain: str
    webspace_id: int
    limits: Mapping[str, int] = field(default_factory=dict)

    def address(self, local_part: str) -> str:
        return f"{local_part}@{self.domain}"


# One statement for all that is read with the lock: the limits by one of their own took a twentieth of a short request.
_SELECT = (
    "SELECT s.id, s.ascii_name, s.webspace_id, w.owner_id, (SELECT p.value FROM hosting_webspacepermission p"
    f" WHERE p.webspace_id = s.webspace_id AND p.name = '{PERMISSION}'), (SELECT {{as_object}}(l.name, l.value)"
    # Found by the webspace alone: to look each name up in the index takes longer than to read what a webspace has.
    f" FROM hosting_webspacelimit l WHERE l.webspace_id = s.webspace_id AND l.name || '' IN {LIMITS})"
    f" FROM {SITE_WITH_OWNER} WHERE {{condition}} ORDER BY s.webspace_id, s.id"
)


def lock_site(actor: Actor, site_id: int) -> Site:
    """The site, with its webspace locked until the transaction ends, so that names and limits are taken in turn.

    On SQLite the transaction holds the one writer's lock already.
    Raises NotFound; NotAllowed if the webspace's owner may not manage mail.
    """
    site = lock_sites(actor, [site_id]).get(site_id)
    if site is None:
        raise site_not_found()
    if isinstance(site, NotAllowed):
        raise site
    return site


def lock_sites(actor: Actor, site_ids: Sequence[int] | None) -> dict[int, Site | NotAllowed]:
    """`lock_site` of those of the sites that the actor sees, or of all, by ascending id; with refusals in place."""
    condition, parameters = visible(actor)
    if site_ids is not None:
        only, parameter = among("s.id", site_ids)
        condition, parameters = f"{only} AND {condition}", [parameter, *parameters]
    by_key = site_ids is not None and len(site_ids) == 1
    rows = execute(_selection(database().vendor, condition), parameters, by_key=by_key)
    return {row[0]: _site(actor, row) for row in sorted(rows)}


@lru_cache(maxsize=16)
def _selection(vendor: str, condition: str) -> str:
    """The statement that locks. Always in the same order: two of several webspaces must not wait for each other."""
    if vendor == "postgresql":
        return f"{_SELECT.format(as_object='json_object_agg', condition=condition)} FOR NO KEY UPDATE OF w"
    return _SELECT.format(as_object="json_group_object", condition=condition)


def _site(actor: Actor, row: Sequence[Any]) -> Site | NotAllowed:
    site_id, domain, webspace_id, owner_id, permission, limits = row
    is_owner = actor.kind in {ActorKind.RESELLER, ActorKind.CUSTOMER} and actor.account_id == owner_id
    if is_owner and permission is not None and not permission:
        return NotAllowed("The owner of this webspace may not manage its mail. Ask the provider for the permission.")
    if isinstance(limits, str):  # PostgreSQL's driver has read the object already
        limits = None if limits == "{}" else json.loads(limits)
    return Site(site_id, domain, webspace_id, limits or {})


def find_sites(site_ids: Sequence[int]) -> list[Site]:
    """Sites inside another domain's operation, which has checked the actor's right and holds the locks."""
    condition, parameter = among("id", site_ids)
    rows = execute(f"SELECT id, ascii_name, webspace_id FROM hosting_site WHERE {condition}", [parameter])
    return [Site(*row) for row in rows]


def refuse_mail_user(actor: Actor) -> None:
    """Mail users change their own account and nothing else."""
    if actor.kind is ActorKind.MAIL_USER:
        raise NotAllowed("A mail user may change only the own account.")
