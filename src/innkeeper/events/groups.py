"""The catalogue in groups, for people who look for an event by what it is about."""

from __future__ import annotations

from typing import NamedTuple

from innkeeper.core.events import EventType
from innkeeper.events.catalogue import EVENTS

_TITLES = {
    "admin": "Administrator",
    "service": "Services",
    "dl_user": "Domain administrators",
    "ip_address": "IP addresses",
    "session_preferences": "Sessions",
    "client": "Clients",
    "dashboard_preset": "Desktop presets",
    "domain": "Domains",
    "subdomain": "Subdomains",
    "domain_alias": "Domain aliases",
    "admin_alias": "Additional administrators",
    "cp_user": "Log-ins",
    "mailname": "Mail accounts",
    "maillist": "Mailing lists",
    "phosting": "Hosting",
    "forwarding": "Forwarding",
    "webuser": "Web users",
    "siteapp": "Web applications",
    "siteapppkg": "Web applications",
    "license": "Licence",
    "db_server": "Database servers",
    "db": "Databases",
    "db_user": "Database users",
    "remote_dns_status": "DNS",
    "ftpuser": "FTP accounts",
    "component": "Components",
}
_PARTS = ("domain_alias", "client", "domain")
"""Objects whose parts are objects of their own in the protocol (`client_limits`), and belong with them for people."""


class Group(NamedTuple):
    """Events of one kind of object."""

    title: str
    events: tuple[EventType, ...]


def catalogue_groups() -> list[Group]:
    """Every event, grouped by what it is about, in the order of the documentation."""
    groups: dict[str, list[EventType]] = {}
    for event in EVENTS.values():
        groups.setdefault(_TITLES[_owner(event.object_type)], []).append(event)
    return [Group(title, tuple(events)) for title, events in groups.items()]


def _owner(object_type: str) -> str:
    if object_type in _TITLES:
        return object_type
    return next(owner for owner in _PARTS if object_type.startswith(owner + "_"))
