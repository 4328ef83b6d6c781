"""What callers ask of webspaces and sites. None leaves a thing as it is, or at its default in a new object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from innkeeper.mail.requests import Preferences as MailPreferences

NO_MAIL_CHANGES = MailPreferences()


@dataclass(frozen=True, slots=True)
class HostingSettings:
    """Web hosting of a site: a type, and properties or a forwarding. In a change, a patch of what is there."""

    type: str
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)
    url: str = ""
    code: int | None = None
    ip_addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preferences:
    """Small settings of a site. `statistics_months` 0 keeps statistics for ever."""

    www: bool | None = None
    statistics_months: int | None = None
    bandwidth: int | None = None
    max_connections: int | None = None
    description: str | None = None
    outgoing_limit: str | None = None


@dataclass(frozen=True, slots=True)
class Entitlements:
    """What the owner of a webspace may use. Only the provider changes it."""

    overuse: str | None = None
    limits: Mapping[str, str] = field(default_factory=dict)
    limits_to_zero: bool = False
    permissions: Mapping[str, str] = field(default_factory=dict)
    revoke_permissions: bool = False
    php_settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return self == Entitlements()


@dataclass(frozen=True, slots=True)
class NewWebspace:
    """A webspace with its main site. `owner_id` None is the caller."""

    name: str
    owner_id: int | None = None
    status: int = 0
    hosting: HostingSettings | None = None
    ip_addresses: tuple[str, ...] = ()
    preferences: Preferences = Preferences()
    entitlements: Entitlements = Entitlements()
    external_id: str = ""
    admin_description: str = ""
    reseller_description: str = ""
    mail: MailPreferences = NO_MAIL_CHANGES


@dataclass(frozen=True, slots=True)
class WebspaceChanges:
    """What to change of a webspace."""

    name: str | None = None
    owner_id: int | None = None
    status: int | None = None
    hosting: HostingSettings | None = None
    ip_addresses: tuple[str, ...] = ()
    preferences: Preferences = Preferences()
    entitlements: Entitlements = Entitlements()
    external_id: str | None = None
    admin_description: str | None = None
    reseller_description: str | None = None
    new_guid: bool = False
    mail: MailPreferences = NO_MAIL_CHANGES


@dataclass(frozen=True, slots=True)
class NewSite:
    """A site inside a webspace, or a subdomain of the site `parent_id`. One of the two ids is needed."""

    name: str
    webspace_id: int | None = None
    parent_id: int | None = None
    status: int = 0
    hosting: HostingSettings | None = None
    preferences: Preferences = Preferences()
    mail_service: bool = True
    own_user: SubdomainLogin | None = None


@dataclass(frozen=True, slots=True)
class SiteChanges:
    """What to change of a site. `turn_off_action` is `disable` or `suspend`."""

    name: str | None = None
    status: int | None = None
    turn_off_action: str | None = None
    hosting: HostingSettings | None = None
    preferences: Preferences = Preferences()
    new_guid: bool = False


@dataclass(frozen=True, slots=True)
class NewWebUser:
    """A web user of a site. `crypt` says that the password is a ready hash. `quota_bytes` -1 is no limit."""

    site_id: int
    login: str
    password: str = field(default="", repr=False)
    crypt: bool = False
    quota_bytes: int = -1
    services: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WebUserChanges:
    """What to change of a web user."""

    password: str | None = field(default=None, repr=False)
    crypt: bool = False
    quota_bytes: int | None = None
    services: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewFTPAccount:
    """An additional FTP account of a webspace. `home` is a folder below the webspace's root.

    `makes_home` asks that it is made if it is not there.
    """

    webspace_id: int
    name: str
    password: str = field(repr=False)
    home: str = ""
    quota_bytes: int = -1
    may_read: bool = True
    may_write: bool = True
    makes_home: bool = False


@dataclass(frozen=True, slots=True)
class FTPAccountChanges:
    """What to change of an FTP account."""

    name: str | None = None
    password: str | None = field(default=None, repr=False)
    home: str | None = None
    quota_bytes: int | None = None
    may_read: bool | None = None
    may_write: bool | None = None
    makes_home: bool = False


@dataclass(frozen=True, slots=True)
class SubdomainLogin:
    """A system user of a subdomain's own, in place of its domain's."""

    login: str
    password: str = field(repr=False)
    quota_bytes: int = -1
