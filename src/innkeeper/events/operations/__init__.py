"""The changes that handlers of events know. Every door calls these."""

from innkeeper.events.operations.handlers import (
    create_handler,
    remove_handlers,
    resume_handler,
    set_enabled,
    update_handler,
)
from innkeeper.events.operations.repeat import replay, test_handler
from innkeeper.events.operations.retention import empty_log, remove_old, set_retention
from innkeeper.events.requests import LIMITS, HandlerChanges, NewHandler, Replay, Replayed, Saved

__all__ = [
    "LIMITS", "HandlerChanges", "NewHandler", "Replay", "Replayed", "Saved", "create_handler", "empty_log",
    "remove_handlers", "remove_old", "replay", "resume_handler", "set_enabled", "set_retention", "test_handler",
    "update_handler",
]  # fmt: skip
