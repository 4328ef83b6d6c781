"""The site that an operation works on, locked."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import NotAllowed
from innkeeper.mail.scope import SITE_WITH_OWNER, site_not_found, visible

PERMISSION = "manage_mail_settings"


@dataclass(frozen=True, slots=True)
class Site:
    """A site in the hands of an operation. `domain` is lower-case ASCII."""

    id: int
    domain: str
    webspace_id: int

    def address(self, local_part: str) -> str:
        return f"{local_part}@{self.domain}"


def lock_site(actor: Actor, site_id: int) -> Site:
    """The site, with its webspace locked until the transaction ends, so that names and limits are taken in turn.

    On SQLite the transaction holds the one writer's lock already.
    Raises NotFound; NotAllowed if the webspace's owner may not manage mail.
    """
    condition, parameters = visible(actor)
    lock = " FOR NO KEY UPDATE OF w" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.id, s.ascii_name, s.webspace_id, w.owner_id, (SELECT p.value FROM hosting_webspacepermission p"
            f" WHERE p.webspace_id = s.webspace_id AND p.name = '{PERMISSION}')"
            f" FROM {SITE_WITH_OWNER} WHERE s.id = %s AND {condition}{lock}",
            [site_id, *parameters],
        )
        row = cursor.fetchone()
    if row is None:
        raise site_not_found()
    found_id, domain, webspace_id, owner_id, permission = row
    owner = actor.kind in {ActorKind.RESELLER, ActorKind.CUSTOMER} and actor.account_id == owner_id
    if owner and permission is not None and not permission:
        raise NotAllowed("Mail of this webspace may not be managed by its owner. Ask the provider for the permission.")
    return Site(found_id, domain, webspace_id)


def refuse_mail_user(actor: Actor) -> None:
    """Mail users change their own account and nothing else."""
    if actor.kind is ActorKind.MAIL_USER:
        raise NotAllowed("A mail user may change only the own account.")
