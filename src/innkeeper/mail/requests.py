"""What the operations of mail take and give back.

One set of classes serves every door and both dialects of the packet protocol. `UNSET` stands for a setting that the
request does not mention: it keeps its value, or its default on a new account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, StrEnum
from typing import Final, Literal


class Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "unset"

    def __bool__(self) -> Literal[False]:
        return False

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET


class Mode(StrEnum):
    """How a change meets what is stored: add to lists, take from lists, or replace what is mentioned."""

    ADD = "add"
    REMOVE = "remove"
    SET = "set"


@dataclass(frozen=True, slots=True)
class Password:
    """A new password: clear text (`plain`), or a hash that the mail server can verify (`crypt`).

    `hashed` is the hash of clear text whose caller had to make it beforehand, by `hash_ahead`.
    """

    value: str = field(repr=False)
    kind: str = "plain"
    hashed: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Addresses:
    """A switch and the full addresses behind it: of a redirect, of a mail group, or of both together."""

    enabled: bool | Unset = UNSET
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file for an account's repository. Without content it names one that is stored already."""

    name: str
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with an automatic reply.

    `handle` names an upload of the caller, which then enters the account's repository as `file_name`; without a
    handle `file_name` names a file of the repository.
    """

    file_name: str = ""
    handle: str = ""


@dataclass(frozen=True, slots=True)
class ReplyChange:
    """One automatic reply, by its name. `answers_per_day` counts per sender.

    Of files, `attachments` are to go with it and those of the names in `detached` no longer; neither touches others.
    """

    name: str = ""
    enabled: bool | Unset = UNSET
    key: str | Unset = UNSET
    key_where: str | Unset = UNSET
    subject: str | Unset = UNSET
    reply_to: str | Unset = UNSET
    content_type: str | Unset = UNSET
    charset: str | Unset = UNSET
    text: str | Unset = UNSET
    answers_per_day: int | Unset | None = UNSET
    remembered_senders: int | Unset | None = UNSET
    forward: str | Unset = UNSET
    start_date: date | Unset | None = UNSET
    end_date: date | Unset | None = UNSET
    attachments: tuple[Attachment, ...] = ()
    detached: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Replies:
    """The switch of all automatic replies of an account, and some of them.

    `order` names them in the order in which they are to be tried; those that it leaves out follow in theirs.
    """

    enabled: bool | Unset = UNSET
    replies: tuple[ReplyChange, ...] = ()
    order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountChange:
    """One mail account by its name, with the settings that the request mentions.

    `forwarding` is redirect and group taken together, `autoresponder` the one automatic reply of a door that knows
    only one; `redirect`, `group` and `autoresponders` reach each apart. `groups` names mail groups of the site that
    the account belongs to. An empty tuple of `aliases` or `groups` clears the list in mode SET.
    `outgoing_limit` is `default`, `-1` or a number of messages an hour. `id` only cross-checks the name.
    """

    name: str
    id: int | None = None
    cp_access: bool | Unset = UNSET
    cp_options: Mapping[str, str] | Unset = UNSET
    mailbox_enabled: bool | Unset = UNSET
    quota: int | Unset = UNSET
    forwarding: Addresses | Unset = UNSET
    redirect: Addresses | Unset = UNSET
    group: Addresses | Unset = UNSET
    groups: tuple[str, ...] | Unset = UNSET
    aliases: tuple[str, ...] | Unset = UNSET
    autoresponder: ReplyChange | Unset = UNSET
    autoresponders: Replies | Unset = UNSET
    files: tuple[NewFile, ...] | Unset = UNSET
    password: Password | Unset = UNSET
    user_guid: str | Unset = UNSET
    antivir: str | Unset = UNSET
    outgoing_limit: str | Unset = UNSET
    description: str | Unset = UNSET
    permissions: Mapping[str, bool] | Unset = UNSET
    color_scheme: str | Unset = UNSET


NewAccount = AccountChange
"""A new account is a change of nothing: what it does not mention has its default (no mailbox, the plan's quota)."""


@dataclass(frozen=True, slots=True)
class CreateAccounts:
    """Create accounts on one site."""

    site_id: int
    accounts: tuple[NewAccount, ...]


@dataclass(frozen=True, slots=True)
class UpdateAccounts:
    """Change accounts of one site, all in the same mode."""

    site_id: int
    mode: Mode
    changes: tuple[AccountChange, ...]


@dataclass(frozen=True, slots=True)
class RemoveAccounts:
    """Remove these accounts of one site; `names` None means every account of it."""

    site_id: int
    names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RenameAccount:
    """Give an account of a site another name."""

    site_id: int
    name: str
    new_name: str


@dataclass(frozen=True, slots=True)
class RestoreAccount:
    """Bring back the account of that name that was removed last."""

    site_id: int
    name: str


@dataclass(frozen=True, slots=True)
class AccountRef:
    """An account in an answer: its name, and its id if it has one."""

    id: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Restored:
    """An account that came back, and those of its aliases that others have taken meanwhile."""

    account: AccountRef
    lost_aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preferences:
    """The mail preferences of a site that the request mentions.

    `unknown_action` is `reject`, `bounce` or `forward`; `unknown_value` is the text or the address that goes with it.
    `webmail` is a product's name, `none`, or a boolean as text.
    """

    unknown_action: str | Unset = UNSET
    unknown_value: str = ""
    webmail: str | Unset = UNSET
    sign_outgoing: bool | Unset = UNSET
    greylisting: bool | Unset = UNSET
    enabled: bool | Unset = UNSET
    webmail_certificate: str | Unset = UNSET
