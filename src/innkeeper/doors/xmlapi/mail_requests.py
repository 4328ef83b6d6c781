"""Reads the settings of mail accounts and sites from packets of the new dialect.

Elements are valid by schema when they come here. Each child is looked at once: a packet may hold 100,000 accounts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from lxml import etree

from innkeeper.core.errors import InvalidValue, NotSupported
from innkeeper.doors.xmlapi.call import boolean
from innkeeper.mail.requests import (
    UNSET,
    AccountChange,
    Addresses,
    Attachment,
    Password,
    Preferences,
    ReplyChange,
)

Element = etree._Element


def folded(element: Element) -> str:
    """The text of an element of the protocol's type `string`: white space is folded."""
    return " ".join((element.text or "").split())


def preserved(element: Element) -> str:
    """The text of an element of type `xs:string`."""
    return element.text or ""


def number(element: Element) -> int:
    """The value of an integer. One beyond 64 bits becomes 0, which is no id and no quota."""
    value = int(folded(element))
    return value if -(2**63) <= value < 2**63 else 0


def flag(element: Element) -> bool:
    """The value of a boolean."""
    return boolean(element.text or "")


def day(element: Element) -> date:
    """The value of a date; a time zone is read over. Raises InvalidValue for years that no calendar here has."""
    text = folded(element)
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise InvalidValue(f"{element.tag}: {text[:32]!r} is not a date between 0001 and 9999.") from error


def account_change(mailname: Element) -> AccountChange:
    """One `mailname` of `create` or `update`. Raises InvalidValue for what the schema lets pass and no account has."""
    settings: dict[str, Any] = {}
    aliases: list[str] = []
    for child in mailname:
        tag = child.tag
        if tag == "alias":
            aliases.append(child.text or "")
        elif tag == "mailbox":
            for part in child:
                if part.tag == "enabled":
                    settings["mailbox_enabled"] = flag(part)
                elif part.tag == "quota":
                    settings["quota"] = number(part)
        else:
            field, read = _ACCOUNT[str(tag)]
            settings[field] = read(child)
    if aliases:
        # A single empty alias is how `set` says "none".
        settings["aliases"] = () if aliases == [""] else tuple(aliases)
    return AccountChange(**settings)


def addresses(element: Element) -> Addresses:
    """A switch and its addresses."""
    enabled = element.find("enabled")
    return Addresses(
        UNSET if enabled is None else flag(enabled), tuple(folded(address) for address in element.iterfind("address"))
    )


def password(element: Element) -> Password | Any:
    """`password`: UNSET if the whole element is empty. Raises InvalidValue for a type without a value."""
    value, kind = element.find("value"), element.find("type")
    if value is None:
        if kind is None:
            return UNSET
        raise InvalidValue("password/value: the type is given without a value. Give both, or leave both out.")
    return Password(preserved(value), "plain" if kind is None else folded(kind))


def automatic_reply(element: Element) -> ReplyChange:
    """The one `autoresponder` of an account."""
    settings: dict[str, Any] = {}
    attachments: list[Attachment] = []
    for child in element:
        if child.tag == "attachment":
            name, handle = child.find("file-name"), child.find("tmp-name")
            attachments.append(
                Attachment("" if name is None else folded(name), "" if handle is None else folded(handle))
            )
        else:
            read = _REPLY[str(child.tag)]
            settings[str(child.tag)] = read(child)
    return ReplyChange(attachments=tuple(attachments), **settings)


_ACCOUNT: dict[str, tuple[str, Callable[[Element], Any]]] = {
    "id": ("id", number),
    "name": ("name", folded),
    "cp-access": ("cp_access", flag),
    "forwarding": ("forwarding", addresses),
    "autoresponder": ("autoresponder", automatic_reply),
    "password": ("password", password),
    "user-guid": ("user_guid", folded),
    "antivir": ("antivir", folded),
    "outgoing-messages-mbox-limit": ("outgoing_limit", folded),
    "description": ("description", preserved),
}
_REPLY: dict[str, Callable[[Element], Any]] = {
    "enabled": flag,
    "subject": preserved,
    "content_type": folded,
    "charset": preserved,
    "text": preserved,
    "forward": preserved,
    "end_date": day,
}


def preferences(prefs: Element) -> Preferences:
    """`prefs`. Raises NotSupported for a mail provider other than the server itself."""
    settings: dict[str, Any] = {}
    for child in prefs:
        if child.tag == "nonexistent-user":
            settings["unknown_action"] = str(child[0].tag)
            settings["unknown_value"] = "" if child[0].tag == "reject" else preserved(child[0])
        elif child.tag == "mail-provider":
            if child[0].tag != "local":
                raise NotSupported("mail-provider: only the server's own mail is served. Use local.")
        elif child.tag in _PREFERENCES:
            field, read = _PREFERENCES[str(child.tag)]
            settings[field] = read(child)
    return Preferences(**settings)


# `none` changes nothing, and `ip_address` is internal to another product.
_PREFERENCES: dict[str, tuple[str, Callable[[Element], Any]]] = {
    "webmail": ("webmail", folded),
    "spam-protect-sign": ("sign_outgoing", flag),
    "greylisting": ("greylisting", flag),
    "mailservice": ("enabled", flag),
    "webmail-certificate": ("webmail_certificate", folded),
}
