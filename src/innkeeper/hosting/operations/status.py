"""How a suspension reaches what lies below, and how it ends what is open there."""

from __future__ import annotations

import time
from collections.abc import Sequence

from django.db import connection
from django.db.models import Q

from innkeeper.core.db.sets import among
from innkeeper.core.operation import Operation
from innkeeper.core.status import EXPIRED, INHERITED, WEB_ONLY, is_suspended
from innkeeper.hosting import events
from innkeeper.hosting.models import Site, Webspace
from innkeeper.hosting.queries import limit
from innkeeper.jobs.effects import end_site_sessions

EXPIRATION = "expiration"

# Set statements: an owner may have thousands of sites. `~` is written out, SQLite and PostgreSQL agree on the rest.
_CLIENTS = f"""
UPDATE accounts_account SET status = (status & ~{INHERITED}) | CASE WHEN
  (SELECT o.status FROM accounts_account o WHERE o.id = accounts_account.owner_id) <> 0 THEN {INHERITED} ELSE 0 END
WHERE owner_id = %s"""
_MAIN = f"""
UPDATE hosting_site SET status = (status & ~{INHERITED}) | CASE WHEN
  (SELECT a.status FROM hosting_webspace w JOIN accounts_account a ON a.id = w.owner_id
   WHERE w.site_id = hosting_site.id) <> 0 THEN {INHERITED} ELSE 0 END
WHERE {{below}}"""
_ADDON = f"""
UPDATE hosting_site SET status = (status & ~{INHERITED}) | CASE WHEN
  ((SELECT m.status FROM hosting_site m WHERE m.id = hosting_site.webspace_id) & ~{WEB_ONLY}) <> 0
  THEN {INHERITED} ELSE 0 END
WHERE {{below}} AND id <> webspace_id AND parent_id IS NULL"""
_SUBDOMAINS = f"""
UPDATE hosting_site SET status = (status & ~{INHERITED}) | CASE WHEN
  ((SELECT p.status FROM hosting_site p WHERE p.id = hosting_site.parent_id) & ~{WEB_ONLY}) <> 0
  OR ((SELECT m.status FROM hosting_site m WHERE m.id = hosting_site.webspace_id) & ~{WEB_ONLY}) <> 0
  THEN {INHERITED} ELSE 0 END
WHERE {{below}} AND parent_id IS NOT NULL"""
# Each with the column that names the webspace, from the top down: a statement reads what the one before wrote.
_STATEMENTS = (("id", _MAIN), ("webspace_id", _ADDON), ("webspace_id", _SUBDOMAINS))


def inherit_status(
    operation: Operation, *, owner_id: int | None = None, webspace_ids: Sequence[int] | None = None
) -> None:
    """Bring the inherited flag of everything below an owner, or in webspaces, in line with what lies above.

    Call it inside the operation, after the row above was saved. Sessions of mail accounts below that are suspended
    now end with the commit.
    """
    with connection.cursor() as cursor:
        if owner_id is not None:
            cursor.execute(_CLIENTS, [owner_id])
            webspace_ids = list(
                Webspace.objects.filter(Q(owner_id=owner_id) | Q(owner__owner_id=owner_id)).values_list("pk", flat=True)
            )
        ids = list(webspace_ids or ())
        for column, statement in _STATEMENTS:
            below, parameter = among(column, ids)
            cursor.execute(statement.format(below=below), [parameter])
    suspended = Site.objects.filter(webspace__in=ids).exclude(status__in=[0, WEB_ONLY])
    end_sessions(list(suspended.values_list("pk", flat=True)))


def with_expiration(webspace: Webspace) -> int:
    """The status of a webspace with the flag of those whose time is over in line with its limit.

    The limit is Unix time; without one, or at 0 (where all limits are at nothing), that time never comes.
    """
    is_over = 0 < limit(webspace.pk, EXPIRATION) <= int(time.time())
    return (webspace.site.status & ~EXPIRED) | (EXPIRED if is_over else 0)


def end_sessions(site_ids: Sequence[int]) -> None:
    """Ask that the mail sessions on these sites end. Call it inside the operation, before names or accounts change."""
    if site_ids:
        end_site_sessions(site_ids)


def record_status(operation: Operation, site: Site, old_status: int) -> None:
    """Audit and event of a site's or webspace's changed status."""
    operation.audit("domain", site.pk, site.name, f"status {site.status}")
    operation.event(
        events.DOMAIN_STATUS_UPDATE,
        site.pk,
        old={"domain_name": site.name, "status": old_status},
        new={"domain_name": site.name, "status": site.status},
    )
    if is_suspended(site.status):
        end_sessions([site.pk])
