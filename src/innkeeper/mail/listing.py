"""The list of mail accounts, a page at a time, fast at any number of rows.

Paging is by key: a page begins after the last (value, id) of the one before, so that no page counts rows from the
start and none shows a row twice while others are created. Each order has an index that ends in the id.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.db import connection
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from innkeeper.core.actor import Actor
from innkeeper.hosting.models import Site
from innkeeper.mail.models import Grave
from innkeeper.mail.scope import SITE_WITH_OWNER, visible

EXACT_COUNT = 10_000


class Sort(StrEnum):
    """What the list can be ordered by."""

    NAME = "name"
    USED = "used"
    LOGIN = "login"


class Show(StrEnum):
    """Which accounts the list shows."""

    ALL = ""
    OVER_QUOTA = "full"
    SUSPENDED = "suspended"
    NEVER_USED = "never"


class State(StrEnum):
    """The one thing to know about an account, the worst first."""

    SITE_SUSPENDED = "site-suspended"
    SERVICE_OFF = "service-off"
    FULL = "full"
    NEARLY_FULL = "nearly-full"
    SUSPENDED = "suspended"
    NO_PASSWORD = "no-password"  # noqa: S105  (a state)
    NEVER_USED = "never"
    FORWARDING = "forwarding"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class ListRequest:
    """One page: its order, its filters, and the key that it begins after (or ends before)."""

    sort: Sort = Sort.NAME
    descending: bool = False
    search: str = ""
    site_id: int | None = None
    show: Show = Show.ALL
    after: str = ""
    before: str = ""
    size: int = 50


@dataclass(frozen=True, slots=True)
class ListedAccount:
    """One row."""

    id: int
    name: str
    site: str
    site_id: int
    mailbox_enabled: bool
    has_password: bool
    quota: int
    used_bytes: int
    last_login_at: datetime | None
    state: State
    ascii_address: str

    @property
    def address(self) -> str:
        return f"{self.name}@{self.site}"


@dataclass(frozen=True, slots=True)
class Page:
    """The rows, and the keys of the pages beside this one (empty at an end)."""

    rows: list[ListedAccount]
    after: str
    before: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many accounts match: exact up to 10,000, otherwise a lower bound."""

    number: int
    exact: bool


def state_of(
    *, site_status: int, service_enabled: bool, mailbox_enabled: bool, forwards: bool, has_password: bool,
    quota: int, used_bytes: int, last_login_at: datetime | None,
) -> State:  # fmt: skip
    """The state that a list or a page shows: the worst that is true."""
    if site_status & ~8:
        return State.SITE_SUSPENDED
    if not service_enabled:
        return State.SERVICE_OFF
    if not mailbox_enabled:
        return State.FORWARDING if forwards else State.SUSPENDED
    if 0 <= quota <= used_bytes:
        return State.FULL
    if quota > 0 and used_bytes >= quota * 0.9:
        return State.NEARLY_FULL
    if not has_password:
        return State.NO_PASSWORD
    return State.NEVER_USED if last_login_at is None else State.ACTIVE


def page(actor: Actor, request: ListRequest) -> Page:
    """One page of the accounts that the actor may see. A key that cannot be read starts at the first page."""
    backwards = bool(request.before)
    key = _decode(request.before or request.after, request.sort)
    if key is None:
        backwards = False
    ids = _ids(actor, request, key, backwards, request.size + 1)
    more = len(ids) > request.size
    ids = ids[: request.size]
    if backwards:
        ids.reverse()
    rows = _rows(ids)
    later, earlier = (True, more) if backwards else (more, key is not None)
    return Page(
        rows,
        _encode(rows[-1], request.sort) if later and rows else "",
        _encode(rows[0], request.sort) if earlier and rows else "",
    )


@dataclass(frozen=True, slots=True)
class Removed:
    """An account that was removed and can still come back."""

    site_id: int
    name: str
    site: str
    buried_at: datetime
    due_at: datetime


def removed(actor: Actor, limit: int) -> list[Removed]:
    """The accounts removed last from the sites that the actor sees. Of several of one name only the latest counts."""
    sites, params = _own_sites(actor)
    own = RawSQL(f"site_id IN ({sites})", params, output_field=BooleanField())  # noqa: S611  (our own text)
    graves = Grave.objects.filter(own, due_at__gt=timezone.now()).order_by("-id")[:limit]
    names = dict(Site.objects.filter(pk__in={grave.site_id for grave in graves}).values_list("pk", "name"))
    found: dict[str, Removed] = {}
    for grave in graves:
        if grave.site_id in names and grave.address not in found:
            name = grave.address.rpartition("@")[0]
            found[grave.address] = Removed(grave.site_id, name, names[grave.site_id], grave.buried_at, grave.due_at)
    return list(found.values())


def count(actor: Actor, request: ListRequest, page: Page) -> Count:
    """How many accounts match the filters of a request, whose page was read."""
    if not (request.after or request.before or page.after):
        return Count(len(page.rows), exact=True)  # a search that finds little reads all names once, not twice
    matching = _selection(actor, request, None)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT COUNT(*) FROM (SELECT 1 FROM {matching.source} WHERE {matching.where}"
            f" LIMIT {EXACT_COUNT + 1}) counted",
            matching.params,
        )
        number = cursor.fetchone()[0]
    return Count(min(number, EXACT_COUNT), number <= EXACT_COUNT)


def every(actor: Actor, request: ListRequest) -> Iterator[ListedAccount]:
    """All accounts that match, in the request's order, read a thousand at a time."""
    key = None
    while True:
        ids = _ids(actor, request, key, False, 1000)
        rows = _rows(ids)
        yield from rows
        if len(rows) < 1000:
            return
        key = _decode(_encode(rows[-1], request.sort), request.sort)


def some(actor: Actor, ids: list[int]) -> list[ListedAccount]:
    """The named accounts that the actor may see, by address."""
    sites, site_params = _own_sites(actor)
    marks = ", ".join(["%s"] * len(ids))
    if not ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM mail_mailaccount WHERE id IN ({marks}) AND site_id IN ({sites})", [*ids, *site_params]
        )
        visible = [row[0] for row in cursor.fetchall()]
    return sorted(_rows(visible), key=lambda row: row.address)


Key = tuple[Any, int]


@dataclass(frozen=True, slots=True)
class Selection:
    """FROM and WHERE of the accounts that match: `a` is the account, `n` its name, `id` the account's id in either."""

    id: str
    source: str
    where: str
    params: list[Any]

    def ids(self, condition: str, values: list[Any], order: str, size: int) -> list[int]:
        """Ids of the first accounts in an order, under one more condition."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {self.id} FROM {self.source} WHERE {self.where} AND {condition}"
                f" ORDER BY {order} LIMIT {size:d}",
                [*self.params, *values],
            )
            return [row[0] for row in cursor.fetchall()]


def _encode(row: ListedAccount, sort: Sort) -> str:
    value: object
    if sort is Sort.NAME:
        value = row.ascii_address
    elif sort is Sort.USED:
        value = row.used_bytes
    else:
        value = row.last_login_at.isoformat() if row.last_login_at else None
    return base64.urlsafe_b64encode(json.dumps([value, row.id]).encode()).decode().rstrip("=")


def _decode(text: str, sort: Sort) -> Key | None:
    try:
        value, number = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, binascii.Error):
        return None
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    if sort is Sort.NAME:
        return (value, number) if isinstance(value, str) else None
    if sort is Sort.USED:
        return (value, number) if isinstance(value, int) else None
    if value is None:
        return (None, number)
    try:
        moment = parse_datetime(value)
    except (ValueError, TypeError):
        return None
    if moment is None or moment.tzinfo is None:
        return None
    return (connection.ops.adapt_datetimefield_value(moment.astimezone(UTC)), number)


def _own_sites(actor: Actor) -> tuple[str, list[Any]]:
    condition, params = visible(actor)
    return f"SELECT s.id FROM {SITE_WITH_OWNER} WHERE {condition}", params


def _selection(actor: Actor, request: ListRequest, sort: Sort | None) -> Selection:
    """The accounts that the actor may see and the request's filters let through, with the tables that an order needs.

    CROSS JOIN fixes the order of the loops on SQLite, which has no statistics to find it. Whoever sees everything and
    filters nothing walks the index of the order and stops after a page; otherwise the most selective table comes first.
    """
    tables = []
    if sort is Sort.NAME or request.search:
        tables.append("mail_mailname n")
    if sort in {Sort.USED, Sort.LOGIN} or request.show or not tables:
        tables.insert(0 if not request.search else 1, "mail_mailaccount a")
    first = tables[0][-1]
    where = [*_conditions(request)]
    params: list[Any] = []
    if len(tables) == 2:
        where.append("n.account_id = a.id")
    if "mail_mailname n" in tables:
        where.append("n.kind = 'account'")
    if request.site_id is not None or not actor.is_administrator:
        sites, params = _own_sites(actor)
        tables.insert(0, f"({sites}) own")
        where.insert(0, f"{first}.site_id = own.id")
    if request.site_id is not None:
        where.insert(0, "own.id = %s")
        params = [*params, request.site_id]
    if request.search:
        text = request.search.lower()
        params = [*params, text if text.isascii() else text.rpartition("@")[2]]
    return Selection(
        "a.id" if "mail_mailaccount a" in tables else "n.account_id",
        " CROSS JOIN ".join(tables),
        " AND ".join(where) or "TRUE",
        params,
    )


def _conditions(request: ListRequest) -> Iterator[str]:
    """What the request's filters ask. The search's text is the last parameter."""
    if request.show is Show.OVER_QUOTA:
        yield "a.quota >= 0 AND a.used_bytes >= a.quota"
    elif request.show is Show.SUSPENDED:
        yield "NOT a.mailbox_enabled"
    elif request.show is Show.NEVER_USED:
        yield "a.mailbox_enabled AND a.last_login_at IS NULL"
    if request.search:
        find = "strpos" if connection.vendor == "postgresql" else "instr"
        # Addresses are stored in ASCII; the readable form of a domain stands at its site.
        readable = f"n.site_id IN (SELECT id FROM hosting_site WHERE {find}(name, %s) > 0)"
        yield f"{find}(n.address, %s) > 0" if request.search.isascii() else readable


def _ids(actor: Actor, request: ListRequest, key: Key | None, backwards: bool, size: int) -> list[int]:
    """Ids of so many accounts beyond a key, in the direction of reading."""
    selection = _selection(actor, request, request.sort)
    descending = request.descending != backwards
    direction, beyond = ("DESC", "<") if descending else ("ASC", ">")
    if request.sort is Sort.NAME:
        # A search reads the names in the order of the table: in the order of the index it would jump for each row.
        order = f"n.address || '' {direction}" if request.search else f"n.address {direction}"
        if key is None:
            return selection.ids("TRUE", [], order, size)
        return selection.ids(f"n.address {beyond} %s", [key[0]], order, size)
    column = "a.used_bytes" if request.sort is Sort.USED else "a.last_login_at"
    order = f"{column} {direction}, a.id {direction}"
    after = f"({column}, a.id) {beyond} (%s, %s)"
    if request.sort is Sort.USED:
        return selection.ids("TRUE" if key is None else after, list(key or ()), order, size)
    # Engines disagree where NULL belongs, so those who never logged in are a part of their own: always the earliest.
    found: list[int] = []
    for is_null in (False, True) if descending else (True, False):
        condition, values = f"{column} IS {'NULL' if is_null else 'NOT NULL'}", []
        if key is not None and (key[0] is None) == is_null:
            condition += f" AND a.id {beyond} %s" if is_null else f" AND {after}"
            values = [key[1]] if is_null else list(key)
        elif key is not None and is_null != descending:
            continue  # the key lies in the later part: this one is behind it
        part_order = f"a.id {direction}" if is_null else order
        found += selection.ids(condition, values, part_order, size - len(found))
        if len(found) >= size:
            break
    return found


def _rows(ids: list[int]) -> list[ListedAccount]:
    """The rows of some ids, in their order."""
    if not ids:
        return []
    marks = ", ".join(["%s"] * len(ids))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.id, n.local_part, s.name, s.id, a.mailbox_enabled, a.password <> '', a.quota, a.used_bytes,"
            " a.last_login_at, s.status, m.enabled, a.redirect_enabled, a.group_enabled, n.address"
            " FROM mail_mailaccount a JOIN mail_mailname n ON n.account_id = a.id AND n.kind = 'account'"
            " JOIN hosting_site s ON s.id = a.site_id JOIN mail_mailservice m ON m.site_id = a.site_id"
            f" WHERE a.id IN ({marks})",
            ids,
        )
        rows = {row[0]: _listed(row) for row in cursor.fetchall()}
    return [rows[number] for number in ids if number in rows]


def _listed(row: tuple[Any, ...]) -> ListedAccount:
    login = row[8]
    if isinstance(login, str):
        login = parse_datetime(login)
    if login is not None and login.tzinfo is None:
        login = login.replace(tzinfo=UTC)
    state = state_of(
        site_status=row[9],
        service_enabled=bool(row[10]),
        mailbox_enabled=bool(row[4]),
        forwards=bool(row[11] or row[12]),
        has_password=bool(row[5]),
        quota=row[6],
        used_bytes=row[7],
        last_login_at=login,
    )
    return ListedAccount(
        row[0], row[1], row[2], row[3], bool(row[4]), bool(row[5]), row[6], row[7], login, state, row[13]
    )
