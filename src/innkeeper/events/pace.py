"""Notices a handler that causes the very events that it is called for, and slows it down for that object.

Who passes the depth of an event on is stopped by it (`dispatch.DEEPEST`). This is for handlers that do not: an event
that was raised while the handler's last run for the same object went on, again and again, is most likely its own doing.
A burst of changes from outside is not taken for that: its events are older than the last run, or come between runs.
Nothing is lost; other objects and other handlers do not wait.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from innkeeper.events.claims import Claim, Result

IN_A_ROW = 100
"""So many runs, each for an event from the time of the one before, are a circle."""

APART = timedelta(seconds=10)
REMEMBERED = 10_000
"""Objects, the last ones: in a circle one comes again at once."""

NOTE = (
    f"Put off: each of the last {IN_A_ROW} events of this object was raised while the handler ran for the one before,"
    f" as if it caused them itself. It is run for this object once in {APART.seconds} s as long as that goes on."
)

Key = tuple[int, str, int]


@dataclass(slots=True)
class _Runs:
    begun: datetime
    ended: datetime | None
    in_a_row: int


class Pace:
    """What the last runs of each handler and object were."""

    def __init__(self) -> None:
        self._runs: OrderedDict[Key, _Runs] = OrderedDict()
        self._keys: dict[int, Key] = {}

    def begins(self, claim: Claim, now: datetime) -> bool:
        """Take note that a delivery is made now; False if it is to be put off instead."""
        event = claim.event
        if event is None or claim.is_test:
            return True
        key = (claim.handler.pk, event.object_type, event.object_id)
        last = self._runs.pop(key, None)
        in_a_row = 0
        if last is not None and last.begun <= event.at <= (last.ended or now):
            if last.in_a_row >= IN_A_ROW and now - (last.ended or now) < APART:
                self._runs[key] = last
                return False
            in_a_row = last.in_a_row + 1
        self._runs[key] = _Runs(now, None, in_a_row)
        self._keys[claim.id] = key
        if len(self._runs) > REMEMBERED:
            self._runs.popitem(last=False)
        return True

    def ended(self, result: Result, now: datetime) -> None:
        """Take note of the end of a run."""
        key = self._keys.pop(result.delivery, None)
        if key is not None and key in self._runs:
            self._runs[key].ended = now
