"""Sample values of parameters: what the panel and the docs show, and what a test passes if no real event is there."""

from __future__ import annotations

from innkeeper.core.events import EventType, Parameter
from innkeeper.events.command import SIDES

_EMPTY = {"create": "old", "delete": "new"}

# By the name of the parameter; what is not here is found by its end.
_VALUES = {
    "address": "12 Station Road",
    "allow_domain_user_access": "true",
    "allow_multiple_sessions": "false",
    "autoresponders": "false",
    "city": "Brno",
    "company_name": "Sommer & Co",
    "contact_name": "Ines Sommer",
    "country": "CZ",
    "custom_error_documents": "false",
    "database_id": "3",
    "database_name": "shop",
    "database_server": "localhost:3306",
    "database_user_name": "shop_user",
    "desktop_preset_id": "1",
    "desktop_preset_name": "Standard",
    "desktop_preset_type": "client",
    "directory": "shop",
    "dns": "true",
    "domain_alias_name": "alias.example",
    "domain_id": "7",
    "domain_name": "example.com",
    "domain_type": "domain",
    "email": "ines@example.com",
    "expiration_date": "2031-12-31",
    "fax": "",
    "forwarding_type": "std_fwd",
    "fp_admin_login": "",
    "guid": "5d9c5f4e-8d3e-4d5c-9c40-3b6a2f6f1c55",
    "hard_disk_quota": "1073741824",
    "home_directory": "/httpdocs",
    "installation_prefix": "shop",
    "interface": "eth0",
    "interface_language": "en",
    "interface_skin": "light",
    "ip_address": "192.0.2.10",
    "ip_mask": "255.255.255.0",
    "ip_type": "shared",
    "license": "INNK.00000001",
    "license_name": "Innkeeper",
    "license_type": "open",
    "login_name": "ines",
    "mail": "true",
    "mail_group": "false",
    "mail_list_enabled": "true",
    "mail_list_name": "news",
    "mailbox": "true",
    "mailbox_quota": "104857600",
    "mailname": "jana@example.com",
    "package_name": "shop-1.2",
    "phone": "+420 555 0100",
    "plesk_component_name": "postfix",
    "postal_zip_code": "602 00",
    "redirect": "false",
    "redirect_address": "",
    "read_permission": "true",
    "remote_dns_status": "true",
    "service": "mail",
    "session_idle_time": "30",
    "site_application_package_name": "shop-1.2",
    "ssl_support": "true",
    "state_province": "South Moravia",
    "status": "0",
    "subdomain_name": "blog",
    "system_shell": "/bin/false",
    "system_user": "example",
    "system_user_type": "native",
    "url": "https://www.example.org/",
    "web": "true",
    "web_statistics": "goaccess",
    "webuser_name": "petr",
    "write_permission": "true",
}


def sample(event: EventType) -> dict[str, str]:
    """Every parameter of the event, old and new, with a value as an operation might give it. Passwords are empty."""
    return {
        f"{side}_{name}": "" if side == _EMPTY.get(event.kind) else sample_value(each)
        for each in event.parameters
        for name in (each.name, *each.synonyms)
        for side in SIDES
    }


def sample_value(parameter: Parameter) -> str:
    """A value of the parameter."""
    name = parameter.name
    if parameter.secret:
        return ""
    if parameter.default:
        return parameter.default
    if name in _VALUES:
        return _VALUES[name]
    if name.startswith("maximum_"):
        return "10737418240" if name in ("maximum_disk_space", "maximum_traffic", "maximum_mailbox_quota") else "10"
    if name.endswith("_support"):
        return "true"
    raise KeyError(f"{name}: no sample value is declared")
