"""One change that a user can ask for: one transaction of rows, audit and events, or a plan of it.

    with Operation(actor, "mail.create") as operation:
        ... rows ...
        operation.audit("mailname", account_id, address)
        operation.event(MAILNAME_CREATE, account_id, new={"mailname": address})

Nothing external happens inside: effects outside follow from the committed rows. Passwords are hashed before it opens,
because on SQLite it holds the one writer's lock.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from django.db import DatabaseError, OperationalError, connection, transaction

from innkeeper.core.actor import Actor
from innkeeper.core.db.sets import insert_together
from innkeeper.core.db.statements import database, now
from innkeeper.core.errors import Failed, InnkeeperError, Refused
from innkeeper.core.events import EventType
from innkeeper.core.sealing import seal
from innkeeper.core.wake import wake

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What became of one object of an operation on several: a value, or the refusal."""

    value: T
    error: Refused | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One object that a plan would change."""

    operation: str
    object_type: str
    object_id: int
    object_name: str
    detail: str


@dataclass(slots=True)
class Plan:
    """What the operations run under `planning()` would have done."""

    changes: list[Change] = field(default_factory=list)


_plan: ContextVar[Plan | None] = ContextVar("innkeeper_plan", default=None)

AUDIT_COLUMNS = (
    "at", "actor_kind", "actor_id", "login", "address", "door", "operation", "object_type", "object_id",
    "object_name", "detail",
)  # fmt: skip
RECORDS_IN_MEMORY = 10_000
"""More are written before the end of the operation, in its transaction: one may change a million objects."""
OUTBOX_COLUMNS = (
    "at", "event", "object_type", "object_id", "login", "address", "parameters", "state", "depth", "sealed",
)  # fmt: skip


class PlanRolledBack(InnkeeperError):
    """Ends the transaction of a planned operation. Never leaves this module."""


@contextmanager
def planning() -> Iterator[Plan]:
    """Run the operations inside as a plan: each is rolled back after its constraints were checked."""
    plan = Plan()
    token = _plan.set(plan)
    try:
        yield plan
    finally:
        _plan.reset(token)


def is_planning() -> bool:
    """True inside `planning()`: nothing may be hashed or written outside the database."""
    return _plan.get() is not None


class Operation:
    """The transaction of one operation, with its audit entries and events.

    Leaving it commits everything at once; an exception rolls everything back. A failure of the database becomes
    `Failed`, so that every door answers it alike.
    """

    def __init__(self, actor: Actor, name: str) -> None:
        self.actor = actor
        self.name = name
        self.plan = _plan.get()
        self._atomic = transaction.atomic()
        self._audit: list[tuple[str, int, str, str]] = []
        self._events: list[tuple[EventType, int, str]] = []
        self._secrets: dict[int, dict[str, str]] = {}  # by the event's place in the list
        self._has_events = False
        self._on_commit: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        try:
            self._atomic.__enter__()
        except DatabaseError as error:
            raise failed(self.name, error) from error
        return self

    def audit(self, object_type: str, object_id: int, object_name: str, detail: str = "") -> None:
        """Record the change of one object. `detail` must not hold a secret."""
        self._audit.append((object_type, object_id, object_name, detail))
        if len(self._audit) >= RECORDS_IN_MEMORY and self.plan is None:
            self._write_records()

    def event(
        self,
        event: EventType,
        object_id: int,
        *,
        old: Mapping[str, object] | None = None,
        new: Mapping[str, object] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        """Record a control-panel event. Values are keyed without `old_`/`new_`; the event's declaration checks them.

        `secrets` are new passwords in the clear. They are kept, sealed, only if an enabled handler is to get them.
        """
        if secrets:
            self._secrets[len(self._events)] = event.new_secrets(secrets)
        self._events.append((event, object_id, event.encode(old or {}, new or {})))

    def on_commit(self, effect: Callable[[], None]) -> None:
        """Call `effect` after the commit; a plan never does."""
        self._on_commit.append(effect)

    def _write_records(self) -> None:
        at, actor = now(), self.actor
        audit = [
            (
                at, actor.kind.value, actor.account_id, actor.login, actor.address, actor.door.value,
                self.name, object_type, object_id, object_name, detail,
            )
            for object_type, object_id, object_name, detail in self._audit
        ]  # fmt: skip
        sealed = self._sealed() if self._secrets else {}
        events = [
            (
                at, event.name, event.object_type, object_id, actor.login, actor.address, parameters, "pending",
                actor.depth, sealed.get(place),
            )
            for place, (event, object_id, parameters) in enumerate(self._events)
        ]  # fmt: skip
        insert_together(("core_auditentry", AUDIT_COLUMNS, audit), ("core_outboxevent", OUTBOX_COLUMNS, events))
        self._has_events = self._has_events or bool(events)
        self._audit.clear()
        self._events.clear()
        self._secrets.clear()

    def _sealed(self) -> dict[int, bytes]:
        """The secrets of those events whose handlers are to get them."""
        names = sorted({self._events[place][0].name for place in self._secrets})
        with connection.cursor() as cursor:
            marks = ", ".join(["%s"] * len(names))
            cursor.execute(f"SELECT event FROM core_secretevent WHERE event IN ({marks})", names)
            wanted = {name for (name,) in cursor.fetchall()}
        return {
            place: seal(json_text(values))
            for place, values in self._secrets.items()
            if self._events[place][0].name in wanted
        }

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._atomic.__exit__(kind, error, trace)
            if isinstance(error, DatabaseError):
                raise failed(self.name, error) from error
            return
        if self.plan is not None:
            self._roll_back(self.plan)
            return
        try:
            try:
                self._write_records()
            except BaseException as failure:
                self._atomic.__exit__(type(failure), failure, failure.__traceback__)
                raise
            if self._has_events:
                self._on_commit.append(wake)
            for effect in self._on_commit:
                database().on_commit(effect, robust=True)
            self._atomic.__exit__(None, None, None)
        except DatabaseError as failure:
            raise failed(self.name, failure) from failure

    def _roll_back(self, plan: Plan) -> None:
        stop = PlanRolledBack()
        try:
            connection.check_constraints()
        except DatabaseError as failure:
            self._atomic.__exit__(type(failure), failure, failure.__traceback__)
            raise Failed("The database would refuse the change.") from failure
        self._atomic.__exit__(PlanRolledBack, stop, None)
        plan.changes += [Change(self.name, *entry) for entry in self._audit]


def failed(operation: str, error: DatabaseError) -> Failed:
    """What a failure of the database is to the caller of an operation; the log gets the reason."""
    # The first line alone: the others can show the row, and with it a hash.
    log.error("%s: the database failed: %s", operation, str(error).partition("\n")[0])
    if isinstance(error, OperationalError):
        return Failed("The database cannot be written now. Nothing was changed; try again.")
    return Failed("The database refused the change. Nothing was changed.")


def json_text(value: Any) -> str:
    """Compact JSON with stable keys, as the records store it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
