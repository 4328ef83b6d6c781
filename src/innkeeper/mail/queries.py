"""Reading mail accounts and preferences, for every door."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Flag, StrEnum, auto
from typing import Any

import idna

from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.db.sets import among, looked_up
from innkeeper.core.db.statements import Row, execute
from innkeeper.core.errors import NotFound
from innkeeper.mail.scope import SITE_WITH_OWNER, account_not_found, site_not_found, visible

CHUNK = 1_000


class Part(Flag):
    """What of an account is asked for beside its own settings."""

    NOTHING = 0
    ALIASES = auto()
    RECIPIENTS = auto()
    GROUPS = auto()
    REPLIES = auto()
    FILES = auto()


@dataclass(slots=True)
class ReplyInfo:
    """One automatic reply as it is stored. Dates are `YYYY-MM-DD` or None."""

    name: str
    enabled: bool
    key: str
    key_where: str
    subject: str
    reply_to: str
    content_type: str
    charset: str
    text: str
    answers_per_day: int | None
    remembered_senders: int | None
    forward: str
    start_date: str | None
    end_date: str | None
    attachments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class FileInfo:
    """One file of an account's repository; its content lies in `core.files` under `sha256`."""

    name: str
    size: int
    sha256: str


@dataclass(slots=True, kw_only=True)
class Lists:
    """The parts of an account that are lists. They hold what was asked for and are empty otherwise."""

    aliases: list[str] = field(default_factory=list)
    redirect: list[str] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    replies: list[ReplyInfo] = field(default_factory=list)
    files: list[FileInfo] = field(default_factory=list)


@dataclass(slots=True)
class AccountInfo(Lists):
    """A mail account.

    `cp_options` and `permissions` are JSON objects as text. `outgoing_limit` is None for the server's default.
    Addresses have their domain in Unicode.
    """

    id: int
    name: str
    mailbox_enabled: bool
    quota: int
    used_bytes: int
    redirect_enabled: bool
    group_enabled: bool
    autoresponders_enabled: bool
    cp_access: bool
    has_password: bool
    antivir: str
    outgoing_limit: int | None
    user_guid: str
    description: str
    cp_options: str
    permissions: str
    color_scheme: str


@dataclass(slots=True)
class SitePreferences:
    """The mail preferences of a site. `unknown_value` is the text or the address of `unknown_action`."""

    site_id: int
    unknown_action: str
    unknown_value: str
    webmail: str
    sign_outgoing: bool
    greylisting: bool
    enabled: bool
    webmail_certificate: str


_PREFERENCES = (
    "SELECT s.id, m.unknown_action, CASE m.unknown_action WHEN 'bounce' THEN m.bounce_text"
    " WHEN 'forward' THEN m.forward_address ELSE '' END, m.webmail, m.sign_outgoing, m.greylisting, m.enabled,"
    f" m.webmail_certificate FROM {SITE_WITH_OWNER} JOIN mail_mailservice m ON m.site_id = s.id"
)
_ACCOUNT = (
    "SELECT a.id, n.local_part, a.mailbox_enabled, a.quota, a.used_bytes, a.redirect_enabled, a.group_enabled,"
    " a.autoresponders_enabled, a.cp_access, CASE WHEN a.password <> '' THEN 1 ELSE 0 END, a.antivir,"
    " a.outgoing_limit, a.user_guid, a.description, a.cp_options, a.permissions, a.color_scheme"
    " FROM mail_mailname n JOIN mail_mailaccount a ON a.id = n.account_id"
)


def require_site(actor: Actor, site_id: int) -> None:
    """Raises NotFound for a site that is missing or somebody else's."""
    condition, parameters = visible(actor)
    select = f"SELECT 1 FROM {SITE_WITH_OWNER} WHERE s.id = %s AND {condition}"
    if not execute(select, [site_id, *parameters], by_key=True):
        raise site_not_found()


def account_infos(
    actor: Actor, site_id: int, names: Sequence[str] | None = None, parts: Part = Part.NOTHING
) -> Iterator[AccountInfo | tuple[str, NotFound]]:
    """Accounts of a site: those named, in that order, or all by ascending id.

    A name that has no account gives the name and its refusal. Read in chunks, so memory stays bounded however many
    there are. Raises NotFound for the site, at the call and not at the first item.
    """
    require_site(actor, site_id)
    own = actor.account_id if actor.kind is ActorKind.MAIL_USER else None
    if names is None:
        return _all(site_id, parts, own)
    return _named(site_id, names, parts, own)


def _all(site_id: int, parts: Part, own: int | None) -> Iterator[AccountInfo | tuple[str, NotFound]]:
    last = 0
    while True:
        condition, parameters = ("", []) if own is None else (" AND a.id = %s", [own])
        rows = execute(
            # Both sides of the join start where the last chunk ended: a merge join would read one from its beginning.
            f"{_ACCOUNT} WHERE a.site_id = %s AND a.id > %s AND n.account_id > %s AND n.kind = 'account'{condition}"
            f" ORDER BY a.id LIMIT {CHUNK}",
            [site_id, last, last, *parameters],
        )
        infos = [AccountInfo(*row) for row in rows]
        _fill({info.id: info for info in infos}, site_id, parts)
        yield from infos
        if len(infos) < CHUNK:
            return
        last = infos[-1].id


def _named(
    site_id: int, names: Sequence[str], parts: Part, own: int | None
) -> Iterator[AccountInfo | tuple[str, NotFound]]:
    for start in range(0, len(names), CHUNK):
        chunk = names[start : start + CHUNK]
        condition, parameter = among("n.local_part", sorted({name.lower() for name in chunk}))
        rows = execute(f"{_ACCOUNT} WHERE n.site_id = %s AND n.kind = 'account' AND {condition}", [site_id, parameter])
        infos = {row[1]: AccountInfo(*row) for row in rows if own is None or row[0] == own}
        _fill({info.id: info for info in infos.values()}, site_id, parts)
        for name in chunk:
            info = infos.get(name.lower())
            yield (name, account_not_found(name)) if info is None else info


class Value(StrEnum):
    """What of an account `account_rows` can give, as SQL."""

    MAILBOX_ENABLED = "a.mailbox_enabled"
    QUOTA = "a.quota"
    USED_BYTES = "a.used_bytes"
    FORWARDING_ENABLED = "a.redirect_enabled OR a.group_enabled"
    AUTORESPONDERS_ENABLED = "a.autoresponders_enabled"
    USER_GUID = "a.user_guid"
    ANTIVIR = "a.antivir"
    OUTGOING_LIMIT = "a.outgoing_limit"
    DESCRIPTION = "a.description"


def account_rows(
    actor: Actor, site_id: int, names: Sequence[str] | None, values: Sequence[Value]
) -> Iterator[Sequence[Row | str]]:
    """The same accounts as `account_infos` gives, as rows in chunks: for answers about whole sites.

    A row has the id, the name, and these values. A name that has no account stands as itself. Raises NotFound for the
    site, at the call.
    """
    require_site(actor, site_id)
    scope = f" AND a.id = {actor.account_id:d}" if actor.kind is ActorKind.MAIL_USER else ""
    columns = ", ".join(["", *values])
    return _rows_of_site(site_id, columns, scope) if names is None else _named_rows(site_id, names, columns, scope)


def _rows_of_site(site_id: int, columns: str, scope: str) -> Iterator[Sequence[Row]]:
    select = (
        # No join: before PostgreSQL knows the tables it would compare every name with every account.
        "SELECT a.id, (SELECT n.local_part FROM mail_mailname n WHERE n.account_id = a.id AND n.kind = 'account')"
        f"{columns} FROM mail_mailaccount a WHERE a.site_id = %s AND a.id > %s{scope} ORDER BY a.id LIMIT {CHUNK}"
    )
    last = 0
    while rows := execute(select, [site_id, last]):
        yield rows
        last = rows[-1][0]


def _named_rows(site_id: int, names: Sequence[str], columns: str, scope: str) -> Iterator[Sequence[Row | str]]:
    for start in range(0, len(names), CHUNK):
        chunk = names[start : start + CHUNK]
        folded = [name.lower() for name in chunk]
        tables, only, parameter = looked_up("mail_mailname n", "n.local_part", folded)
        rows = execute(
            # The kind is hidden: before PostgreSQL knows the tables it would read the index of all that have this one.
            f"SELECT a.id, n.local_part{columns} FROM {tables} CROSS JOIN mail_mailaccount a"
            f" WHERE {only} AND n.site_id = %s AND n.kind || '' = 'account' AND a.id = n.account_id{scope}",
            [parameter, site_id],
        )
        found = {row[1]: row for row in rows}
        yield [found.get(name, given) for name, given in zip(folded, chunk, strict=True)]


def preferences(
    actor: Actor, site_ids: Sequence[int] | None = None
) -> Iterator[SitePreferences | tuple[int, NotFound]]:
    """The mail preferences of sites: those of these ids, in that order, or of all that the actor sees, by ascending id.

    An id without a site gives the id and its refusal. Read in chunks.
    """
    condition, parameters = visible(actor)
    if site_ids is None:
        last = 0
        while True:
            rows = execute(
                f"{_PREFERENCES} WHERE s.id > %s AND {condition} ORDER BY s.id LIMIT {CHUNK}", [last, *parameters]
            )
            yield from map(_preferences, rows)
            if len(rows) < CHUNK:
                return
            last = rows[-1][0]
    for start in range(0, len(site_ids), CHUNK):
        chunk = site_ids[start : start + CHUNK]
        only, parameter = among("s.id", chunk)
        found = {
            row[0]: _preferences(row)
            for row in execute(f"{_PREFERENCES} WHERE {only} AND {condition}", [parameter, *parameters])
        }
        for site_id in chunk:
            yield found.get(site_id) or (site_id, site_not_found())


def _preferences(row: tuple[Any, ...]) -> SitePreferences:
    result = SitePreferences(*row)
    if result.unknown_action == "forward":
        result.unknown_value = unicode_address(result.unknown_value)
    return result


def lists_of(account_ids: Sequence[int], site_id: int, parts: Part) -> dict[int, Lists]:
    """These parts of accounts of a site, by the accounts' ids."""
    by_id = {account_id: Lists() for account_id in account_ids}
    _fill(by_id, site_id, parts)
    return by_id


def _fill(by_id: Mapping[int, Lists], site_id: int, parts: Part) -> None:
    """Read the asked parts of some accounts: one statement a part."""
    if not by_id or not parts:
        return
    condition, parameter = among("account_id", list(by_id))
    if Part.ALIASES in parts:
        for account_id, alias in execute(
            f"SELECT account_id, local_part FROM mail_mailname WHERE kind = 'alias' AND {condition} ORDER BY id",
            [parameter],
        ):
            by_id[account_id].aliases.append(alias)
    if Part.RECIPIENTS in parts:
        for account_id, kind, address in execute(
            f"SELECT account_id, kind, address FROM mail_recipient WHERE {condition} ORDER BY id", [parameter]
        ):
            info = by_id[account_id]
            (info.redirect if kind == "redirect" else info.group).append(unicode_address(address))
    if Part.GROUPS in parts:
        _fill_groups(by_id, site_id)
    if Part.FILES in parts:
        for account_id, *file in execute(
            f"SELECT account_id, name, size, sha256 FROM mail_repositoryfile WHERE {condition} ORDER BY id",
            [parameter],
        ):
            by_id[account_id].files.append(FileInfo(*file))
    if Part.REPLIES in parts:
        _fill_replies(by_id, condition, parameter)


def _fill_groups(by_id: Mapping[int, Lists], site_id: int) -> None:
    """The mail groups of the site in which each account's address stands."""
    condition, parameter = among("member.account_id", list(by_id))
    for account_id, group in execute(
        # CROSS JOIN keeps SQLite from starting at the site, whose names may be a million.
        "SELECT member.account_id, own.local_part FROM mail_mailname member CROSS JOIN mail_recipient r"
        f" CROSS JOIN mail_mailname own WHERE {condition} AND member.kind = 'account'"
        " AND r.address = member.address AND r.kind = 'group'"
        " AND own.account_id = r.account_id AND own.kind = 'account' AND own.site_id = %s ORDER BY r.id",
        [parameter, site_id],
    ):
        by_id[account_id].groups.append(group)


def _fill_replies(by_id: Mapping[int, Lists], condition: str, parameter: Any) -> None:
    replies: dict[int, ReplyInfo] = {}
    for account_id, reply_id, *values in execute(
        "SELECT account_id, id, name, enabled, key, key_where, subject, reply_to, content_type, charset, text,"
        " answers_per_day, remembered_senders, forward, start_date, end_date FROM mail_autoresponder"
        f" WHERE {condition} ORDER BY account_id, position",
        [parameter],
    ):
        reply = replies[reply_id] = ReplyInfo(*values)
        reply.start_date = reply.start_date and str(reply.start_date)
        reply.end_date = reply.end_date and str(reply.end_date)
        reply.forward = unicode_address(reply.forward)
        reply.reply_to = unicode_address(reply.reply_to)
        by_id[account_id].replies.append(reply)
    if not replies:
        return
    condition, parameter = among("t.autoresponder_id", list(replies))
    for reply_id, name in execute(
        "SELECT t.autoresponder_id, f.name FROM mail_autoresponderattachment t"
        f" JOIN mail_repositoryfile f ON f.id = t.file_id WHERE {condition} ORDER BY t.id",
        [parameter],
    ):
        replies[reply_id].attachments.append(name)


def buried_files() -> set[str]:
    """The SHA-256 of every repository file that a removed account may still come back with."""
    found: set[str] = set()
    last = 0
    while rows := execute(
        "SELECT id, snapshot FROM mail_grave WHERE id > %s AND snapshot LIKE %s ORDER BY id LIMIT %s",
        [last, '%"sha256"%', CHUNK],
    ):
        found.update(file["sha256"] for _, snapshot in rows for file in json.loads(snapshot)["files"])
        last = rows[-1][0]
    return found


def unicode_address(address: str) -> str:
    """An address as people write it: addresses are stored with their domain in ASCII."""
    if "xn--" not in address:
        return address
    local, _, domain = address.rpartition("@")
    return f"{local}@{idna.decode(domain)}"
