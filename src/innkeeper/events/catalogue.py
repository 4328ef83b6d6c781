"""Every event of the control panel: the one declaration that operations, handlers, doors and the docs page use.

`is_raised` marks those that an operation records today; a test runs the operations and holds it true.
"""

from __future__ import annotations

from difflib import get_close_matches

from innkeeper.core.errors import NotFound
from innkeeper.core.events import EventType
from innkeeper.events import parameters as of

_DECLARED = (
    EventType("admin_update", "Administrator information updated", "admin", "change", of.ADMINISTRATOR, is_raised=True),
    EventType("service_stop", "Service stopped", "service", "change", of.SERVICE, is_raised=True),
    EventType("service_start", "Service started", "service", "change", of.SERVICE, is_raised=True),
    EventType("service_restart", "Service restarted", "service", "change", of.SERVICE, is_raised=True),
    EventType("dl_user_update", "Domain administrator account updated", "dl_user", "change", of.DOMAIN_ADMINISTRATOR),
    EventType("ip_address_create", "IP address created", "ip_address", "create", of.IP_ADDRESS, is_raised=True),
    EventType("ip_address_update", "IP address updated", "ip_address", "change", of.IP_ADDRESS, is_raised=True),
    EventType("ip_address_delete", "IP address deleted", "ip_address", "delete", of.IP_ADDRESS_DELETE, is_raised=True),
    EventType(
        "session_preferences_update",
        "Login settings updated",
        "session_preferences",
        "change",
        of.SESSION_PREFERENCES,
        is_raised=True,
    ),
    EventType("client_create", "Client account created", "client", "create", of.CLIENT, is_raised=True),
    EventType("client_update", "Client account updated", "client", "change", of.CLIENT, is_raised=True),
    EventType("client_delete", "Client account deleted", "client", "delete", of.CLIENT, is_raised=True),
    EventType(
        "client_status_update",
        "Client account status updated",
        "client_status",
        "change",
        of.CLIENT_STATUS,
        is_raised=True,
    ),
    EventType(
        "client_guid",
        "Client GUID updated",
        "client_guid",
        "change",
        of.CLIENT_GUID,
        synonyms=("client_guid_update",),
        is_raised=True,
    ),
    EventType("client_limits_update", "Client limits updated", "client_limits", "change", of.CLIENT_LIMITS),
    EventType(
        "client_limit_traffic_reached",
        "Traffic limit for client account reached",
        "client_limit_traffic",
        "change",
        of.CLIENT_TRAFFIC,
    ),
    EventType(
        "client_limit_size_reached",
        "Disk space limit for client reached",
        "client_limit_size",
        "change",
        of.CLIENT_SIZE,
    ),
    EventType(
        "client_permissions_update", "Client permissions updated", "client_permissions", "change", of.CLIENT_PERMISSIONS
    ),
    EventType(
        "client_preferences_update",
        "Client interface preferences updated",
        "client_preferences",
        "change",
        of.CLIENT_PREFERENCES,
        is_raised=True,
    ),
    EventType("client_ip_pool_update", "Client IP pool updated", "client_ip_pool", "change", of.CLIENT_IP_POOL),
    EventType(
        "client_siteapp_added", "Client application package added", "client_siteapp", "create", of.CLIENT_APPLICATION
    ),
    EventType(
        "client_siteapp_removed",
        "Client application package removed",
        "client_siteapp",
        "delete",
        of.CLIENT_APPLICATION,
    ),
    EventType("dashboard_preset_create", "Desktop preset created", "dashboard_preset", "create", of.DASHBOARD_PRESET),
    EventType("dashboard_preset_update", "Desktop preset updated", "dashboard_preset", "change", of.DASHBOARD_PRESET),
    EventType("dashboard_preset_delete", "Desktop preset deleted", "dashboard_preset", "delete", of.DASHBOARD_PRESET),
    EventType("domain_create", "Domain created", "domain", "create", of.DOMAIN, is_raised=True),
    EventType("domain_update", "Domain properties updated", "domain", "change", of.DOMAIN, is_raised=True),
    EventType("domain_delete", "Domain deleted", "domain", "delete", of.DOMAIN, is_raised=True),
    EventType(
        "domain_status_update", "Domain status updated", "domain_status", "change", of.DOMAIN_STATUS, is_raised=True
    ),
    EventType(
        "domain_guid",
        "Domain GUID updated",
        "domain_guid",
        "change",
        of.DOMAIN_GUID,
        synonyms=("domain_guid_update",),
        is_raised=True,
    ),
    EventType("domain_dns_update", "Domain DNS zone status updated", "domain_dns", "change", of.DOMAIN_DNS),
    EventType("subdomain_create", "Subdomain created", "subdomain", "create", of.SUBDOMAIN, is_raised=True),
    EventType("subdomain_update", "Subdomain properties updated", "subdomain", "change", of.SUBDOMAIN, is_raised=True),
    EventType("subdomain_delete", "Subdomain deleted", "subdomain", "delete", of.SUBDOMAIN, is_raised=True),
    EventType("domain_alias_create", "Domain alias created", "domain_alias", "create", of.DOMAIN_ALIAS),
    EventType("domain_alias_update", "Domain alias updated", "domain_alias", "change", of.DOMAIN_ALIAS),
    EventType("domain_alias_delete", "Domain alias deleted", "domain_alias", "delete", of.DOMAIN_ALIAS),
    EventType(
        "domain_alias_dns_update",
        "Domain alias DNS zone status updated",
        "domain_alias_dns",
        "change",
        of.DOMAIN_ALIAS_DNS,
    ),
    EventType(
        "admin_alias_create", "Additional administrator account created", "admin_alias", "create", of.ADMIN_ALIAS
    ),
    EventType(
        "admin_alias_update", "Additional administrator account updated", "admin_alias", "change", of.ADMIN_ALIAS
    ),
    EventType(
        "admin_alias_delete", "Additional administrator account deleted", "admin_alias", "delete", of.ADMIN_ALIAS
    ),
    EventType(
        "domain_limits_update", "Domain limits updated", "domain_limits", "change", of.DOMAIN_LIMITS, is_raised=True
    ),
    EventType(
        "domain_limit_traffic_reached",
        "Traffic limit for domain reached",
        "domain_limit_traffic",
        "change",
        of.DOMAIN_TRAFFIC,
    ),
    EventType(
        "domain_limit_size_reached",
        "Disk space limit for domain reached",
        "domain_limit_size",
        "change",
        of.DOMAIN_SIZE,
        is_raised=True,
    ),
    EventType("cp_user_login", "User logged in to control panel", "cp_user", "change", of.CP_USER, is_raised=True),
    EventType("cp_user_logout", "User logged out of control panel", "cp_user", "change", of.CP_USER, is_raised=True),
    EventType("mailname_create", "Mail account created", "mailname", "create", of.MAILNAME, is_raised=True),
    EventType("mailname_update", "Mail account updated", "mailname", "change", of.MAILNAME_UPDATE, is_raised=True),
    EventType("mailname_delete", "Mail account deleted", "mailname", "delete", of.MAILNAME, is_raised=True),
    EventType("maillist_create", "Mailing list created", "maillist", "create", of.MAILING_LIST),
    EventType("maillist_update", "Mailing list updated", "maillist", "change", of.MAILING_LIST),
    EventType("maillist_delete", "Mailing list deleted", "maillist", "delete", of.MAILING_LIST),
    EventType("phys_hosting_create", "Physical hosting created", "phosting", "create", of.HOSTING, is_raised=True),
    EventType(
        "phys_hosting_update", "Physical hosting account updated", "phosting", "change", of.HOSTING, is_raised=True
    ),
    EventType(
        "phys_hosting_delete",
        "Physical hosting account deleted",
        "phosting",
        "delete",
        of.HOSTING_DELETE,
        is_raised=True,
    ),
    EventType(
        "forwarding_create",
        "Standard or frame forwarding created",
        "forwarding",
        "create",
        of.FORWARDING,
        is_raised=True,
    ),
    EventType(
        "forwarding_update",
        "Standard or frame forwarding updated",
        "forwarding",
        "change",
        of.FORWARDING,
        is_raised=True,
    ),
    EventType(
        "forwarding_delete",
        "Standard or frame forwarding deleted",
        "forwarding",
        "delete",
        of.FORWARDING_DELETE,
        is_raised=True,
    ),
    EventType("webuser_create", "Web user created", "webuser", "create", of.WEB_USER, is_raised=True),
    EventType("webuser_update", "Web user properties updated", "webuser", "change", of.WEB_USER, is_raised=True),
    EventType("webuser_delete", "Web user account deleted", "webuser", "delete", of.WEB_USER_DELETE, is_raised=True),
    EventType("siteapp_install", "Site application installed", "siteapp", "create", of.APPLICATION),
    EventType("siteapp_reconfigure", "Site application reconfigured", "siteapp", "change", of.APPLICATION),
    EventType("siteapp_uninstall", "Site application uninstalled", "siteapp", "delete", of.APPLICATION),
    EventType(
        "siteapppkg_install", "Site application package installed", "siteapppkg", "create", of.APPLICATION_PACKAGE
    ),
    EventType(
        "siteapppkg_uninstall", "Site application package uninstalled", "siteapppkg", "delete", of.APPLICATION_PACKAGE
    ),
    EventType("license_update", "License key updated", "license", "change", of.LICENSE),
    EventType("license_expired", "Panel license has expired", "license", "change", of.LICENSE_EXPIRED),
    EventType(
        "database_server_create", "Connection to database server created", "db_server", "create", of.DATABASE_SERVER
    ),
    EventType(
        "database_server_update", "Connection to database server updated", "db_server", "change", of.DATABASE_SERVER
    ),
    EventType(
        "database_server_delete", "Connection to database server deleted", "db_server", "delete", of.DATABASE_SERVER
    ),
    EventType("database_create", "Database created", "db", "create", of.DATABASE),
    EventType("database_delete", "Database deleted", "db", "delete", of.DATABASE),
    EventType("database_user_create", "Database user account created", "db_user", "create", of.DATABASE_USER),
    EventType(
        "database_user_update", "Database user account preferences updated", "db_user", "change", of.DATABASE_USER
    ),
    EventType("database_user_delete", "Database user account deleted", "db_user", "delete", of.DATABASE_USER),
    EventType(
        "remote_dns_status_update", "Remote DNS status updated", "remote_dns_status", "change", of.REMOTE_DNS_STATUS
    ),
    EventType("ftpuser_create", "FTP account created", "ftpuser", "create", of.FTP_USER, is_raised=True),
    EventType("ftpuser_update", "FTP account updated", "ftpuser", "change", of.FTP_USER, is_raised=True),
    EventType("ftpuser_delete", "FTP account deleted", "ftpuser", "delete", of.FTP_USER_DELETE, is_raised=True),
    EventType("plesk_component_upgrade", "Panel component upgraded", "component", "change", of.COMPONENT),
)

EVENTS: dict[str, EventType] = {event.name: event for event in _DECLARED}
"""Every event by its name, in the order of the documentation."""

_SYNONYMS = {synonym: event for event in _DECLARED for synonym in event.synonyms}


def event(name: str) -> EventType:
    """The event of that name, which may be a synonym. Raises NotFound; the message names the near ones."""
    found = EVENTS.get(name) or _SYNONYMS.get(name)
    if found is None:
        near = get_close_matches(name, [*EVENTS, *_SYNONYMS], 3, 0.7)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Check its spelling."
        raise NotFound(f"event: there is no event {name!r}. {hint}", field="event")
    return found
