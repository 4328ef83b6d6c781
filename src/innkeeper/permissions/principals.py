"""Accounts of this system as the model's identifiers: names, ids and who belongs to which group."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from innkeeper.permissions.nt import sid as sids
from innkeeper.permissions.nt.sid import Sid
from innkeeper.permissions.rules.entry import Rule
from innkeeper.permissions.rules.finding import Finding, Severity
from innkeeper.permissions.rules.vocabulary import PLACEHOLDER

EVERYBODY = frozenset((sids.EVERYONE, sids.AUTHENTICATED_USERS))
# Samba's names for the two local name spaces choose between a user and a group of the same name.
USER_DOMAIN, GROUP_DOMAIN = "unix user", "unix group"


# Sources of the system's name service whose accounts it lists completely.
_LISTED = {"files", "compat", "db", "systemd"}


class UnknownAccountError(LookupError):
    """No account of this system has the name."""


@dataclass(frozen=True)
class Principals:
    """The users and groups that rules can name, frozen at one moment.

    ``aliases`` gives other names to accounts of the system: {"psaserv": "Unix Group\\\\www-data"}. They are
    compared without regard to case, and are looked up first, so that they can also say what a well-known
    account such as NETWORK SERVICE means here.
    """

    users: Mapping[str, int]
    groups: Mapping[str, int]
    memberships: Mapping[int, frozenset[int]]
    aliases: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_system(cls, aliases: Mapping[str, str] | None = None) -> Principals:
        """All accounts that the system's name service lists, with their primary and supplementary groups."""
        users: dict[str, int] = {}
        groups: dict[str, int] = {}
        members: dict[int, set[int]] = {}
        for account in pwd.getpwall():
            users.setdefault(account.pw_name, account.pw_uid)
            members.setdefault(account.pw_uid, set()).add(account.pw_gid)
        for entry in grp.getgrall():
            groups.setdefault(entry.gr_name, entry.gr_gid)
            for name in entry.gr_mem:
                if name in users:
                    members[users[name]].add(entry.gr_gid)
        frozen = {uid: frozenset(gids) for uid, gids in members.items()}
        return cls(users, groups, frozen, {key.casefold(): value for key, value in (aliases or {}).items()})

    @cached_property
    def members(self) -> dict[int, frozenset[int]]:
        """The users of each group."""
        result: dict[int, set[int]] = {}
        for uid, gids in self.memberships.items():
            for gid in gids:
                result.setdefault(gid, set()).add(uid)
        return {gid: frozenset(uids) for gid, uids in result.items()}

    @cached_property
    def _names(self) -> dict[Sid, str]:
        names = {sids.user(uid): name for name, uid in reversed(list(self.users.items()))}
        names |= {sids.group(gid): f"@{name}" for name, gid in reversed(list(self.groups.items()))}
        return names | {sid: name.title() for name, sid in sids.WELL_KNOWN.items()}

    def name(self, sid: Sid) -> str:
        """A readable name.

        Of a user as it is, of a group with ``@`` before it, else the identifier itself.
        """
        return self._names.get(sid, sid)

    def groups_of(self, uid: int) -> frozenset[int]:
        """The groups of a user; none for a user that the system does not know."""
        return self.memberships.get(uid, frozenset())

    def token(self, sid: Sid) -> frozenset[Sid]:
        """All identifiers that somebody with this one holds."""
        uid = sids.uid_of(sid)
        groups = frozenset(map(sids.group, self.groups_of(uid))) if uid is not None else frozenset()
        return EVERYBODY | groups | {sid}

    def find(self, name: str, domain: str = "") -> Sid:
        """The identifier of a named account: an alias, then a user, then a group, then a well-known account.

        Raises: UnknownAccountError.
        """
        if "\\" in name and not domain:
            domain, _, name = name.partition("\\")
        alias = self.aliases.get(name.casefold()) if not domain else None
        if alias and alias.casefold() != name.casefold():
            return Principals(self.users, self.groups, self.memberships).find(alias)
        space = domain.casefold()
        if name.startswith("@"):
            name, space = name[1:], GROUP_DOMAIN
        if space != GROUP_DOMAIN and name in self.users:
            return sids.user(self.users[name])
        if space != USER_DOMAIN and name in self.groups:
            return sids.group(self.groups[name])
        known = sids.WELL_KNOWN.get(name.casefold())
        if known and not domain:
            return known
        raise UnknownAccountError(f"no account of this system is called {domain + chr(92) if domain else ''}{name}")

    def resolve(self, rule: Rule) -> tuple[Sid | None, list[Finding]]:
        """The identifier of a rule's account, with what is to be said about it.

        SidStr decides when it names an account of this system; a foreign one gives way to the name.
        """
        if rule.account.casefold() == PLACEHOLDER.casefold():
            message = f"Null has not been replaced; say who {rule.tag or 'it'} is"
            return None, [rule.finding("placeholder", message)]
        named: Sid | None = None
        try:
            named = self._named(rule)
        except UnknownAccountError as error:
            if rule.sid is None or not _is_local(rule.sid):
                return None, [rule.finding("no-account", str(error))]
        if rule.sid is None or (named is not None and not _is_local(rule.sid)):
            return named, []
        if named is not None and named != rule.sid:
            message = f"SidStr {rule.sid} is {self.name(rule.sid)}, not {rule.account}; SidStr was taken"
            return rule.sid, [_warning(rule, "sid-disagrees", message)]
        return rule.sid, []

    def _named(self, rule: Rule) -> Sid:
        if rule.is_well_known and rule.account.casefold() not in self.aliases:
            known = sids.WELL_KNOWN.get(rule.account.casefold())
            if known:
                return known
        return self.find(rule.account, rule.domain)


def unlisted_sources(configuration: Path = Path("/etc/nsswitch.conf")) -> list[str]:
    """Sources of accounts that the name service may not list, such as a directory.

    Their users can be named by rules. But somebody in several groups that rules name needs an entry of his own,
    and who is not listed cannot get one.
    """
    try:
        lines = configuration.read_text().splitlines()
    except OSError:
        return []
    sources: dict[str, None] = {}
    for line in lines:
        name, _, rest = line.partition("#")[0].partition(":")
        if name.strip() in ("passwd", "group"):
            sources |= dict.fromkeys(word for word in rest.split() if not word.startswith("["))
    return [source for source in sources if source not in _LISTED]


def _is_local(sid: Sid) -> bool:
    return sids.uid_of(sid) is not None or sids.gid_of(sid) is not None or sid in sids.WELL_KNOWN.values()


def _warning(rule: Rule, code: str, message: str) -> Finding:
    return Finding(code, message, rule.file, rule.line, rule.column, Severity.WARNING)
