"""Events of webspaces and sites, with the parameters of the control panel's catalogue."""

from __future__ import annotations

from innkeeper.core.events import EventType

_NAMED = frozenset({"domain_name"})
# `system_user_password` and the FrontPage names are parameters of the catalogue and always empty here.
_HOSTING = (
    "domain_name", "ip_address", "ip_type", "system_user", "system_user_password", "system_shell", "fp_support",
    "fpssl_support", "fp_authoring", "fp_admin_login", "fp_admin_password", "ssi_support", "php_support",
    "cgi_support", "perl_support", "python_support", "coldfusion_support", "asp_support", "ssl_support",
    "custom_error_documents", "web_statistics", "hard_disk_quota",
)  # fmt: skip

_SUBDOMAIN = (
    "subdomain_name", "domain_name", "system_user_type", "system_user", "system_user_password", "hard_disk_quota",
    "ssi_support", "php_support", "cgi_support", "perl_support", "python_support", "coldfusion_support", "asp_support",
)  # fmt: skip
_BOTH = frozenset({"subdomain_name", "domain_name"})

DOMAIN_CREATE = EventType("domain_create", "domain", "create", ("domain_name",), _NAMED)
DOMAIN_UPDATE = EventType("domain_update", "domain", "change", ("domain_name",), _NAMED)
DOMAIN_DELETE = EventType("domain_delete", "domain", "delete", ("domain_name",), _NAMED)
DOMAIN_STATUS_UPDATE = EventType("domain_status_update", "domain_status", "change", ("domain_name", "status"), _NAMED)
SUBDOMAIN_CREATE = EventType("subdomain_create", "subdomain", "create", _SUBDOMAIN, _BOTH)
SUBDOMAIN_UPDATE = EventType("subdomain_update", "subdomain", "change", _SUBDOMAIN, _BOTH)
SUBDOMAIN_DELETE = EventType("subdomain_delete", "subdomain", "delete", _SUBDOMAIN, _BOTH)
PHYS_HOSTING_CREATE = EventType("phys_hosting_create", "phosting", "create", _HOSTING, _NAMED)
PHYS_HOSTING_UPDATE = EventType("phys_hosting_update", "phosting", "change", _HOSTING, _NAMED)
PHYS_HOSTING_DELETE = EventType("phys_hosting_delete", "phosting", "delete", ("system_user", "domain_name"), _NAMED)
