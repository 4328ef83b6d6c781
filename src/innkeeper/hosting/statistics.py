"""Figures of sites, webspaces and owners: counted with one statement a table, sizes from stored counters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from django.db.models import Count, Q

from innkeeper.core.status import is_suspended
from innkeeper.hosting.models import Site, WebUser
from innkeeper.mail.models import Autoresponder, MailAccount


@dataclass(slots=True)
class Figures:
    """What one site has, or several together."""

    domains: int = 0
    active_domains: int = 0
    subdomains: int = 0
    web_users: int = 0
    mailboxes: int = 0
    redirects: int = 0
    mail_groups: int = 0
    autoresponders: int = 0
    bytes: int = 0

    def add(self, other: Figures) -> None:
        """Take another site's figures into this sum."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


def figures_of(sites: Iterable[Site], *, counted: bool = True) -> dict[int, Figures]:
    """The figures of each of these sites; not `counted`, those that cost no look at the mail accounts."""
    result = {}
    for site in sites:
        is_domain = site.parent_id is None
        result[site.pk] = Figures(
            domains=int(is_domain),
            active_domains=int(is_domain and not is_suspended(site.status)),
            subdomains=int(not is_domain),
            bytes=site.used_bytes,
        )
    if not counted:
        return result
    accounts = (
        MailAccount.objects.filter(site__in=list(result))
        .values("site_id")
        .annotate(
            box=Count("pk", filter=Q(mailbox_enabled=True)),
            redirect=Count("pk", filter=Q(redirect_enabled=True)),
            group=Count("pk", filter=Q(group_enabled=True)),
        )
        .order_by()
    )
    for row in accounts:
        found = result[row["site_id"]]
        found.mailboxes, found.redirects, found.mail_groups = row["box"], row["redirect"], row["group"]
    users = WebUser.objects.filter(site__in=list(result)).values("site_id").annotate(count=Count("pk")).order_by()
    for user in users:
        result[user["site_id"]].web_users = user["count"]
    replies = (
        Autoresponder.objects.filter(account__site__in=list(result))
        .values("account__site_id")
        .annotate(count=Count("pk"))
        .order_by()
    )
    for reply in replies:
        result[reply["account__site_id"]].autoresponders = reply["count"]
    return result


def figures_of_webspaces(webspace_ids: Iterable[int], *, counted: bool = True) -> dict[int, Figures]:
    """The sums over the sites of each webspace, as in `figures_of`."""
    result = {pk: Figures() for pk in webspace_ids}
    sites = list(Site.objects.filter(webspace__in=list(result)))
    by_site = figures_of(sites, counted=counted)
    for site in sites:
        if site.webspace_id is not None:
            result[site.webspace_id].add(by_site[site.pk])
    return result


def figures_of_owners(owner_ids: Iterable[int]) -> dict[int, Figures]:
    """The sums over the webspaces of each owner."""
    result = {pk: Figures() for pk in owner_ids}
    sites = list(Site.objects.select_related("webspace").filter(webspace__owner__in=list(result)))
    by_site = figures_of(sites)
    for site in sites:
        if site.webspace is not None:
            result[site.webspace.owner_id].add(by_site[site.pk])
    return result
