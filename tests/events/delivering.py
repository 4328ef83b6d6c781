"""A delivery in the test's own thread: its books are real, what it runs is a function."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.utils import timezone

from innkeeper.core.models import OutboxEvent
from innkeeper.events.catalogue import EVENTS
from innkeeper.events.claims import Claim, Result, Verdict
from innkeeper.events.deliver import Progress
from innkeeper.events.loop import Loop
from innkeeper.events.models import Delivery, EventHandler

EVENT = "client_create"


def handler(event: str = EVENT, **more: Any) -> EventHandler:
    now = timezone.now()
    limits = {"timeout_s": 300, "memory_mb": 512, "output_kb": 64, "open_files": 256}
    defaults: dict[str, Any] = {"command": "/bin/true", "user": "nobody", "created_at": now, "updated_at": now}
    return EventHandler.objects.create(event=event, **(defaults | limits | more))


def raised(object_id: int, event: str = EVENT, **more: Any) -> OutboxEvent:
    return OutboxEvent.objects.create(
        at=timezone.now(), event=event, object_type=EVENTS[event].object_type, object_id=object_id, login="admin",
        address="", **({"parameters": "{}"} | more),
    )  # fmt: skip


LOOPS: list[Loop] = []
"""To be closed after the test."""


class Runs:
    """Takes note of what is run, in order, and answers by a function of the claim."""

    def __init__(
        self, verdict: Callable[[Claim], Verdict] = lambda _: Verdict.DONE, wake_socket: Path | None = None
    ) -> None:
        self.verdict = verdict
        self.made: list[tuple[int, int, int]] = []  # handler, object, event number
        self.claims: list[Claim] = []
        self._lock = threading.Lock()
        self.loop = Loop(self.attempts, threading.Event(), wake_socket)
        LOOPS.append(self.loop)

    def attempts(self, made: Sequence[Claim]) -> Iterator[Progress]:
        for claim in made:
            yield Progress([self.attempt(claim)])

    def attempt(self, claim: Claim) -> Result:
        verdict = self.verdict(claim)
        with self._lock:
            event = claim.event
            self.made.append((claim.handler.pk, event.object_id if event else 0, event.number or 0 if event else 0))
            self.claims.append(claim)
        plain = Result(claim.id, claim.handler.pk, claim.attempt, verdict, timezone.now(), 5, exit_status=0)
        return replace(plain, exit_status=1, error="It ended with status 1.") if verdict is Verdict.FAILED else plain

    def settle(self) -> None:
        """Go on until nothing more can be done now."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if not self.loop.turn() and self.loop.pool.is_empty():
                return
            if not self.loop.pool.is_empty():
                self.loop.wait(1)
        raise TimeoutError("deliveries do not settle")


def later() -> None:
    """As if the time of every further attempt had come."""
    Delivery.objects.filter(state="retry").update(due_at=timezone.now())


def states() -> dict[str, int]:
    found: dict[str, int] = {}
    for state in Delivery.objects.values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found
