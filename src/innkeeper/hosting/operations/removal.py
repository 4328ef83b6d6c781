"""Webspaces and sites that go, with everything on them."""

from __future__ import annotations

from collections.abc import Sequence

from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import Failed, NotAllowed
from innkeeper.core.operation import Operation
from innkeeper.hosting.models import FTPAccount, Site, Webspace, WebUser
from innkeeper.hosting.operations.api_access import settle_api_access
from innkeeper.hosting.operations.ftp_accounts import record_ftp_accounts_end
from innkeeper.hosting.operations.records import FORWARDING, record_forwarding_end, record_removed
from innkeeper.hosting.operations.settings import PLACED, record_hosting_end
from innkeeper.hosting.operations.web_users import record_web_users_end
from innkeeper.hosting.operations.webspaces import lock_webspace
from innkeeper.hosting.queries import find_site, find_webspace, permits
from innkeeper.jobs.effects import place_hosting
from innkeeper.mail.operations import bury_site_accounts


def remove_webspace(actor: Actor, webspace_id: int) -> None:
    """Remove a webspace with its sites and their mail. Stored mail lies in graves for a while.

    Raises NotFound, NotAllowed.
    """
    find_webspace(actor, id=webspace_id)
    if actor.kind is ActorKind.CUSTOMER:
        raise NotAllowed("Permission denied: ask your provider to remove the webspace.")
    with Operation(actor, "webspace.remove") as operation:
        lock_webspace(webspace_id)
        remove_webspaces(operation, [webspace_id])


def remove_webspaces(operation: Operation, webspace_ids: Sequence[int]) -> None:
    """Remove webspaces inside another operation, whose caller has checked the actor's right."""
    owner_ids = list(Webspace.objects.filter(pk__in=webspace_ids).values_list("owner_id", flat=True))
    for pk in sorted(webspace_ids):
        sites = list(Site.objects.select_related("webspace", "parent").filter(webspace_id=pk))
        # What lies inside goes first: subdomains, sites, the main site.
        sites.sort(key=lambda site: (site.pk == pk, site.parent_id is None, site.pk))
        _remove(operation, sites)
    settle_api_access(owner_ids)


def remove_site(actor: Actor, site_id: int) -> None:
    """Remove a site with its subdomains and their mail. The main site goes with its webspace only.

    Raises NotFound, NotAllowed, Failed.
    """
    site = find_site(actor, id=site_id)
    if site.webspace_id is None or site.webspace_id == site.pk:
        raise Failed(f"{site.name} is the main site of its webspace. Remove the webspace to remove it.")
    if not permits(actor, site.webspace_id, "create_domains" if site.parent_id is None else "manage_subdomains"):
        raise NotAllowed("Permission denied: ask your provider to remove the site.")
    with Operation(actor, "site.remove") as operation:
        lock_webspace(site.webspace_id)
        find_site(actor, id=site_id)
        found = [site]
        below = [site.pk]
        while below:
            children = list(Site.objects.select_related("webspace", "parent").filter(parent__in=below))
            found += children
            below = [child.pk for child in children]
        _remove(operation, found[::-1])


def _remove(operation: Operation, sites: Sequence[Site]) -> None:
    """Remove sites of one webspace. What they have on the machine goes after the commit."""
    ids = [site.pk for site in sites]
    record_ftp_accounts_end(
        operation, list(FTPAccount.objects.select_related("webspace__site").filter(webspace__in=ids))
    )
    record_web_users_end(operation, list(WebUser.objects.select_related("site").filter(site__in=ids)))
    for webspace_id in {site.webspace_id for site in sites if site.hosting_type in PLACED}:
        if webspace_id is not None:
            place_hosting(webspace_id)
    bury_site_accounts(operation, ids)
    for site in sites:
        is_main = site.webspace_id == site.pk
        if site.hosting_type == Site.Hosting.VIRTUAL and site.parent_id is None:
            webspace: Webspace | None = site.webspace
            record_hosting_end(operation, site, webspace.ftp_login if webspace and is_main else None)
        if site.hosting_type in FORWARDING and site.parent_id is None:
            record_forwarding_end(operation, site, site.hosting_type)
        operation.audit("webspace" if is_main else "site", site.pk, site.name)
        record_removed(operation, site)
    Site.objects.filter(pk__in=ids).delete()
