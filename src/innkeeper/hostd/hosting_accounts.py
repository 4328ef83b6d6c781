"""Hosting accounts on disk: which folder, system users and groups belong to a domain, a subdomain or a web user.

Pure. Names, numbers and paths follow from the ids and the domain's name alone, so that the one who asks hostd can name
neither a user nor a path, and so that nothing has to be remembered to make them again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from innkeeper.instance.config import HOSTING_IDS, Instance, InstanceError

Kind = Literal["domain", "subdomain", "webuser"]
Hosting = Literal["virtual", "frame"]

KINDS: tuple[Kind, ...] = ("domain", "subdomain", "webuser")
HOSTINGS: tuple[Hosting, ...] = ("virtual", "frame")
GROUP_TAGS = frozenset({"FtpSubaccounts", "psaServer"})
"""The tags that name a group; all others name a user."""

DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9_][a-z0-9_-]*(\.[a-z0-9_-]+)+")
NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,252}")
KEY = re.compile(r"([sd])([1-9][0-9]{0,6})(-web)?|([uf])([1-9][0-9]{0,6})")
TREE_KEY = re.compile(r"[sdu][1-9][0-9]{0,6}")
FOLDERS = frozenset({
    "anon_ftp", "cgi-bin", "conf", "error_docs", "httpdocs", "httpsdocs", "logs", "private", "statistics",
    "subdomains", "web_users",
})  # fmt: skip
"""The folders of the default layout; those with a point before their names are the product's too."""
DOCUMENT_FOLDERS = frozenset({"httpdocs", "httpsdocs", "private"})
"""Those in which the document root of a site may lie."""
FIRST_OFFSET = 1_000
MAX_DEPTH, MAX_NAME = 16, 255
BIGGEST_ID = (HOSTING_IDS - FIRST_OFFSET) // 4 - 1
"""The biggest row id that has its four numbers in the instance's range."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What the database knows of a hosting account. `name` is the subdomain's part or the web user's login.

    `id` is the row's: of the site, or of the web user. `site` is the domain's row; a webspace shares its id with its
    main site. A `native` subdomain has a system user of its own, any other is its domain's. `writable` is the setting
    of additional write and modify permissions, `www_root` the document root if it is not `httpdocs`.
    """

    kind: Kind
    id: int
    webspace: int
    site: int
    domain: str
    name: str = ""
    hosting: Hosting = "virtual"
    native: bool = False
    writable: bool = False
    www_root: str = ""

    @property
    def key(self) -> str:
        """Names the account's tree, for ever: ids are never used again."""
        return {"domain": "s", "subdomain": "d", "webuser": "u"}[self.kind] + str(self.id)

    @property
    def folder(self) -> tuple[str, ...]:
        """The folder below the root of all hosted content."""
        if self.kind == "domain":
            return (self.domain,)
        return (self.domain, "subdomains" if self.kind == "subdomain" else "web_users", self.name)

    @property
    def user_keys(self) -> dict[str, str]:
        """The system users that act on the account, by the tag that rules have for them."""
        parent, anonymous_parent = f"s{self.webspace}", f"s{self.site}-web"
        if self.kind == "domain":
            return {"DomainUser": parent, "AnonymousDomainUser": anonymous_parent}
        own, anonymous = parent, anonymous_parent
        if self.kind == "webuser":
            own = f"u{self.id}"
        elif self.native:
            own, anonymous = f"d{self.id}", f"d{self.id}-web"
        return {
            "DomainUser": own,
            "AnonymousDomainUser": anonymous,
            "ParentUser": parent,
            "AnonymousParentUser": anonymous_parent,
        }


@dataclass(frozen=True, slots=True)
class HostingAccount:
    """A hosting account of an instance: its folder, and the system users and groups by the tags of rules."""

    spec: Spec
    root: Path
    users: Mapping[str, str]

    @property
    def kind(self) -> Kind:
        return self.spec.kind

    @property
    def domain(self) -> str:
        return self.spec.domain

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def hosting(self) -> Hosting:
        return self.spec.hosting

    @property
    def metadata(self) -> Path:
        """The file of the account's own rules. A web user's lies in the root of its domain."""
        if self.kind == "webuser":
            return self.root.parent.parent / f".Web.{self.name}.security"
        return self.root / ".security"


def document_root(text: str) -> str:
    """A document root as it is kept: the names below the account's folder; nothing for `httpdocs`.

    Raises ValueError that says what is wrong.
    """
    names = [name for name in text.split("/") if name]
    if "." in names or ".." in names:
        raise ValueError("it leaves the site's folder. Give a folder below it")
    if len(names) > MAX_DEPTH or any(len(name.encode()) > MAX_NAME for name in names):
        raise ValueError(f"it has more than {MAX_DEPTH} folders, or a name of more than {MAX_NAME} bytes. Shorten it")
    if not text.isprintable() or any(name.strip() != name for name in names):
        raise ValueError("a name in it begins or ends with a blank, or cannot be printed. Give another")
    if names and (names[0].startswith(".") or names[0] in FOLDERS - DOCUMENT_FOLDERS):
        raise ValueError(f"{names[0]} has its own purpose. Give httpdocs, a folder in it, or a folder of another name")
    return "" if names == ["httpdocs"] else "/".join(names)


def describe(instance: Instance, spec: Spec) -> HostingAccount:
    """The hosting account that a row means on this instance."""
    users = {tag: user_name(instance, key) for tag, key in spec.user_keys.items()}
    return HostingAccount(
        spec=spec,
        root=instance.vhosts.joinpath(*spec.folder),
        users=users
        | {
            "FtpSubaccounts": instance.hosting_groups["ftp_subaccounts"],
            "PsaAdmin": instance.users.panel,
            "psaServer": instance.hosting_groups["psaserv"],
        },
    )


def user_name(instance: Instance, key: str) -> str:
    """The system user of a key: `s17` main user of a webspace, `s17-web` anonymous visitors of a domain, `d9` a
    subdomain's own, `u5` web user, `f3` additional FTP account.

    It carries the instance's name, so that it is never somebody's log-in name, and has at most 32 characters.
    """
    return f"{instance.name}-{key}"


def user_id(instance: Instance, key: str) -> int:
    """The number of a key's system user. Raises InstanceError for an id that is beyond the instance's range.

    A function of the key: a removed user's number is never given to another, who would find files of it in graves.
    """
    found = KEY.fullmatch(key)
    if found is None:
        raise ValueError(f"{key!r} is no key of a system user")
    number = int(found[2] or found[5])
    if not instance.first_id or number > BIGGEST_ID:
        raise InstanceError(f"{instance.name} has no user id for {key}.")
    place = {"s": 0, "d": 0, "u": 2, "f": 3}[found[1] or found[4]] + (1 if found[3] else 0)
    return instance.first_id + FIRST_OFFSET + number * 4 + place


def group_name(instance: Instance, key: str) -> str:
    """The group of a key's system user: that of additional FTP accounts, or that of all customers' users."""
    return instance.hosting_groups["ftp_subaccounts" if key.startswith("f") else "psacln"]
