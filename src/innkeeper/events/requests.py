"""What the operations of handlers are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from innkeeper.events.models import DEFAULT_PRIORITY, EventHandler, HandlerKind
from innkeeper.hostd.requests import LIMITS as BOUNDS


class Limit(NamedTuple):
    """Bounds of one limit of a run, and what holds where none is given."""

    least: int
    most: int
    default: int
    what: str


LIMITS: dict[str, Limit] = {
    "timeout_s": Limit(*BOUNDS["timeout_s"], 300, "seconds"),
    "memory_mb": Limit(*BOUNDS["memory_mb"], 512, "megabytes"),
    "output_kb": Limit(*BOUNDS["output_kb"], 64, "kilobytes"),
    "open_files": Limit(*BOUNDS["open_files"], 256, "files"),
}


@dataclass(frozen=True, slots=True)
class NewHandler:
    """A handler to create: a command with its user, or a web address. A user left empty is the first allowed."""

    event: str
    kind: str = HandlerKind.COMMAND.value
    priority: int = DEFAULT_PRIORITY
    user: str = ""
    command: str = ""
    url: str = ""
    allow_private: bool = False
    pass_secrets: bool = False
    enabled: bool = True
    timeout_s: int = LIMITS["timeout_s"].default
    memory_mb: int = LIMITS["memory_mb"].default
    output_kb: int = LIMITS["output_kb"].default
    open_files: int = LIMITS["open_files"].default


@dataclass(frozen=True, slots=True)
class HandlerChanges:
    """What to change of a handler; None leaves a thing as it is. `new_secret` makes a webhook sign with a new one."""

    event: str | None = None
    priority: int | None = None
    user: str | None = None
    command: str | None = None
    url: str | None = None
    allow_private: bool | None = None
    pass_secrets: bool | None = None
    enabled: bool | None = None
    timeout_s: int | None = None
    memory_mb: int | None = None
    output_kb: int | None = None
    open_files: int | None = None
    new_secret: bool = False


@dataclass(frozen=True, slots=True)
class Saved:
    """A handler that was saved. `secret_once` is a webhook's new signing secret, which is never shown again."""

    handler: EventHandler
    warnings: tuple[str, ...] = ()
    secret_once: str = ""


@dataclass(frozen=True, slots=True)
class Replay:
    """Events to give to a handler again: those of one delivery, or all of its event between two moments.

    `handler_id` may be left out with a delivery, whose own handler it is then. A range without an end reaches to now.
    `known` is what an earlier answer had as `newest`: if there is a newer repetition by now, nothing is done, so that a
    request that was sent twice acts once.
    """

    delivery_id: int | None = None
    handler_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    known: int | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many events a handler will be given again; `newest` is the delivery that was its newest repetition before."""

    handler: EventHandler
    count: int
    newest: int
