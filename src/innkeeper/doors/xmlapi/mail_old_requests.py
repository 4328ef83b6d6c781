"""Reads the settings of mail accounts from packets of the old dialect.

Its children come in any order. What the dialects share (names, flags, numbers) is read as in the new one.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from innkeeper.doors.xmlapi.call import boolean
from innkeeper.doors.xmlapi.mail_requests import Element, addresses, flag, folded, number, preserved
from innkeeper.mail.requests import UNSET, AccountChange, Attachment, NewFile, Password, Replies, ReplyChange

ANTIVIRUS = {"true": "inout", "1": "inout", "false": "off", "0": "off"}
OPTIONS = ("locale", "skin_id", "multiply_login", "disable_lock_screen")


def account_change(mailname: Element) -> AccountChange:
    """One `mailname` of `create` or of any part of `update`."""
    settings: dict[str, Any] = {}
    lists: dict[str, list[str]] = {}
    kind = "plain"
    for child in mailname:
        tag = str(child.tag)
        if tag in _LISTS:
            lists.setdefault(_LISTS[tag], []).append(folded(child))
        elif tag == "mailbox":
            for part in child:
                if part.tag == "enabled":
                    settings["mailbox_enabled"] = flag(part)
                elif part.tag == "quota":
                    settings["quota"] = number(part)
        elif tag == "cp_access":
            settings.update(panel_access(child))
        elif tag == "password_type":
            kind = folded(child)
        else:
            field, read = _ACCOUNT[tag]
            settings[field] = read(child)
    for field, values in lists.items():
        # A single empty element is how `set` says "none".
        settings[field] = () if values == [""] else tuple(values)
    if "password" in settings:
        settings["password"] = Password(settings["password"], kind)
    return AccountChange(**settings)


def panel_access(element: Element) -> dict[str, Any]:
    """`cp_access`: a switch, or its text alone, and options with or without `access` around them."""
    settings: dict[str, Any] = {}
    if text := (element.text or "").strip():
        settings["cp_access"] = boolean(text)
    options: dict[str, str] = {}
    for part in element.iterdescendants():
        if part.tag == "enabled":
            settings["cp_access"] = flag(part)
        elif part.tag in OPTIONS:
            options[str(part.tag)] = folded(part)
    if options:
        settings["cp_options"] = options
    return settings


def automatic_replies(element: Element) -> Replies:
    """`autoresponders`: the switch of all, and some by name."""
    enabled = element.find("enabled")
    return Replies(
        UNSET if enabled is None else flag(enabled),
        tuple(automatic_reply(reply) for reply in element.iterfind("autoresponder")),
    )


def automatic_reply(element: Element) -> ReplyChange:
    """One `autoresponder`."""
    settings: dict[str, Any] = {}
    attachments: list[Attachment] = []
    for child in element:
        if child.tag == "attachment":
            attachments.append(Attachment(folded(child)))
        else:
            field, read = _REPLY[str(child.tag)]
            settings[field] = read(child)
    return ReplyChange(attachments=tuple(attachments), **settings)


def repository(element: Element) -> tuple[NewFile, ...]:
    """`repository`: files with their content, or by their name alone."""
    files = []
    for file in element:
        name, content = file.find("name"), file.find("content")
        files.append(
            NewFile(
                "" if name is None else folded(name),
                None if content is None else base64.b64decode(content.text or ""),
            )
        )
    return tuple(files)


def permissions(element: Element) -> dict[str, bool]:
    """`permissions`: the schema's list, or the guide's direct children."""
    found: dict[str, bool] = {}
    for child in element:
        if child.tag == "permission":
            name, value = child
            found[folded(name)] = flag(value)
        else:
            found[str(child.tag)] = flag(child)
    return found


def antivirus(element: Element) -> str:
    """The mode; a boolean means both directions or none."""
    text = folded(element)
    return ANTIVIRUS.get(text, text)


_LISTS = {"alias": "aliases", "group": "groups"}
_ACCOUNT: dict[str, tuple[str, Callable[[Element], Any]]] = {
    "id": ("id", number),
    "name": ("name", folded),
    "redirect": ("redirect", addresses),
    "mailgroup": ("group", addresses),
    "autoresponders": ("autoresponders", automatic_replies),
    "repository": ("files", repository),
    "password": ("password", preserved),
    "antivir": ("antivir", antivirus),
    "permissions": ("permissions", permissions),
}
_REPLY: dict[str, tuple[str, Callable[[Element], Any]]] = {
    "name": ("name", folded),
    "enabled": ("enabled", flag),
    "keystr": ("key", folded),
    "key_where": ("key_where", folded),
    "subject": ("subject", preserved),
    "reply_to": ("reply_to", folded),
    "content_type": ("content_type", folded),
    "charset": ("charset", preserved),
    "text": ("text", preserved),
    "ans_freq": ("answers_per_day", number),
    "mem_limit": ("remembered_senders", number),
    "forward": ("forward", preserved),
}
