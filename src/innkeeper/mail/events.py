"""The control-panel events that mail operations raise."""

from __future__ import annotations

from innkeeper.core.events import EventType

# The panel's documented parameters; a mail account is always given as its full address.
_REQUIRED = frozenset(["mailname"])

MAILNAME_CREATE = EventType("mailname_create", "mailname", "create", ("mailname",), _REQUIRED)
MAILNAME_UPDATE = EventType(
    "mailname_update",
    "mailname",
    "change",
    (
        "mailname",
        "mailbox",
        "password",  # stays empty: no clear password enters the outbox
        "mailbox_quota",
        "redirect",
        "redirect_address",
        "mail_group",
        "autoresponders",
    ),
    _REQUIRED,
)
MAILNAME_DELETE = EventType("mailname_delete", "mailname", "delete", ("mailname",), _REQUIRED)
