"""Rules for the values of a request, so that everything is checked before anything is hashed or locked."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import sievelib.parser

from innkeeper.core import files, names, passwords
from innkeeper.core.actor import Actor
from innkeeper.core.errors import Failed, InvalidValue, LimitReached, Refused
from innkeeper.core.operation import is_planning
from innkeeper.mail.models import Autoresponder, MailAccount
from innkeeper.mail.queries import require_site
from innkeeper.mail.replies import Reply, StoredFile
from innkeeper.mail.requests import UNSET, AccountChange, Addresses, Mode, NewFile, ReplyChange, Unset
from innkeeper.mail.sieve import SCRIPT_BYTES, ReplyNotEncodable, render

BIGGEST = 2**63 - 1
DESCRIPTION_LENGTH = 255
FILE_NAME_LENGTH = 255
REPLY_NAME_LENGTH = 255
KEY_LENGTH = 255
ANSWERS_PER_DAY = 86_400
HASHING_SECONDS = 20.0
ANTIVIRUS = frozenset(MailAccount.Antivirus.values)
KEY_WHERE = frozenset(Autoresponder.KeyWhere.values)
CONTENT_TYPES = frozenset(["text/plain", "text/html"])
COLOR_SCHEMES = frozenset(["auto", "light", "dark"])
CP_OPTIONS = frozenset(["locale", "skin_id", "multiply_login", "disable_lock_screen"])
PLANNED = "{PLAN}*"
"""Stands for a hash that a plan does not compute."""
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
CHARSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


def checked(change: AccountChange) -> AccountChange:
    """The change with its names and addresses folded. Raises InvalidValue for the first value that breaks a rule.

    The password is left alone.
    """
    name = names.local_part(change.name)
    if change.quota is not UNSET and (change.quota == 0 or not -1 <= change.quota <= BIGGEST):
        raise InvalidValue(
            f"quota: {change.quota} is not a quota. Give a number of bytes above 0, or -1 for no limit.", field="quota"
        )
    if change.antivir is not UNSET and change.antivir not in ANTIVIRUS:
        raise InvalidValue(f"antivir: {change.antivir!r} is none of off, inout, in, out.", field="antivir")
    if change.color_scheme is not UNSET and change.color_scheme not in COLOR_SCHEMES:
        raise InvalidValue(f"color_scheme: {change.color_scheme!r} is none of auto, light, dark.", field="color_scheme")
    if change.outgoing_limit is not UNSET:
        outgoing_limit(change.outgoing_limit)
    if change.description is not UNSET:
        _description(change.description)
    if change.cp_options is not UNSET and (unknown := set(change.cp_options) - CP_OPTIONS):
        raise InvalidValue(f"cp_access: there is no option {min(unknown)!r}.", field="cp_access")
    if change.permissions is not UNSET:
        for permission in change.permissions:
            _line(permission, 64, "permissions")
    # Most accounts of a large packet have none of these, and a copy would cost as much as all checks above.
    folded: dict[str, Any] = {}
    if name != change.name:
        folded["name"] = name
    if change.aliases is not UNSET:
        folded["aliases"] = _unique(names.local_part(alias, field="alias") for alias in change.aliases)
    if change.groups is not UNSET:
        folded["groups"] = _unique(names.local_part(group, field="group") for group in change.groups)
    if change.forwarding is not UNSET:
        folded["forwarding"] = _addresses(change.forwarding, "forwarding")
    if change.redirect is not UNSET:
        folded["redirect"] = _addresses(change.redirect, "redirect")
    if change.group is not UNSET:
        folded["group"] = _addresses(change.group, "mailgroup")
    if change.autoresponder is not UNSET:
        folded["autoresponder"] = checked_reply(change.autoresponder)
    if change.autoresponders is not UNSET:
        replies = tuple(_named_reply(reply) for reply in change.autoresponders.replies)
        folded["autoresponders"] = replace(change.autoresponders, replies=replies)
    if change.files is not UNSET:
        folded["files"] = tuple(_file(file) for file in change.files)
    return replace(change, **folded) if folded else change


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _addresses(value: Addresses, field: str) -> Addresses:
    return replace(value, addresses=_unique(names.address(a, field=field) for a in value.addresses))


def _line(value: str, length: int, field: str) -> str:
    if not value or len(value) > length or CONTROL.search(value):
        raise InvalidValue(f"{field}: use 1 to {length} characters without control characters.", field=field)
    return value


def _description(value: str) -> None:
    if len(value) > DESCRIPTION_LENGTH:
        raise InvalidValue(
            f"description: {len(value)} characters are too many. Use at most {DESCRIPTION_LENGTH}.",
            field="description",
        )


def outgoing_limit(value: str) -> int | None:
    """Messages an hour: None for the server's default, -1 for no limit."""
    text = value.strip()
    if text == "default":
        return None
    if text == "-1" or (text.isascii() and text.isdigit() and int(text) <= BIGGEST):
        return int(text)
    raise InvalidValue(
        f"outgoing-messages-mbox-limit: {value!r} is not a limit. Give a number of messages an hour, -1 for no"
        " limit, or default.",
        field="outgoing-messages-mbox-limit",
    )


def password_value(change: AccountChange, name: str) -> str | None:
    """The ready hash that the password brings, or None if it is clear text that has to be hashed."""
    assert change.password is not UNSET  # noqa: S101
    password = change.password
    if password.kind == "plain":
        passwords.check(password.value, name)
        return password.hashed
    if password.kind == "crypt" and password.value:
        return passwords.import_hash(password.value)
    if not password.value:
        raise InvalidValue("password: the value is empty. Send a password, or leave the element out.", field="password")
    raise InvalidValue(
        f"password: the type {password.kind!r} cannot be stored. Send plain text, or crypt with a hash.",
        field="password",
    )


def checked_reply(reply: ReplyChange) -> ReplyChange:
    """An automatic reply with its addresses folded. Raises InvalidValue."""
    for text, element in ((reply.subject, "subject"), (reply.key, "keystr")):
        if text is not UNSET and text:
            _line(text, KEY_LENGTH, f"autoresponder/{element}")
    if reply.key_where is not UNSET and reply.key_where not in KEY_WHERE:
        raise InvalidValue(
            f"autoresponder/key_where: {reply.key_where!r} is none of subj, body, no.", field="autoresponder/key_where"
        )
    if reply.content_type is not UNSET and reply.content_type not in CONTENT_TYPES:
        raise InvalidValue(
            f"autoresponder/content_type: {reply.content_type!r} is neither text/plain nor text/html.",
            field="autoresponder/content_type",
        )
    if reply.charset == "":
        reply = replace(reply, charset=Reply("").charset)  # an empty element is the default, as anywhere
    elif reply.charset is not UNSET:
        _charset(reply.charset)
    for number, element in ((reply.answers_per_day, "ans_freq"), (reply.remembered_senders, "mem_limit")):
        if number is not UNSET and number is not None and not 1 <= number <= ANSWERS_PER_DAY:
            raise InvalidValue(
                f"autoresponder/{element}: {number} is out of range. Give 1 to {ANSWERS_PER_DAY}.",
                field=f"autoresponder/{element}",
            )
    for attachment in reply.attachments:
        if attachment.file_name:
            file_name(attachment.file_name, "autoresponder/attachment")
        elif not attachment.handle:
            raise InvalidValue("autoresponder/attachment: name a file.", field="autoresponder/attachment")
    good = replace(
        reply,
        forward=_one_address(reply.forward, "autoresponder/forward"),
        reply_to=_one_address(reply.reply_to, "autoresponder/reply_to"),
    )
    _compile(good)
    return good


def _compile(reply: ReplyChange) -> None:
    """Refuse a reply that the mail server would not understand, before any lock is held: parsing takes its time.

    What the change leaves out is taken at its default. The texts are what could break a script; how replies are put
    together does not depend on them.
    """
    scalars = {f.name: getattr(reply, f.name) for f in fields(Reply) if f.name not in {"name", "attachments"}}
    given = {name: value for name, value in scalars.items() if value is not UNSET}
    draft = Reply(reply.name or "autoresponder", **given | {"enabled": True})
    try:
        script = render([draft], address="name@example.com", aliases=[], files={}, keeps_mail=True)
    except ReplyNotEncodable:
        return  # the account's stored character set or text decides
    parser = sievelib.parser.Parser()
    if script and len(script) <= SCRIPT_BYTES and not parser.parse(script):
        raise InvalidValue(
            f"autoresponder: the mail server would not understand this reply ({parser.error}).", field="autoresponder"
        )


def _named_reply(reply: ReplyChange) -> ReplyChange:
    _line(reply.name, REPLY_NAME_LENGTH, "autoresponder/name")
    return checked_reply(reply)


def _one_address(value: str | Unset, field: str) -> str | Unset:
    return names.address(value, field=field) if value else value


def _charset(value: str) -> None:
    try:
        known = CHARSET.fullmatch(value) and codecs.lookup(value)._is_text_encoding
    except LookupError:
        known = False
    if not known:
        raise InvalidValue(
            f"autoresponder/charset: {value!r} is not a character set. Use one such as UTF-8 or ISO-8859-1.",
            field="autoresponder/charset",
        )


def file_name(value: str, field: str) -> str:
    """The name of a repository file: no path, no control character."""
    _line(value, FILE_NAME_LENGTH, field)
    if "/" in value or "\\" in value or value in {".", ".."}:
        raise InvalidValue(f"{field}: {value!r} is a path. Give the file's name alone.", field=field)
    return value


def _file(file: NewFile) -> NewFile:
    file_name(file.name, "repository/file/name")
    return file


@dataclass(slots=True)
class Checked:
    """A change that passed the rules, with the hash of its password and its stored files once there are any."""

    change: AccountChange
    password: str | None = None
    files: dict[str, StoredFile] = field(default_factory=dict)


def check_all(changes: Sequence[AccountChange], mode: Mode) -> list[Checked | Refused]:
    """Each change checked, or its refusal in its place."""
    result: list[Checked | Refused] = []
    for change in changes:
        try:
            # Only members of lists are removed: a password has no effect there, and is not worth a hash.
            good = checked(replace(change, password=UNSET) if mode is Mode.REMOVE else change)
            ready = None if good.password is UNSET else password_value(good, good.name)
            result.append(Checked(good, ready))
        except Refused as refused:
            result.append(refused)
    return result


def prepare(items: Sequence[Checked | Refused]) -> None:
    """Do what must not happen inside the transaction: hash clear passwords on all cores, store files.

    A plan does neither. Raises LimitReached where hashing would take too long, Failed where no file can be stored.
    """
    waiting = [item for item in items if isinstance(item, Checked) and _to_hash(item)]
    refuse_long_hashing(len(waiting))
    values = [item.change.password.value for item in waiting if item.change.password is not UNSET]
    for item, hashed in zip(waiting, _hashes(values), strict=True):
        item.password = hashed
    for entry in items:
        if isinstance(entry, Checked) and entry.change.files is not UNSET:
            entry.files = _stored(entry.change.files)


def refuse_long_hashing(count: int) -> None:
    """Raise LimitReached where hashing so many passwords would take too long."""
    seconds = passwords.hashing_seconds(count)
    if seconds > HASHING_SECONDS:
        raise LimitReached(
            f"password: hashing {count} passwords would take {seconds:.0f} seconds, and an operation has"
            f" {HASHING_SECONDS:.0f}. Send ready hashes (type crypt), or fewer accounts at once.",
            field="password",
        )


def _hashes(values: Sequence[str]) -> list[str]:
    if not values:
        return []
    return [PLANNED] * len(values) if is_planning() else passwords.hash_mail_many(values)


def hash_ahead(actor: Actor, site_id: int, changes: Iterable[AccountChange | None], mode: Mode) -> dict[int, str]:
    """The hashes of clear-text passwords by their places, for a caller that changes accounts inside a transaction.

    Each belongs into its `Password.hashed`. Changes that will be refused have none; None keeps a place free.
    Raises NotFound for the site, LimitReached where hashing would take too long.
    """
    waiting: dict[int, str] = {}
    for place, change in enumerate(changes):
        if change is None or change.password is UNSET or change.password.kind != "plain":
            continue
        (item,) = check_all([change], mode)
        if isinstance(item, Checked) and _to_hash(item):
            waiting[place] = change.password.value
    if waiting:
        require_site(actor, site_id)
    refuse_long_hashing(len(waiting))
    return dict(zip(waiting, _hashes(list(waiting.values())), strict=True))


def needs_hashing(items: Sequence[Checked | Refused]) -> bool:
    """True if `prepare` would hash."""
    return any(isinstance(item, Checked) and _to_hash(item) for item in items)


def _to_hash(item: Checked) -> bool:
    return item.password is None and item.change.password is not UNSET


def _stored(given: Iterable[NewFile]) -> dict[str, StoredFile]:
    put = files.digest if is_planning() else files.put
    try:
        return {f.name: StoredFile(f.name, len(f.content), put(f.content)) for f in given if f.content is not None}
    except OSError as error:
        raise Failed("repository/file: the file cannot be stored now. Nothing was changed; try again.") from error
