"""The events of sites and webspaces, and the values in them. A subdomain has events of its own."""

from __future__ import annotations

from datetime import UTC, datetime

from innkeeper.core.operation import Operation
from innkeeper.hosting import catalogue, events
from innkeeper.hosting.models import HostingProperty, Site, SubdomainUser, Webspace, WebspaceLimit
from innkeeper.hosting.requests import SubdomainLogin

FORWARDING = (Site.Hosting.FORWARDING, Site.Hosting.FRAME_FORWARDING)
_LIMITS = {
    "maximum_disk_space": "disk_space",
    "maximum_traffic": "max_traffic",
    "maximum_webusers": "max_wu",
    "maximum_databases": "max_db",
    "maximum_mailboxes": "max_box",
    "maximum_mailbox_quota": "mbox_quota",
    "maximum_mail_redirects": "max_redir",
    "maximum_mail_groups": "max_mg",
    "maximum_mail_autoresponders": "max_resp",
    "maximum_mail_lists": "max_maillists",
}
_LAST_SECOND = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
_SUPPORTS = ("ssi", "php", "cgi", "perl", "python")


def described(site: Site) -> dict[str, object]:
    """The values of a stored site in its events."""
    if site.parent is None:
        return {"domain_name": site.name}
    stored = dict(HostingProperty.objects.filter(site=site).values_list("name", "value"))
    supports = {
        f"{name}_support": stored.get(name, catalogue.PROPERTIES[name].default)
        for name in _SUPPORTS
        if site.hosting_type == Site.Hosting.VIRTUAL
    }
    label = site.name.removesuffix(f".{site.parent.name}")
    own_user = SubdomainUser.objects.filter(site=site).first()
    user: dict[str, object] = {"system_user_type": "main" if own_user is None else "native"}
    if own_user is not None:
        user |= {"system_user": own_user.login, "hard_disk_quota": own_user.quota_bytes}
    return {"subdomain_name": label, "domain_name": site.parent.name, **user, **supports}


def record_created(operation: Operation, site: Site, own_user: SubdomainLogin | None = None) -> None:
    """For a subdomain call it when its hosting is stored."""
    event = events.DOMAIN_CREATE if site.parent is None else events.SUBDOMAIN_CREATE
    secrets = {} if own_user is None else {"system_user_password": own_user.password}
    operation.event(event, site.pk, new=described(site), secrets=secrets)


def record_updated(operation: Operation, site: Site, before: dict[str, object]) -> None:
    """`before` is what `described` gave before the change."""
    event = events.DOMAIN_UPDATE if site.parent is None else events.SUBDOMAIN_UPDATE
    operation.event(event, site.pk, old=before, new=described(site))


def record_removed(operation: Operation, site: Site) -> None:
    """Call it before the rows go."""
    event = events.DOMAIN_DELETE if site.parent is None else events.SUBDOMAIN_DELETE
    operation.event(event, site.pk, old=described(site))


def record_guid(operation: Operation, site: Site, old: str, new: str) -> None:
    """The event of an identifier that a site or its webspace was given."""
    if old != new:
        name = {"domain_name": site.name}
        operation.event(events.DOMAIN_GUID, site.pk, old={**name, "guid": old}, new={**name, "guid": new})


def limit_values(webspace: Webspace) -> dict[str, object]:
    """The values of a webspace's limits in their event. What is not limited is -1, or no date."""
    stored = dict(WebspaceLimit.objects.filter(webspace=webspace).values_list("name", "value"))
    expiration = stored.get("expiration", catalogue.UNLIMITED)
    day = datetime.fromtimestamp(expiration, UTC).date().isoformat() if 0 < expiration < _LAST_SECOND else ""
    limits = {name: stored.get(limit, catalogue.UNLIMITED) for name, limit in _LIMITS.items()}
    return {"domain_name": webspace.site.name, **limits, "expiration_date": day}


def forwarding_values(site: Site, webspace: Webspace) -> dict[str, object]:
    """The values of a site that forwards its visitors, in the events of that."""
    addresses = [ip.address for ip in (webspace.ipv4, webspace.ipv6) if ip is not None]
    return {
        "domain_name": site.name,
        "ip_address": " ".join(addresses),
        "forwarding_type": site.hosting_type,
        "url": site.forwarding_url,
    }


def record_forwarding(operation: Operation, site: Site, webspace: Webspace, before: dict[str, object]) -> None:
    """The event of forwarding that began, changed or ended. `before` is empty if there was none."""
    if site.hosting_type in FORWARDING:
        after = forwarding_values(site, webspace)
        if before:
            operation.event(events.FORWARDING_UPDATE, site.pk, old=before, new=after)
        else:
            operation.event(events.FORWARDING_CREATE, site.pk, new=after)
    elif before:
        record_forwarding_end(operation, site, str(before["forwarding_type"]))


def record_forwarding_end(operation: Operation, site: Site, kind: str) -> None:
    """The event of forwarding that goes away."""
    operation.event(events.FORWARDING_DELETE, site.pk, old={"domain_name": site.name, "forwarding_type": kind})
