"""Which webspaces and sites a caller may see, and how a caller names one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Q

from innkeeper.core import names
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import NotFound
from innkeeper.hosting import catalogue
from innkeeper.hosting.models import (
    FTPAccount,
    HostingProperty,
    PHPSetting,
    Site,
    SubdomainUser,
    Webspace,
    WebspaceLimit,
    WebspacePermission,
    WebUser,
)
from innkeeper.hosting.placement import folders_of

if TYPE_CHECKING:
    from django.db.models import QuerySet

BIGGEST_ID = 2**63 - 1


def visible_sites(actor: Actor) -> QuerySet[Site]:
    """The sites in the caller's scope: all, those of a reseller and its customers, those of a customer."""
    if actor.is_administrator:
        return Site.objects.all()
    if actor.kind is ActorKind.RESELLER:
        own = Webspace.objects.filter(Q(owner_id=actor.account_id) | Q(owner__owner_id=actor.account_id))
        return Site.objects.filter(webspace__in=own)
    if actor.kind is ActorKind.CUSTOMER:
        return Site.objects.filter(webspace__owner_id=actor.account_id)
    return Site.objects.none()


def visible_webspaces(actor: Actor) -> QuerySet[Webspace]:
    """The webspaces in the caller's scope."""
    if actor.is_administrator:
        return Webspace.objects.all()
    if actor.kind is ActorKind.RESELLER:
        return Webspace.objects.filter(Q(owner_id=actor.account_id) | Q(owner__owner_id=actor.account_id))
    if actor.kind is ActorKind.CUSTOMER:
        return Webspace.objects.filter(owner_id=actor.account_id)
    return Webspace.objects.none()


def find_site(actor: Actor, *, id: int | None = None, name: str | None = None, guid: str | None = None) -> Site:
    """One site in the caller's scope, by id, by name (Unicode or punycode, any case) or by GUID. Raises NotFound."""
    found = None
    sites = visible_sites(actor)
    if id is not None:
        found = sites.filter(pk=id).first() if 0 < id <= BIGGEST_ID else None
    elif name is not None:
        folded = names.fold_domain(name)
        found = sites.filter(ascii_name=folded).first() if folded else None
    elif guid is not None:
        found = sites.filter(guid=guid.lower()).first()
    if found is None:
        raise NotFound("Site does not exist")
    return found


def find_webspace(actor: Actor, *, id: int | None = None, name: str | None = None, guid: str | None = None) -> Webspace:
    """One webspace in the caller's scope, with its main site. Raises NotFound."""
    webspaces = visible_webspaces(actor).select_related("site")
    found = None
    if id is not None:
        found = webspaces.filter(pk=id).first() if 0 < id <= BIGGEST_ID else None
    elif name is not None:
        folded = names.fold_domain(name)
        found = webspaces.filter(site__ascii_name=folded).first() if folded else None
    elif guid is not None:
        found = webspaces.filter(guid=guid.lower()).first()
    if found is None:
        raise NotFound("domain does not exist")
    return found


def visible_web_users(actor: Actor) -> QuerySet[WebUser]:
    """The web users in the caller's scope, with their sites."""
    return WebUser.objects.filter(site__in=visible_sites(actor)).select_related("site")


def find_web_user(actor: Actor, user_id: int) -> WebUser:
    """One web user in the caller's scope. Raises NotFound."""
    found = visible_web_users(actor).filter(pk=user_id).first() if 0 < user_id <= BIGGEST_ID else None
    if found is None:
        raise NotFound("Web user does not exist")
    return found


def visible_ftp_accounts(actor: Actor) -> QuerySet[FTPAccount]:
    """The additional FTP accounts in the caller's scope, with their webspaces."""
    return FTPAccount.objects.filter(webspace__in=visible_webspaces(actor)).select_related("webspace__site")


def find_ftp_account(actor: Actor, account_id: int) -> FTPAccount:
    """One additional FTP account in the caller's scope. Raises NotFound."""
    found = visible_ftp_accounts(actor).filter(pk=account_id).first() if 0 < account_id <= BIGGEST_ID else None
    if found is None:
        raise NotFound("FTP account does not exist")
    return found


def limits_of(webspace_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """All limits of each webspace; -1 is unlimited."""
    result = {pk: dict.fromkeys(catalogue.LIMITS, catalogue.UNLIMITED) for pk in webspace_ids}
    for row in WebspaceLimit.objects.filter(webspace__in=result):
        result[row.webspace_id][row.name] = row.value
    return result


def limit(webspace_id: int, name: str) -> int:
    """One limit of a webspace; -1 is unlimited."""
    row = WebspaceLimit.objects.filter(webspace_id=webspace_id, name=name).first()
    return catalogue.UNLIMITED if row is None else row.value


def permissions_of(webspace_ids: Iterable[int]) -> dict[int, dict[str, bool]]:
    """All permissions of each webspace's owner."""
    defaults = {name: default for name, (default, _) in catalogue.PERMISSIONS.items()}
    result = {pk: dict(defaults) for pk in webspace_ids}
    for row in WebspacePermission.objects.filter(webspace__in=result):
        result[row.webspace_id][row.name] = row.value
    return result


def permits(actor: Actor, webspace_id: int, name: str) -> bool:
    """True if the caller may do what a permission of the webspace names. It binds customers alone."""
    if actor.kind is not ActorKind.CUSTOMER:
        return True
    row = WebspacePermission.objects.filter(webspace_id=webspace_id, name=name).first()
    return catalogue.PERMISSIONS[name][0] if row is None else row.value


def properties_of(sites: Iterable[Site]) -> dict[int, dict[str, str]]:
    """Every virtual-hosting property of each site, as the protocol shows it: absolute paths, never a password.

    The sites' webspaces are read with them, if `select_related("webspace")` was asked for.
    """
    sites = list(sites)
    stored: dict[int, dict[str, str]] = {site.pk: {} for site in sites}
    for row in HostingProperty.objects.filter(site__in=list(stored)):
        stored[row.site_id][row.name] = row.value
    folders = folders_of(sites)
    root = hosting_root()
    result = {}
    for site in sites:
        webspace = site.webspace
        values = {name: rule.default for name, rule in catalogue.PROPERTIES.items()} | stored[site.pk]
        if webspace is not None:
            values["ftp_login"] = webspace.ftp_login or ""
            values["www_root"] = f"{root}/{folders[site.pk]}/{values['www_root'] or 'httpdocs'}"
        result[site.pk] = values
    return result


def hosting_root() -> str:
    """The folder of all hosted content."""
    return catalogue.VHOSTS if settings.INSTANCE is None else str(settings.INSTANCE.vhosts)


def own_logins_of(sites: Iterable[Site]) -> dict[int, str]:
    """The log-in names of those subdomains that have a system user of their own."""
    found = SubdomainUser.objects.filter(site__in=[site.pk for site in sites])
    return dict(found.values_list("site_id", "login"))


def php_settings_of(webspace_ids: Iterable[int]) -> dict[int, dict[str, str]]:
    """The PHP settings that each webspace has."""
    result: dict[int, dict[str, str]] = {pk: {} for pk in webspace_ids}
    for row in PHPSetting.objects.filter(webspace__in=list(result)).order_by("name"):
        result[row.webspace_id][row.name] = row.value
    return result
