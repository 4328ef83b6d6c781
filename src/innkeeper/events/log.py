"""The log of actions, as the protocol's `event_log` shows it: events with their running numbers.

A number is given when an event is dispatched, in one order, so that a reader who remembers the last one misses none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import NamedTuple

from innkeeper.core.actor import Actor
from innkeeper.core.models import EventNumber, OutboxEvent, Setting
from innkeeper.events.dispatch import BEFORE_THE_FIRST
from innkeeper.events.queries import BIGGEST_ID, require_administrator

READ_UP_TO = "event_log_read"
"""The setting that holds the number up to which a reader asked for the log to be emptied."""

CHUNK = 2_000

# Every event by the protocol's words for what happened and to what. Where it has none, the nearest.
KINDS: dict[str, tuple[str, str]] = {
    "admin_update": ("updated", "admin_info"),
    "service_stop": ("stopped", "service"),
    "service_start": ("started", "service"),
    "service_restart": ("started", "service"),
    "dl_user_update": ("updated", "domain_user"),
    "ip_address_create": ("created", "ip_address"),
    "ip_address_update": ("updated", "ip_address"),
    "ip_address_delete": ("deleted", "ip_address"),
    "session_preferences_update": ("updated", "session_preferences"),
    "client_create": ("created", "client"),
    "client_update": ("updated", "client"),
    "client_delete": ("deleted", "client"),
    "client_status_update": ("status_changed", "client_status"),
    "client_guid": ("guid_changed", "client"),
    "client_limits_update": ("updated", "client_limits"),
    "client_limit_traffic_reached": ("exceeded", "client_limit_traffic"),
    "client_limit_size_reached": ("exceeded", "client_limit_size"),
    "client_permissions_update": ("updated", "client_perms"),
    "client_preferences_update": ("updated", "client_prefs"),
    "client_ip_pool_update": ("updated", "client_ip_pool"),
    "client_siteapp_added": ("siteapp_added", "client"),
    "client_siteapp_removed": ("siteapp_removed", "client"),
    "dashboard_preset_create": ("created", "dashboard_preset"),
    "dashboard_preset_update": ("updated", "dashboard_preset"),
    "dashboard_preset_delete": ("deleted", "dashboard_preset"),
    "domain_create": ("created", "domain"),
    "domain_update": ("updated", "domain"),
    "domain_delete": ("deleted", "domain"),
    "domain_status_update": ("status_changed", "domain_status"),
    "domain_guid": ("guid_changed", "domain"),
    "domain_dns_update": ("updated", "dns_zone"),
    "subdomain_create": ("created", "subdomain"),
    "subdomain_update": ("updated", "subdomain"),
    "subdomain_delete": ("deleted", "subdomain"),
    "domain_alias_create": ("created", "site_alias"),
    "domain_alias_update": ("updated", "site_alias"),
    "domain_alias_delete": ("deleted", "site_alias"),
    "domain_alias_dns_update": ("updated", "site_alias_dns_zone"),
    "admin_alias_create": ("created", "admin_info"),
    "admin_alias_update": ("updated", "admin_info"),
    "admin_alias_delete": ("deleted", "admin_info"),
    "domain_limits_update": ("updated", "domain_limits"),
    "domain_limit_traffic_reached": ("exceeded", "domain_limit_traffic"),
    "domain_limit_size_reached": ("exceeded", "domain_limit_size"),
    "cp_user_login": ("started", "admin_info"),
    "cp_user_logout": ("terminated", "admin_info"),
    "mailname_create": ("created", "mailname"),
    "mailname_update": ("updated", "mailname"),
    "mailname_delete": ("deleted", "mailname"),
    "maillist_create": ("created", "maillist"),
    "maillist_update": ("updated", "maillist"),
    "maillist_delete": ("deleted", "maillist"),
    "phys_hosting_create": ("created", "phosting"),
    "phys_hosting_update": ("updated", "phosting"),
    "phys_hosting_delete": ("deleted", "phosting"),
    "forwarding_create": ("created", "fhosting"),
    "forwarding_update": ("updated", "fhosting"),
    "forwarding_delete": ("deleted", "fhosting"),
    "webuser_create": ("created", "webuser"),
    "webuser_update": ("updated", "webuser"),
    "webuser_delete": ("deleted", "webuser"),
    "siteapp_install": ("installed", "siteapp"),
    "siteapp_reconfigure": ("updated", "siteapp"),
    "siteapp_uninstall": ("uninstalled", "siteapp"),
    "siteapppkg_install": ("installed", "siteapp"),
    "siteapppkg_uninstall": ("uninstalled", "siteapp"),
    "license_update": ("updated", "license"),
    "license_expired": ("expired", "license"),
    "database_server_create": ("created", "db_server"),
    "database_server_update": ("updated", "db_server"),
    "database_server_delete": ("deleted", "db_server"),
    "database_create": ("created", "db"),
    "database_delete": ("deleted", "db"),
    "database_user_create": ("created", "db_user"),
    "database_user_update": ("updated", "db_user"),
    "database_user_delete": ("deleted", "db_user"),
    "remote_dns_status_update": ("status_changed", "remote_dns"),
    "ftpuser_create": ("created", "webuser"),
    "ftpuser_update": ("updated", "webuser"),
    "ftpuser_delete": ("deleted", "webuser"),
    "plesk_component_upgrade": ("updated", "plesk_component"),
}


class Logged(NamedTuple):
    """One event of the log."""

    number: int
    event: str
    at: datetime
    object_id: int
    login: str
    address: str

    @property
    def kind(self) -> tuple[str, str]:
        """What happened and to what, in the protocol's words."""
        return KINDS[self.event]


def logged(actor: Actor, *, after: int = 0, kinds: Collection[tuple[str, str]] | None = None) -> Iterator[Logged]:
    """The events after a number that have not been emptied away, in the order of their numbers, in constant memory.

    Raises NotAllowed.
    """
    require_administrator(actor)
    found = OutboxEvent.objects.filter(number__gt=min(max(after, _read_up_to()), BIGGEST_ID)).order_by("number")
    if kinds is not None:
        found = found.filter(event__in=[name for name, kind in KINDS.items() if kind in kinds])
    rows = found.values_list("number", "event", "at", "object_id", "login", "address")
    return map(Logged._make, rows.iterator(chunk_size=CHUNK))


def last_number(actor: Actor) -> int:
    """The number of the last event that was dispatched, kept or not. Raises NotAllowed."""
    require_administrator(actor)
    return EventNumber.objects.values_list("last", flat=True).first() or BEFORE_THE_FIRST


def _read_up_to() -> int:
    row = Setting.objects.filter(name=READ_UP_TO).first()
    return int(row.value) if row else 0
