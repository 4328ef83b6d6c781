"""The control-panel events of webspaces and sites."""

from __future__ import annotations

from innkeeper.events.catalogue import event

DOMAIN_CREATE = event("domain_create")
DOMAIN_UPDATE = event("domain_update")
DOMAIN_DELETE = event("domain_delete")
DOMAIN_STATUS_UPDATE = event("domain_status_update")
SUBDOMAIN_CREATE = event("subdomain_create")
SUBDOMAIN_UPDATE = event("subdomain_update")
SUBDOMAIN_DELETE = event("subdomain_delete")
DOMAIN_GUID = event("domain_guid")
DOMAIN_LIMITS_UPDATE = event("domain_limits_update")
DOMAIN_LIMIT_SIZE_REACHED = event("domain_limit_size_reached")
FORWARDING_CREATE = event("forwarding_create")
FORWARDING_UPDATE = event("forwarding_update")
FORWARDING_DELETE = event("forwarding_delete")
PHYS_HOSTING_CREATE = event("phys_hosting_create")
PHYS_HOSTING_UPDATE = event("phys_hosting_update")
PHYS_HOSTING_DELETE = event("phys_hosting_delete")
WEBUSER_CREATE = event("webuser_create")
WEBUSER_UPDATE = event("webuser_update")
WEBUSER_DELETE = event("webuser_delete")
FTPUSER_CREATE = event("ftpuser_create")
FTPUSER_UPDATE = event("ftpuser_update")
FTPUSER_DELETE = event("ftpuser_delete")
