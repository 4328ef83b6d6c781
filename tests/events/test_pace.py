"""A handler that causes the events that it is called for is slowed down; what comes from outside is not."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from delivering import Runs, handler, later, raised, states
from django.utils import timezone

from innkeeper.core.models import OutboxEvent
from innkeeper.events import claims, pace
from innkeeper.events.claims import Claim, Result, Verdict
from innkeeper.events.dispatch import dispatch
from innkeeper.events.models import Delivery, EventHandler

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("closed_loops")]
START = datetime.fromisoformat("2027-01-01T00:00:00+00:00")
SECOND = timedelta(seconds=1)


class Clock:
    """Runs of a handler for an object, one a second, at times of the test's own."""

    def __init__(self) -> None:
        self.pace, self.now, self.count = pace.Pace(), START, 0
        self.handler = EventHandler(pk=1)

    def run(self, raised_ago: float, object_id: int = 1) -> bool:
        """Whether it begins now for an event that was raised so many seconds ago."""
        self.count += 1
        event = OutboxEvent(object_type="client", object_id=object_id, at=self.now - timedelta(seconds=raised_ago))
        if not self.pace.begins(Claim(self.count, self.handler, event, 1, False), self.now):
            return False
        self.now += SECOND
        self.pace.ended(Result(self.count, 1, 1, Verdict.DONE, self.now, 1000), self.now)
        return True


def test_a_circle_is_put_off_and_then_goes_on_slowly() -> None:
    clock = Clock()
    assert all(clock.run(0.5) for _ in range(pace.IN_A_ROW + 1))
    assert not clock.run(0.5)
    assert clock.run(0.5, object_id=2)
    clock.now += pace.APART - 2 * SECOND
    assert not clock.run(pace.APART.seconds - 0.5)
    clock.now += SECOND
    assert clock.run(pace.APART.seconds + 0.5)
    assert not clock.run(0.5)
    clock.now += 60 * SECOND
    assert clock.run(1) and clock.run(0.5)  # an event from outside ends it


@pytest.mark.parametrize("raised_ago", [0, 2.5])
def test_changes_from_outside_are_no_circle(raised_ago: float) -> None:
    clock = Clock()
    for _ in range(3 * pace.IN_A_ROW):
        assert clock.run(raised_ago)
        clock.now += SECOND / 10


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "REMEMBERED", 10)
    handler()
    for object_id in range(50):
        raised(object_id)
    runs = Runs()
    runs.settle()
    assert len(runs.loop._pace._runs) == 10 and not runs.loop._pace._keys


def test_what_is_put_off_is_not_begun_says_why_and_keeps_its_place() -> None:
    handler()
    for object_id in (1, 1, 2):
        raised(object_id)
    runs = Runs()
    runs.loop._pace.begins = lambda claim, _: claim.event.object_id == 2  # type: ignore[method-assign, union-attr]
    runs.settle()
    assert [object_id for _, object_id, _ in runs.made] == [2] and states() == {"done": 1, "waiting": 2}
    first = Delivery.objects.filter(object_id=1).earliest("pk")
    assert (first.attempts, first.note, first.lease_until) == (0, pace.NOTE, None)
    assert first.due_at > timezone.now() + pace.APART / 2
    runs.loop._pace.begins = lambda *_: True  # type: ignore[method-assign]
    runs.settle()
    assert len(runs.made) == 1
    Delivery.objects.filter(pk=first.pk).update(due_at=timezone.now())
    runs.settle()
    assert [number for *_, number in runs.made] == [3, 1, 2] and states() == {"done": 3}


def test_a_later_attempt_that_is_put_off_is_a_later_one_still() -> None:
    handler()
    raised(1)
    runs = Runs(lambda _: Verdict.FAILED)
    runs.settle()
    later()
    dispatch()
    due = claims.due()
    claims.put_off(claims.claim(due.handlers, {}, 4, False), timezone.now() + SECOND, "wait")
    assert Delivery.objects.values_list("state", "attempts", "note").get() == ("retry", 1, "wait")
