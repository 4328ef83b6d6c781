"""The control-panel events that mail operations raise. A mail account is always given as its full address."""

from __future__ import annotations

from innkeeper.events.catalogue import event

MAILNAME_CREATE = event("mailname_create")
MAILNAME_UPDATE = event("mailname_update")
MAILNAME_DELETE = event("mailname_delete")
