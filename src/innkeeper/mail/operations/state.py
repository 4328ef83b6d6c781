"""Mail accounts of one site in memory: loaded in sets, changed one by one, written in sets.

The number of statements depends on which parts an operation touches, never on how many accounts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from operator import attrgetter
from typing import Any

from django.db import connection

from innkeeper.core.db.sets import among, execute_each, insertion
from innkeeper.core.db.sets import insert as insert_rows
from innkeeper.core.db.statements import database, execute, now
from innkeeper.core.ids import allocate, new_guid
from innkeeper.core.operation import json_text
from innkeeper.mail.models import new_storage_key
from innkeeper.mail.operations.site import Site
from innkeeper.mail.replies import Reply, StoredFile

REDIRECT = "redirect"
GROUP = "group"


@dataclass(slots=True)
class AccountState:
    """One account with everything that belongs to it. The id is 0 until its row is written."""

    name: str
    id: int = 0
    guid: str = ""
    storage: str = ""
    password: str = ""
    mailbox_enabled: bool = False
    quota: int = -1
    redirect_enabled: bool = False
    group_enabled: bool = False
    autoresponders_enabled: bool = False
    cp_access: bool = False
    cp_options: dict[str, str] = field(default_factory=dict)
    permissions: dict[str, bool] = field(default_factory=dict)
    antivir: str = "off"
    outgoing_limit: int | None = None
    user_guid: str = ""
    description: str = ""
    color_scheme: str = "auto"
    aliases: list[str] = field(default_factory=list)
    redirect: list[str] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    files: dict[str, StoredFile] = field(default_factory=dict)
    script: str | None = None
    """The Sieve script of the automatic replies, None while none may act."""

    def copy(self) -> AccountState:
        """A copy that can be changed and thrown away."""
        return replace(
            self,
            cp_options=dict(self.cp_options),
            permissions=dict(self.permissions),
            aliases=list(self.aliases),
            redirect=list(self.redirect),
            group=list(self.group),
            replies=[replace(reply, attachments=list(reply.attachments)) for reply in self.replies],
            files=dict(self.files),
        )

    def targets(self) -> list[str]:
        """The addresses that mail for this account goes on to now."""
        found = list(self.redirect) if self.redirect_enabled else []
        if self.group_enabled:
            found += self.group
        if self.autoresponders_enabled:
            found += [reply.forward for reply in self.replies if reply.enabled and reply.forward]
        return found


# Column, and how its value is stored.
_COLUMNS = (
    "password",
    "mailbox_enabled",
    "quota",
    "redirect_enabled",
    "group_enabled",
    "autoresponders_enabled",
    "cp_access",
    "cp_options",
    "permissions",
    "antivir",
    "outgoing_limit",
    "user_guid",
    "description",
    "color_scheme",
)
_SELECT = "SELECT n.local_part, a.id, a.guid, a.storage, " + ", ".join(f"a.{column}" for column in _COLUMNS)
_ACCOUNT_COLUMNS = ("guid", "site_id", "storage", "used_bytes", "created_at", *_COLUMNS)
_ROW_COLUMNS = ("id", *_ACCOUNT_COLUMNS)
_UPDATE_ACCOUNT = f"UPDATE mail_mailaccount SET {', '.join(f'{column} = %s' for column in _COLUMNS)} WHERE id = %s"
_NAME_COLUMNS = ("site_id", "local_part", "address", "kind", "account_id")
_REPLY_COLUMNS = (
    "name",
    "enabled",
    "key",
    "key_where",
    "subject",
    "reply_to",
    "content_type",
    "charset",
    "text",
    "answers_per_day",
    "remembered_senders",
    "forward",
    "start_date",
    "end_date",
)
_UPSERT_SCRIPT = (
    "INSERT INTO mail_sievescript (account_id, revision, active, script) VALUES (%s, 1, %s, %s)"
    " ON CONFLICT (account_id) DO UPDATE SET revision = mail_sievescript.revision + 1, active = excluded.active,"
    " script = excluded.script"
)


_read_columns = attrgetter(*_COLUMNS)
_JSON_COLUMNS = tuple(_COLUMNS.index(column) for column in ("cp_options", "permissions"))


def _values(state: AccountState) -> list[Any]:
    values: list[Any] = list(_read_columns(state))
    for place in _JSON_COLUMNS:
        values[place] = _json(values[place])
    return values


def _json(value: dict[str, Any]) -> str:
    return json_text(value) if value else "{}"


def _reply_values(reply: Reply) -> list[Any]:
    adapt = connection.ops.adapt_datefield_value
    return [adapt(value) if isinstance(value := getattr(reply, column), date) else value for column in _REPLY_COLUMNS]


def load(condition: str, parameters: Sequence[Any], *, replies: bool, limit: int | None = None) -> list[AccountState]:
    """The accounts that fulfil a condition on n (the name) and a (the account), by ascending id.

    The condition names the site itself: through n to find names, through a to walk along ids, so that each uses the
    index that serves it. Aliases and recipients always come with the accounts; automatic replies and files only if
    asked for.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_SELECT} FROM mail_mailname n JOIN mail_mailaccount a ON a.id = n.account_id"
            f" WHERE {condition} AND n.kind = 'account' ORDER BY a.id" + ("" if limit is None else f" LIMIT {limit:d}"),
            parameters,
        )
        states = {row[1]: _from_row(row) for row in cursor.fetchall()}
    if states:
        _load_lists(states)
        if replies:
            _load_replies(states)
    return list(states.values())


def _from_row(row: Sequence[Any]) -> AccountState:
    values = dict(zip(_COLUMNS, row[4:], strict=True))
    for column in ("cp_options", "permissions"):
        values[column] = json.loads(values[column])
    for column in ("mailbox_enabled", "redirect_enabled", "group_enabled", "autoresponders_enabled", "cp_access"):
        values[column] = bool(values[column])
    return AccountState(name=row[0], id=row[1], guid=row[2], storage=row[3], **values)


def _load_lists(states: dict[int, AccountState]) -> None:
    condition, parameter = among("account_id", list(states))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT account_id, local_part FROM mail_mailname WHERE kind = 'alias' AND {condition} ORDER BY id",
            [parameter],
        )
        for account_id, alias in cursor.fetchall():
            states[account_id].aliases.append(alias)
        cursor.execute(
            f"SELECT account_id, kind, address FROM mail_recipient WHERE {condition} ORDER BY id", [parameter]
        )
        for account_id, kind, address in cursor.fetchall():
            state = states[account_id]
            (state.redirect if kind == REDIRECT else state.group).append(address)


def _load_replies(states: dict[int, AccountState]) -> None:
    condition, parameter = among("account_id", list(states))
    by_id: dict[int, Reply] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, account_id, name, size, sha256 FROM mail_repositoryfile WHERE {condition} ORDER BY id",
            [parameter],
        )
        for file_id, account_id, name, size, sha256 in cursor.fetchall():
            states[account_id].files[name] = StoredFile(name, size, sha256, file_id)
        cursor.execute(
            f"SELECT id, account_id, {', '.join(_REPLY_COLUMNS)} FROM mail_autoresponder WHERE {condition}"
            " ORDER BY account_id, position",
            [parameter],
        )
        for row in cursor.fetchall():
            values = dict(zip(_REPLY_COLUMNS, row[2:], strict=True))
            values["enabled"] = bool(values["enabled"])
            for column in ("start_date", "end_date"):  # SQLite gives text
                if isinstance(values[column], str):
                    values[column] = date.fromisoformat(values[column])
            by_id[row[0]] = reply = Reply(**values)
            states[row[1]].replies.append(reply)
        if by_id:
            condition, parameter = among("t.autoresponder_id", list(by_id))
            cursor.execute(
                "SELECT t.autoresponder_id, f.name FROM mail_autoresponderattachment t"
                f" JOIN mail_repositoryfile f ON f.id = t.file_id WHERE {condition} ORDER BY t.id",
                [parameter],
            )
            for reply_id, name in cursor.fetchall():
                by_id[reply_id].attachments.append(name)
        condition, parameter = among("account_id", list(states))
        cursor.execute(f"SELECT account_id, script FROM mail_sievescript WHERE active AND {condition}", [parameter])
        for account_id, script in cursor.fetchall():
            states[account_id].script = script


def insert(site: Site, states: Sequence[AccountState]) -> None:
    """Write new accounts, and fill in their ids."""
    if not states:
        return
    at = now()
    accounts = [
        (state.guid or new_guid(), site.id, state.storage or new_storage_key(), 0, at, *_values(state))
        for state in states
    ]
    if len(states) == 1 and database().vendor == "postgresql":
        (state,) = states
        state.id = _insert_together(accounts[0], (site.id, state.name, site.address(state.name), "account"))
        names: list[tuple[Any, ...]] = []
    else:
        for state, account_id in zip(states, allocate("mail_mailaccount", len(states)), strict=True):
            state.id = account_id
        rows = [(state.id, *row) for state, row in zip(states, accounts, strict=True)]
        insert_rows("mail_mailaccount", _ROW_COLUMNS, rows)
        names = [(site.id, state.name, site.address(state.name), "account", state.id) for state in states]
    names += [(site.id, name, site.address(name), "alias", state.id) for state in states for name in state.aliases]
    insert_rows("mail_mailname", _NAME_COLUMNS, names)
    _insert_recipients((state, kind, values) for state in states for kind, values in _lists(state))
    _insert_files([(state, list(state.files.values())) for state in states if state.files])
    _insert_replies([state for state in states if state.replies])
    _write_scripts([state for state in states if state.script is not None])


def _insert_together(account: Sequence[Any], name: Sequence[Any]) -> int:
    """Write one account and its name on PostgreSQL; its id. One statement: three took a tenth of the whole request."""
    ((account_id,),) = execute(
        f"WITH a AS ({insertion('mail_mailaccount', _ACCOUNT_COLUMNS)} RETURNING id)"
        f" INSERT INTO mail_mailname ({', '.join(_NAME_COLUMNS)}) SELECT %s, %s, %s, %s, a.id FROM a"
        " RETURNING account_id",
        [*account, *name],
        by_key=True,
    )
    return int(account_id)


def update(site: Site, pairs: Sequence[tuple[AccountState, AccountState]]) -> None:
    """Write what differs between each account as it was loaded and as it shall be."""
    if not pairs:
        return
    scalars = [(*values, new.id) for old, new in pairs if (values := _values(new)) != _values(old)]
    gone_names: list[tuple[Any, ...]] = []
    names: list[tuple[Any, ...]] = []
    renamed: list[tuple[Any, ...]] = []
    gone_lists: list[tuple[Any, ...]] = []
    lists: list[tuple[AccountState, str, list[str]]] = []
    for old, new in pairs:
        if new.name != old.name:
            renamed.append((new.name, site.address(new.name), new.id))
        if new.aliases != old.aliases:
            kept = set(new.aliases)
            gone_names += [(site.id, alias) for alias in old.aliases if alias not in kept]
            had = set(old.aliases)
            names += [
                (site.id, alias, site.address(alias), "alias", new.id) for alias in new.aliases if alias not in had
            ]
        for (kind, before), (_, after) in zip(_lists(old), _lists(new), strict=True):
            if after[: len(before)] != before:
                gone_lists.append((new.id, kind))
                lists.append((new, kind, after))
            elif len(after) > len(before):
                lists.append((new, kind, after[len(before) :]))
    # Removals first: a name that one account gives up may be taken by another.
    execute_each("DELETE FROM mail_mailname WHERE site_id = %s AND local_part = %s", gone_names)
    execute_each("DELETE FROM mail_recipient WHERE account_id = %s AND kind = %s", gone_lists)
    execute_each(_UPDATE_ACCOUNT, scalars)
    execute_each(
        "UPDATE mail_mailname SET local_part = %s, address = %s WHERE account_id = %s AND kind = 'account'", renamed
    )
    insert_rows("mail_mailname", _NAME_COLUMNS, names)
    _insert_recipients(lists)
    _update_replies(pairs)
    _write_scripts([new for old, new in pairs if new.script != old.script])


def _lists(state: AccountState) -> tuple[tuple[str, list[str]], tuple[str, list[str]]]:
    return (REDIRECT, state.redirect), (GROUP, state.group)


def _insert_recipients(lists: Iterable[tuple[AccountState, str, list[str]]]) -> None:
    rows = [(state.id, kind, address) for state, kind, addresses in lists for address in addresses]
    insert_rows("mail_recipient", ("account_id", "kind", "address"), rows)


def _insert_files(files: Sequence[tuple[AccountState, list[StoredFile]]]) -> None:
    count = sum(len(added) for _, added in files)
    if not count:
        return
    ids = iter(allocate("mail_repositoryfile", count))
    rows = []
    for state, added in files:
        for file in added:
            stored = state.files[file.name] = replace(file, id=next(ids))
            rows.append((stored.id, state.id, stored.name, stored.size, stored.sha256))
    insert_rows("mail_repositoryfile", ("id", "account_id", "name", "size", "sha256"), rows)


def _insert_replies(states: Sequence[AccountState]) -> None:
    count = sum(len(state.replies) for state in states)
    if not count:
        return
    ids = iter(allocate("mail_autoresponder", count))
    rows = []
    attachments = []
    for state in states:
        for position, reply in enumerate(state.replies):
            reply_id = next(ids)
            rows.append((reply_id, state.id, position, *_reply_values(reply)))
            attachments += [(reply_id, state.files[name].id) for name in reply.attachments]
    insert_rows("mail_autoresponder", ("id", "account_id", "position", *_REPLY_COLUMNS), rows)
    insert_rows("mail_autoresponderattachment", ("autoresponder_id", "file_id"), attachments)


def _update_replies(pairs: Sequence[tuple[AccountState, AccountState]]) -> None:
    """Write changed files, and every reply of an account anew if a reply or a file of it changed."""
    changed = [(old, new) for old, new in pairs if new.replies != old.replies or new.files != old.files]
    if not changed:
        return
    delete_replies([new.id for _, new in changed])
    gone = [
        file.id
        for old, new in changed
        for file in old.files.values()
        if new.files.get(file.name, file) != file or file.name not in new.files
    ]
    if gone:
        condition, parameter = among("id", gone)
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM mail_repositoryfile WHERE {condition}", [parameter])
    _insert_files([(new, [file for file in new.files.values() if not file.id]) for _, new in changed])
    _insert_replies([new for _, new in changed])


def delete_replies(account_ids: Sequence[int]) -> None:
    """Delete every automatic reply of these accounts."""
    condition, parameter = among("account_id", account_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM mail_autoresponderattachment WHERE autoresponder_id IN"
            f" (SELECT id FROM mail_autoresponder WHERE {condition})",
            [parameter],
        )
        cursor.execute(f"DELETE FROM mail_autoresponder WHERE {condition}", [parameter])


def _write_scripts(states: Sequence[AccountState]) -> None:
    execute_each(_UPSERT_SCRIPT, [(state.id, state.script is not None, state.script or "") for state in states])


def delete(account_ids: Sequence[int]) -> None:
    """Delete these accounts with all that belongs to them. Their storage is the caller's to bury."""
    delete_replies(account_ids)
    condition, parameter = among("account_id", account_ids)
    with connection.cursor() as cursor:
        for table in ("mail_repositoryfile", "mail_sievescript", "mail_recipient", "mail_mailname"):
            cursor.execute(f"DELETE FROM {table} WHERE {condition}", [parameter])
        condition, parameter = among("id", account_ids)
        cursor.execute(f"DELETE FROM mail_mailaccount WHERE {condition}", [parameter])
