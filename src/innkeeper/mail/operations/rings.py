"""Forwarding that would come back to where it began, found before it is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.db import connection

from innkeeper.core.actor import Actor
from innkeeper.core.db.sets import among
from innkeeper.core.errors import InvalidValue
from innkeeper.mail.operations.site import Site
from innkeeper.mail.operations.state import AccountState
from innkeeper.mail.scope import SITE_WITH_OWNER, visible

LONGEST_CHAIN = 50
LOCK_KEY = 0x6D61696C  # "mail": any constant that nothing else of ours locks
HIDDEN = "an address of somebody else"

_EDGES = (
    "SELECT n.address, n.account_id, {target} FROM mail_mailname n JOIN mail_mailaccount a ON a.id = n.account_id"
    " LEFT JOIN {table} r ON r.account_id = a.id AND {active} WHERE {condition}"
)
_RECIPIENTS = (
    "r.address",
    "mail_recipient",
    "((r.kind = 'redirect' AND a.redirect_enabled) OR (r.kind = 'group' AND a.group_enabled))",
)
_REPLIES = ("r.forward", "mail_autoresponder", "r.enabled AND a.autoresponders_enabled AND r.forward <> ''")

Node = int | str
"""An account: its id, or its address while it has none."""


class Forwarding:
    """Where mail goes on to from some addresses: redirects, groups, aliases, replies' forwards, catch-alls.

    The local part of the graph that the addresses reach is read once, some statements a step of the longest chain;
    accounts that the operation changes are then taken in one by one. On PostgreSQL a lock keeps other operations
    that forward away until the transaction ends: two of them together could close a ring that neither sees.
    """

    def __init__(self, actor: Actor, seeds: Iterable[str]) -> None:
        self._actor = actor
        self._holders: dict[str, Node] = {}
        self._targets: dict[Node, dict[str, None]] = {}
        self._catchalls: dict[str, str] = {}
        self._shown: dict[str, bool] = {}
        self._unread: set[str] = set()
        level = {_base(seed) for seed in seeds}
        self._nobody_forwards = not level
        if level and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        seen: set[str] = set()
        for _ in range(LONGEST_CHAIN):
            if not level:
                return
            seen |= level
            level = self._read(level) - seen
        self._unread = level

    def _read(self, addresses: set[str]) -> set[str]:
        """Read one step; the addresses that it leads to."""
        found: set[str] = set()
        condition, parameter = among("n.address", sorted(addresses))
        for target, table, active in (_RECIPIENTS, _REPLIES):
            sql = _EDGES.format(target=target, table=table, active=active, condition=condition)
            for address, account_id, reached in _rows(sql, parameter):
                self._holders[address] = account_id
                targets = self._targets.setdefault(account_id, {})
                if reached:
                    targets[_base(reached)] = None
                    found.add(_base(reached))
        unknown = {_domain_key(address) for address in addresses if address not in self._holders}
        if unknown:
            condition, parameter = among("domain_key", sorted(unknown))
            for key, target in _rows(
                "SELECT domain_key, forward_address FROM mail_mailservice"
                f" WHERE unknown_action = 'forward' AND {condition}",
                parameter,
            ):
                self._catchalls[key] = _base(target)
                found.add(_base(target))
        return found

    def check(
        self, site: Site, before: AccountState | None, after: AccountState, joined: Sequence[AccountState] = ()
    ) -> None:
        """Raises InvalidValue, which names the ring, if mail for the account would come back to it.

        `joined` are mail groups that the account becomes a member of: mail must not go from it to them either.
        """
        if not (targets := after.targets()):
            return
        own = {site.address(name) for name in (after.name, *after.aliases)}
        held = {site.address(name) for name in (before.name, *before.aliases)} if before else set()
        groups = {site.address(name) for group in joined for name in (group.name, *group.aliases)}
        # What the account forwarded to already was judged when it was stored, unless it answers to more names now.
        judged = set(before.targets()) if before and own <= held and not groups else set()
        ends = own | groups
        for first in (_base(target) for target in targets if target not in judged):
            ring = self._path(first, ends.__contains__, held - own)
            if ring is not None:
                start = site.address(after.name)
                known = {*own, first, *groups}
                raise self._refusal([start, *ring, *([] if ring[-1] in own else [start])], known)

    def check_catchall(self, domain: str, target: str) -> None:
        """Raises InvalidValue if mail for unknown addresses of the domain, sent on to `target`, would come back."""
        key = f"@{domain}"

        def comes_back(address: str) -> bool:
            return address not in self._holders and _domain_key(address) == key

        first = _base(target)
        ring = self._path(first, comes_back, set())
        if ring is not None:
            raise self._refusal([key, *ring], {key, first})

    def take(self, site: Site, before: AccountState | None, after: AccountState) -> None:
        """Let later checks see the account as it becomes."""
        if self._nobody_forwards:
            return
        if before is not None:
            for name in (before.name, *before.aliases):
                self._holders.pop(site.address(name), None)
        node: Node = after.id or site.address(after.name)
        for name in (after.name, *after.aliases):
            self._holders[site.address(name)] = node
        self._targets[node] = dict.fromkeys(map(_base, after.targets()))

    def take_catchall(self, domain: str, target: str) -> None:
        """Let later checks see where mail for unknown addresses of the domain goes on to."""
        self._catchalls[f"@{domain}"] = _base(target)

    def _path(self, first: str, arrived: Callable[[str], bool], given_up: set[str]) -> list[str] | None:
        """The way from `first` to an address that fulfils `arrived`, both included, or None if there is none."""
        came_from: dict[str, str | None] = {first: None}
        queue = [first]
        while queue:
            address = queue.pop()
            if arrived(address):
                path: list[str] = []
                step: str | None = address
                while step is not None:
                    path.append(step)
                    step = came_from[step]
                return path[::-1]
            for reached in self._goes_on(address, given_up):
                if reached not in came_from:
                    came_from[reached] = address
                    queue.append(reached)
        return None

    def _goes_on(self, address: str, given_up: set[str]) -> Iterable[str]:
        if address in self._unread:
            raise InvalidValue(
                f"forwarding: mail would pass more than {LONGEST_CHAIN} addresses. Forward to the last one directly.",
                field="forwarding",
            )
        holder = None if address in given_up else self._holders.get(address)
        if holder is None:
            target = self._catchalls.get(_domain_key(address))
            return [target] if target else []
        return self._targets.get(holder, {})

    def _refusal(self, ring: list[str], known: set[str]) -> InvalidValue:
        self._look_up(_domain_key(address)[1:] for address in ring if address not in known)
        names = [a if a in known or self._shown[_domain_key(a)[1:]] else HIDDEN for a in ring]
        return InvalidValue(
            f"forwarding: mail would go round for ever: {' -> '.join(names)}. Leave one of these out.",
            field="forwarding",
        )

    def _look_up(self, domains: Iterable[str]) -> None:
        """Find out which domains the actor may read about: the forwarding of another owner is not for him to see."""
        new = {domain for domain in domains if domain not in self._shown}
        if not new:
            return
        scope, parameters = visible(self._actor)
        condition, parameter = among("s.ascii_name", sorted(new))
        rows = _rows(
            f"SELECT s.ascii_name FROM {SITE_WITH_OWNER} WHERE {scope} AND {condition}", *parameters, parameter
        )
        found = {row[0] for row in rows}
        self._shown |= {domain: domain in found for domain in new}


def _base(address: str) -> str:
    """The address without a tag: mail for name+tag is mail for name."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def _domain_key(address: str) -> str:
    return address[address.rindex("@") :]


def _rows(sql: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        yield from cursor.fetchall()
