"""Names of limits, permissions and hosting properties: what each may hold, and what holds when nothing is stored.

A name that is not served is accepted while its value switches nothing on, so that clients which always send their
whole list keep working; any other value of it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from innkeeper.core import machine
from innkeeper.core.errors import InvalidValue
from innkeeper.hostd.hosting_accounts import document_root

VHOSTS = "/var/www/vhosts"
"""Where clients expect all hosted content to lie; an instance has a folder of its own for it."""
UNLIMITED = -1
BIGGEST = 2**63 - 1
HARMLESS = frozenset({"", "false", "0", "-1", "none", "off"})
# Of products that are no more; old clients send 0 or 1.
SWITCHED_LIMITS = frozenset({"max_site_builder", "upsell_site_builder", "max_unity_mobile_sites"})
BOOLEANS = {"true": "true", "1": "true", "on": "true", "false": "false", "0": "false", "off": "false"}

# Name -> unit and label. The value of a limit that is not stored is unlimited.
LIMITS: dict[str, tuple[Literal["bytes", "int", "date"], str]] = {
    "disk_space": ("bytes", "Disk space"),
    "disk_space_soft": ("bytes", "Notify upon reaching this disk space"),
    "max_traffic": ("bytes", "Traffic"),
    "max_traffic_soft": ("bytes", "Notify upon reaching this traffic"),
    "max_site": ("int", "Domains"),
    "max_subdom": ("int", "Subdomains"),
    "max_dom_aliases": ("int", "Domain aliases"),
    "max_wu": ("int", "Web users"),
    "max_subftp_users": ("int", "Additional FTP accounts"),
    "max_db": ("int", "Databases"),
    "max_box": ("int", "Mailboxes"),
    "max_redir": ("int", "Mail redirects"),
    "max_mg": ("int", "Mail groups"),
    "max_resp": ("int", "Mail autoresponders"),
    "max_maillists": ("int", "Mailing lists"),
    "mbox_quota": ("bytes", "Size of a mailbox"),
    "total_mboxes_quota": ("bytes", "Total size of mailboxes"),
    "expiration": ("date", "Expiration date"),
}
OVERUSE = ("block", "normal", "notify", "not_suspend", "not_suspend_notify")

# Name -> default and label.
PERMISSIONS: dict[str, tuple[bool, str]] = {
    "create_domains": (True, "Domain management"),
    "manage_phosting": (True, "Hosting settings management"),
    "manage_php_settings": (False, "PHP settings management"),
    "manage_php_version": (True, "PHP version management"),
    "manage_sh_access": (False, "Shell access management"),
    "manage_not_chroot_shell": (False, "Shell access without chroot"),
    "manage_quota": (False, "Hard disk quota management"),
    "manage_subdomains": (True, "Subdomain management"),
    "manage_domain_aliases": (True, "Domain alias management"),
    "manage_log": (True, "Log rotation management"),
    "manage_anonftp": (False, "Anonymous FTP management"),
    "manage_subftp": (True, "FTP account management"),
    "manage_crontab": (False, "Scheduler management"),
    "manage_dns": (True, "DNS zone management"),
    "manage_webstat": (True, "Web statistics management"),
    "manage_mail_settings": (True, "Mail service management"),
    "manage_maillists": (True, "Mailing list management"),
    "manage_spamfilter": (True, "Spam filter management"),
    "manage_virusfilter": (True, "Antivirus management"),
    "manage_performance": (False, "Performance management"),
    "manage_website_maintenance": (True, "Website maintenance"),
    "manage_protected_dirs": (True, "Protected directory management"),
    "select_db_server": (False, "Database server selection"),
    "allow_local_backups": (True, "Backup to the server"),
    "allow_ftp_backups": (True, "Backup to an FTP repository"),
    "allow_insecure_sites": (False, "Setup of potentially insecure web scripting"),
    "access_appcatalog": (False, "Application catalogue"),
    "access_service_users": (True, "User management"),
    "remote_access_interface": (True, "Use of the XML API"),
    "cp_access": (True, "Access to the panel"),
}


@dataclass(frozen=True, slots=True)
class Property:
    """A virtual-hosting property of a site. `type` is the protocol's; `choices` bounds a string."""

    type: Literal["boolean", "string", "bytes", "password"]
    label: str
    default: str = ""
    choices: tuple[str, ...] = ()
    webspace_only: bool = False


PROPERTIES: dict[str, Property] = {
    "ftp_login": Property("string", "System user", webspace_only=True),
    "ftp_password": Property("password", "Password of the system user", webspace_only=True),
    "ftp_quota": Property("bytes", "Hard disk quota", "-1", webspace_only=True),
    "shell": Property("string", "Access to the server over SSH", "/bin/false", webspace_only=True),
    "www_root": Property("string", "Document root"),
    "ssl": Property("boolean", "SSL/TLS support", "false"),
    "ssl-redirect": Property("boolean", "Permanent redirect from HTTP to HTTPS", "false"),
    "certificate_name": Property("string", "Certificate"),
    "php": Property("boolean", "PHP support", "false"),
    "php_handler_id": Property("string", "PHP handler"),
    "php_handler_type": Property("string", "Run PHP as", "fpm", ("module", "fastcgi", "cgi", "fpm")),
    "php_version": Property("string", "PHP version"),
    "php_served_by_nginx": Property("boolean", "PHP served by nginx", "false"),
    "cgi": Property("boolean", "CGI support", "false"),
    "cgi_mode": Property("string", "Place of CGI scripts", "www-root", ("webspace", "www-root")),
    "fastcgi": Property("boolean", "FastCGI support", "false"),
    "perl": Property("boolean", "Perl support", "false"),
    "python": Property("boolean", "Python support", "false"),
    "ssi": Property("boolean", "SSI support", "false"),
    "ssi_html": Property("boolean", "SSI in HTML files", "false"),
    "errdocs": Property("boolean", "Custom error documents", "false"),
    "webstat": Property("string", "Web statistics", "none", ("none", "awstats", "webalizer")),
    "webstat_protected": Property("boolean", "Web statistics behind a password", "false"),
    "write_modify": Property("boolean", "Additional write and modify permissions", "false"),
    "wu_script": Property("boolean", "Scripting for web users", "false"),
}
# The folders of a domain that its owner fills.
OWN_FOLDERS = ("httpdocs", "httpsdocs", "cgi-bin", "private")
# What a web user may use.
SERVICES = ("ssi", "php", "cgi", "perl", "python", "fastcgi", "write_modify")
# Sent by old clients whatever the server; nothing of this kind is served.
DROPPED_PROPERTIES = frozenset(
    {
        "ftp_password_type", "fp", "fp_ssl", "fp_auth", "fp_admin_login", "fp_admin_password", "safe_mode",
        "open_basedir", "asp", "miva", "coldfusion", "managed_runtime_version",
    }
)  # fmt: skip
PHP_SETTING = re.compile(r"[a-z][a-z0-9_.\-]{0,63}")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def clean_limits(values: Mapping[str, str]) -> dict[str, int]:
    """The limits that are served, checked. Raises InvalidValue."""
    result = {}
    for name, text in values.items():
        if name not in LIMITS:
            _require_harmless("limit", name, text, extra=frozenset({"1"} if name in SWITCHED_LIMITS else ()))
            continue
        try:
            number = int(text)
        except ValueError:
            number = UNLIMITED - 1
        if not UNLIMITED <= number <= BIGGEST:
            raise InvalidValue(
                f"limit {name}: {text!r} is not a limit. Give a whole number, or -1 for none.", field=name
            )
        result[name] = number
    return result


def clean_permissions(values: Mapping[str, str]) -> dict[str, bool]:
    """The permissions that are served, checked. Raises InvalidValue."""
    result = {}
    for name, text in values.items():
        if name not in PERMISSIONS:
            _require_harmless("permission", name, text)
            continue
        result[name] = _boolean("permission", name, text) == "true"
    return result


def clean_properties(values: Mapping[str, str], *, webspace: bool) -> dict[str, str]:
    """The hosting properties that are served, checked, `ftp_password` included as it was sent. Raises InvalidValue."""
    result = {}
    for name, text in values.items():
        if name in DROPPED_PROPERTIES:
            continue
        rule = PROPERTIES.get(name)
        if rule is None:
            _require_harmless("property", name, text)
            continue
        if rule.webspace_only and not webspace:
            raise InvalidValue(
                f"property {name}: it belongs to the webspace. Set it on the webspace, not on a site in it.", field=name
            )
        result[name] = _property(name, rule, text)
    return result


def clean_services(values: Mapping[str, str]) -> dict[str, bool]:
    """What a web user may use, checked. Raises InvalidValue."""
    result = {}
    for name, text in values.items():
        if name in SERVICES:
            result[name] = _boolean("service", name, text) == "true"
        elif name not in DROPPED_PROPERTIES:
            _require_harmless("service", name, text)
    return result


def clean_folder(field: str, text: str, *, made: bool = False) -> str:
    """A folder below a webspace's root, without slashes at its ends. Raises InvalidValue.

    `made` says that it is to be made if it is not there.
    """
    if CONTROL.search(text) or "\n" in text or len(text) > 255:
        raise InvalidValue(
            f"{field}: it holds control characters, or more than 255 characters. Shorten it.", field=field
        )
    parts = [part for part in text.strip().strip("/").split("/") if part]
    if ".." in parts or "." in parts:
        raise InvalidValue(f"{field}: {text!r} leaves the webspace. Give a folder below its root.", field=field)
    if made and (not parts or parts[0] not in OWN_FOLDERS):
        raise InvalidValue(
            f"{field}: {text!r} cannot be made there. Give a folder in {', '.join(OWN_FOLDERS)}.", field=field
        )
    return "/".join(parts)


def clean_php_settings(values: Mapping[str, str]) -> dict[str, str]:
    """PHP settings with valid names and one-line values, `additional-directives` excepted. Raises InvalidValue."""
    for name, text in values.items():
        if not PHP_SETTING.fullmatch(name):
            raise InvalidValue(f"setting {name!r}: it is not the name of a PHP setting.", field=name)
        if CONTROL.search(text) or ("\n" in text and name != "additional-directives"):
            raise InvalidValue(f"setting {name}: it holds control characters. Leave them out.", field=name)
    return dict(values)


def _property(name: str, rule: Property, text: str) -> str:
    if rule.type == "boolean":
        return _boolean("property", name, text)
    if CONTROL.search(text) or "\n" in text or len(text) > 1024:
        raise InvalidValue(
            f"property {name}: it holds control characters, or more than 1024 characters. Shorten it.", field=name
        )
    if rule.type == "bytes" and not (re.fullmatch(r"-1|[0-9]{1,18}", text)):
        raise InvalidValue(f"property {name}: {text!r} is no size. Give bytes, or -1 for no limit.", field=name)
    if rule.choices and text not in rule.choices:
        raise InvalidValue(f"property {name}: {text!r} is unknown. Use one of {', '.join(rule.choices)}.", field=name)
    if name == "shell" and text not in (known := [path for _, path in machine.shells()]):
        raise InvalidValue(f"property shell: there is no shell {text!r}. Use one of {', '.join(known)}.", field=name)
    if name == "www_root":
        try:
            return document_root(text.strip())
        except ValueError as error:
            raise InvalidValue(f"property www_root: {error}.", field=name) from None
    return text


def below_site(root: str, path: str) -> str:
    """A document root as it is set, of one that may be written as it is shown: with the folder of its site."""
    names = [name for name in path.split("/") if name]
    top = [name for name in root.split("/") if name]
    if not path.startswith("/") or names[: len(top)] != top or len(names) == len(top):
        return path
    below = names[len(top) + 1 :]
    return "/".join(below[2:] if below[:1] == ["subdomains"] else below)


def _boolean(kind: str, name: str, text: str) -> str:
    value = BOOLEANS.get(text.strip().lower())
    if value is None:
        raise InvalidValue(f"{kind} {name}: {text!r} is neither true nor false.", field=name)
    return value


def _require_harmless(kind: str, name: str, text: str, extra: frozenset[str] = frozenset()) -> None:
    if text.strip().lower() not in HARMLESS | extra:
        raise InvalidValue(
            f"{kind} {name}: this server has no such {kind}. Leave it out; the descriptor lists the known ones.",
            field=name,
        )
