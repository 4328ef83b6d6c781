"""The events of a site as a whole: of a domain, or of a subdomain, which has events of its own."""

from __future__ import annotations

from innkeeper.core.operation import Operation
from innkeeper.hosting import catalogue, events
from innkeeper.hosting.models import HostingProperty, Site

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
    return {"subdomain_name": label, "domain_name": site.parent.name, **supports}


def record_created(operation: Operation, site: Site) -> None:
    """For a subdomain call it when its hosting is stored."""
    event = events.DOMAIN_CREATE if site.parent is None else events.SUBDOMAIN_CREATE
    operation.event(event, site.pk, new=described(site))


def record_updated(operation: Operation, site: Site, before: dict[str, object]) -> None:
    """`before` is what `described` gave before the change."""
    event = events.DOMAIN_UPDATE if site.parent is None else events.SUBDOMAIN_UPDATE
    operation.event(event, site.pk, old=before, new=described(site))


def record_removed(operation: Operation, site: Site) -> None:
    """Call it before the rows go."""
    event = events.DOMAIN_DELETE if site.parent is None else events.SUBDOMAIN_DELETE
    operation.event(event, site.pk, old=described(site))
