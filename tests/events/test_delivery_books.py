"""The rows of deliveries in cases that seldom come: tests and replays beside real ones, late results, long waits."""

from __future__ import annotations

from typing import Any

import pytest
from delivering import EVENT, handler, raised, states
from django.utils import timezone

from innkeeper.core.models import OutboxEvent
from innkeeper.core.sealing import seal
from innkeeper.events import claims
from innkeeper.events.claims import Claim, Result, Verdict
from innkeeper.events.dispatch import PARKED, dispatch
from innkeeper.events.models import Delivery, EventHandler

pytestmark = pytest.mark.django_db


def delivery(of: EventHandler, object_id: int, **more: Any) -> Delivery:
    now = timezone.now()
    values = {"event": of.event, "object_type": "client", "priority": of.priority, "due_at": now, "created_at": now}
    return Delivery.objects.create(handler=of, object_id=object_id, **(values | more))


def claimed(*handlers: EventHandler) -> list[Claim]:
    return claims.claim([each.pk for each in handlers], {}, 4, tests=False)


def ended(claim: Claim, verdict: Verdict = Verdict.DONE, **more: Any) -> Result:
    return Result(claim.id, claim.handler.pk, claim.attempt, verdict, timezone.now(), 5, **more)


def test_a_test_that_runs_holds_up_no_event_of_its_object() -> None:
    one = handler()
    delivery(one, 1, is_test=True, state="running")
    raised(1)
    dispatch()
    real = Delivery.objects.get(is_test=False)
    assert real.due_at < PARKED
    assert [claim.id for claim in claimed(one)] == [real.pk]


def test_a_repetition_waits_for_no_other_handler() -> None:
    first, second = handler(priority=75), handler(priority=25)
    raised(1)
    dispatch()
    [claim] = claimed(first)
    claims.record([ended(claim)])
    [claim] = claimed(second)
    claims.record([ended(claim)])
    Delivery.objects.filter(handler=first).update(state="waiting")
    again = delivery(second, 1, outbox_id=OutboxEvent.objects.get().pk, replay=1)
    assert [claim.id for claim in claimed(second)] == [again.pk]


def test_a_result_that_comes_when_another_attempt_runs_is_left_alone() -> None:
    one = handler()
    raised(1)
    dispatch()
    [late] = claimed(one)
    claims.release(all_running=True)
    Delivery.objects.update(due_at=timezone.now())
    [now] = claimed(one)
    claims.record([ended(late, Verdict.FAILED)])
    assert states() == {"running": 1}
    claims.record([ended(now)])
    assert states() == {"done": 1}


@pytest.mark.parametrize(("asked", "waits"), [(0, 5), (60, 60), (10**12, claims.WAITS["webhook"][-1])])  # type: ignore[index]
def test_a_receiver_may_ask_for_time_but_not_for_ever(asked: int, waits: int) -> None:
    one = handler(kind="webhook")
    raised(1)
    dispatch()
    [claim] = claimed(one)
    claims.record([ended(claim, Verdict.FAILED, retry_after_s=asked)])
    one.refresh_from_db()
    assert one.last_at is not None
    assert (Delivery.objects.get().due_at - one.last_at).total_seconds() == waits


def test_passwords_of_events_that_are_not_dispatched_stay() -> None:
    handler(pass_secrets=True)
    raised(1, sealed=seal("{}"))
    claims.erase_secrets()
    assert OutboxEvent.objects.get().sealed is not None
    dispatch()
    claims.erase_secrets()
    assert OutboxEvent.objects.get().sealed is not None
    Delivery.objects.update(state="done")
    claims.erase_secrets()
    assert OutboxEvent.objects.get().sealed is None


def test_passwords_are_erased_at_once_when_the_marked_handler_is_off_meanwhile() -> None:
    handler(pass_secrets=True, enabled=False)
    handler()
    handler("client_delete", pass_secrets=True)
    raised(1, sealed=seal("{}"))
    dispatch()
    assert OutboxEvent.objects.get().sealed is None and EVENT == "client_create"
