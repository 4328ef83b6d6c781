"""Web hosting and the settings of one site: checked first, then written inside the caller's operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from innkeeper.core import passwords
from innkeeper.core.errors import InvalidValue
from innkeeper.core.names import system_user
from innkeeper.core.operation import Operation, is_planning
from innkeeper.hosting import catalogue, events
from innkeeper.hosting.models import HostingProperty, Site, Webspace
from innkeeper.hosting.operations.records import FORWARDING, forwarding_values, record_forwarding
from innkeeper.hosting.queries import hosting_root
from innkeeper.hosting.requests import HostingSettings, Preferences
from innkeeper.jobs.effects import place_hosting

WEBSPACE_COLUMNS = ("ftp_login", "ftp_password")
PLACED = {Site.Hosting.VIRTUAL, Site.Hosting.FRAME_FORWARDING}
"""The types of hosting that have folders and system users."""

URL_LENGTH = 255
BIGGEST_SMALL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class CheckedHosting:
    """Hosting settings that may be written: names known, values valid, the password hashed."""

    type: str
    properties: dict[str, str] = field(default_factory=dict)
    url: str = ""
    code: int | None = None
    ftp_login: str | None = None
    ftp_password: str | None = field(default=None, repr=False)
    clear_password: str | None = field(default=None, repr=False)


def check_hosting(request: HostingSettings | None, *, webspace: bool, new: bool) -> CheckedHosting | None:
    """Validate and hash; call before the operation opens. Raises InvalidValue."""
    if request is None:
        return None
    if request.type not in Site.Hosting.values:
        raise InvalidValue(f"htype: {request.type!r} is unknown. Use vrt_hst, std_fwd, frm_fwd or none.", field="htype")
    if request.type in (Site.Hosting.FORWARDING, Site.Hosting.FRAME_FORWARDING):
        return CheckedHosting(request.type, url=_url(request.url), code=_code(request))
    if request.type == Site.Hosting.NONE:
        return CheckedHosting(request.type)
    given = dict(request.properties)
    if "www_root" in given:
        given["www_root"] = catalogue.below_site(hosting_root(), given["www_root"])
    properties = catalogue.clean_properties(given, webspace=webspace)
    login = properties.pop("ftp_login", None)
    password = properties.pop("ftp_password", None)
    if webspace and new and not (login and password):
        raise InvalidValue(
            "property ftp_login: virtual hosting needs ftp_login and ftp_password, its system user. Give both.",
            field="ftp_login",
        )
    if login is not None:
        system_user(login)
    stored = clear = None
    if password:
        if request.properties.get("ftp_password_type") == "crypt":
            stored = passwords.import_hash(password, field="ftp_password")
        else:
            passwords.check(password, login or "", field="ftp_password")
            stored = "" if is_planning() else passwords.hash_mail(password)
            clear = password
    return CheckedHosting(request.type, properties, ftp_login=login, ftp_password=stored, clear_password=clear)


def _url(text: str) -> str:
    url = text.strip()
    if "://" not in url:
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
        port = parts.port  # raises ValueError for one that is no number
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
    except ValueError:
        valid = False
    if not valid or len(url) > URL_LENGTH or catalogue.CONTROL.search(url) or any(c.isspace() for c in url):
        raise InvalidValue(f"dest_url: {text!r} is not a web address. Give one such as https://example.com/.",
                           field="dest_url")  # fmt: skip
    return url


def _code(request: HostingSettings) -> int | None:
    if request.type == Site.Hosting.FRAME_FORWARDING:
        return None
    code = 301 if request.code is None else request.code
    if code not in (301, 302):
        raise InvalidValue(f"http_code: {code} is no redirect that is offered. Use 301 or 302.", field="http_code")
    return code


def write_hosting(operation: Operation, site: Site, webspace: Webspace, checked: CheckedHosting | None) -> None:
    """Apply checked settings to a stored site, and record the event of what it means. Saves neither row."""
    if checked is None:
        return
    was_virtual = site.hosting_type == Site.Hosting.VIRTUAL
    is_virtual = checked.type == Site.Hosting.VIRTUAL
    is_main = webspace.pk == site.pk
    before = described(site, webspace) if was_virtual and site.parent_id is None else {}
    forwarded = forwarding_values(site, webspace) if site.hosting_type in FORWARDING else {}
    old_login = webspace.ftp_login if is_main else None
    if {site.hosting_type, checked.type} & PLACED:
        place_hosting(webspace.pk)
    site.hosting_type = Site.Hosting(checked.type)
    site.forwarding_url, site.forwarding_code = checked.url, checked.code
    if is_virtual:
        if is_main:
            webspace.ftp_login = webspace.ftp_login if checked.ftp_login is None else checked.ftp_login
            webspace.ftp_password = webspace.ftp_password if checked.ftp_password is None else checked.ftp_password
        _write_properties(site, checked.properties)
    elif was_virtual:
        HostingProperty.objects.filter(site=site).delete()
        if is_main:
            webspace.ftp_login, webspace.ftp_password = None, ""
    if site.parent_id is not None:
        return  # the subdomain's own events tell of its hosting
    record_forwarding(operation, site, webspace, forwarded)
    secrets = {"system_user_password": checked.clear_password} if checked.clear_password and is_main else None
    if is_virtual and was_virtual:
        after = described(site, webspace)
        operation.event(events.PHYS_HOSTING_UPDATE, site.pk, old=before, new=after, secrets=secrets)
    elif is_virtual:
        operation.event(events.PHYS_HOSTING_CREATE, site.pk, new=described(site, webspace), secrets=secrets)
    elif was_virtual:
        record_hosting_end(operation, site, old_login)


def record_hosting_end(operation: Operation, site: Site, system_user_name: str | None) -> None:
    """The event of virtual hosting that goes away."""
    operation.event(
        events.PHYS_HOSTING_DELETE, site.pk, old={"domain_name": site.name, "system_user": system_user_name}
    )


def _write_properties(site: Site, properties: dict[str, str]) -> None:
    HostingProperty.objects.bulk_create(
        [HostingProperty(site=site, name=name, value=value) for name, value in properties.items()],
        update_conflicts=True,
        unique_fields=["site", "name"],
        update_fields=["value"],
    )


def described(site: Site, webspace: Webspace) -> dict[str, object]:
    """The values of a site with virtual hosting in its events."""
    stored = dict(HostingProperty.objects.filter(site=site).values_list("name", "value"))

    def value(name: str) -> str:
        return stored.get(name, catalogue.PROPERTIES[name].default)

    addresses = [ip for ip in (webspace.ipv4, webspace.ipv6) if ip is not None]
    return {
        "domain_name": site.name,
        "ip_address": " ".join(ip.address for ip in addresses),
        "ip_type": addresses[0].type if addresses else "",
        "system_user": webspace.ftp_login,
        "system_shell": value("shell"),
        "ssi_support": value("ssi"),
        "php_support": value("php"),
        "cgi_support": value("cgi"),
        "perl_support": value("perl"),
        "python_support": value("python"),
        "ssl_support": value("ssl"),
        "custom_error_documents": value("errdocs"),
        "web_statistics": value("webstat"),
        "hard_disk_quota": value("ftp_quota"),
    }


def check_preferences(request: Preferences) -> None:
    """Validate; raises InvalidValue."""
    for name, number, least in (
        ("stat_ttl", request.statistics_months, 0),
        ("bandwidth", request.bandwidth, -1),
        ("max_connections", request.max_connections, -1),
    ):
        if number is not None and not least <= number <= BIGGEST_SMALL:
            raise InvalidValue(f"{name}: {number} is out of range. Give {least} to {BIGGEST_SMALL}.", field=name)
    if request.description is not None and catalogue.CONTROL.search(request.description):
        raise InvalidValue("description: it holds control characters. Leave them out.", field="description")
    text = request.outgoing_limit
    if text is not None and text != "default" and not (text == "-1" or (text.isascii() and text.isdigit())):
        raise InvalidValue(
            f"outgoing-messages-domain-limit: {text!r} is no limit. Use default, -1 or messages an hour.",
            field="outgoing-messages-domain-limit",
        )


def apply_preferences(site: Site, request: Preferences) -> None:
    """Set the columns of checked preferences. Saves nothing."""
    if request.www is not None:
        site.www = request.www
    if request.statistics_months is not None:
        site.statistics_months = request.statistics_months or None
    if request.bandwidth is not None:
        site.bandwidth = request.bandwidth
    if request.max_connections is not None:
        site.max_connections = request.max_connections
    if request.description is not None:
        site.description = request.description
