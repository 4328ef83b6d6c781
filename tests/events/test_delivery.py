"""What is delivered, in which order, again after which failure, and never twice at once."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from delivering import EVENT, Runs, handler, later, raised, states
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from innkeeper.core.models import OutboxEvent
from innkeeper.events import claims
from innkeeper.events.claims import Claim, Result, Verdict
from innkeeper.events.deliver import Progress
from innkeeper.events.dispatch import DEEPEST, PARKED, dispatch
from innkeeper.events.models import Attempt, Delivery, EventHandler

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("closed_loops")]


def test_each_enabled_handler_gets_each_event_once() -> None:
    first, second = handler(), handler()
    handler(enabled=False)
    handler("client_delete")
    for object_id in range(1, 31):
        raised(object_id)
    runs = Runs()
    runs.settle()
    runs.settle()
    assert sorted(runs.made) == sorted((h.pk, n, n) for h in (first, second) for n in range(1, 31))
    assert states() == {"done": 60}
    assert list(OutboxEvent.objects.order_by("id").values_list("state", "number")) == [
        ("dispatched", number) for number in range(1, 31)
    ]
    assert Attempt.objects.count() == 60
    first.refresh_from_db()
    assert (first.delivered_count, first.failed_count, first.last_state) == (30, 0, "done")


def test_events_of_one_object_come_one_after_the_other_and_in_order() -> None:
    one = handler()
    for number in range(60):
        raised(number % 3)
    running: set[int] = set()
    lock = threading.Lock()

    def verdict(claim: Claim) -> Verdict:
        assert claim.event is not None
        with lock:
            assert claim.event.object_id not in running
            running.add(claim.event.object_id)
        threading.Event().wait(0.001)
        with lock:
            running.remove(claim.event.object_id)
        return Verdict.DONE

    runs = Runs(verdict)
    runs.settle()
    by_object = defaultdict(list)
    for _, object_id, number in runs.made:
        by_object[object_id].append(number)
    assert all(numbers == sorted(numbers) and len(numbers) == 20 for numbers in by_object.values())
    assert states() == {"done": 60} and one.pk


def test_a_late_commit_with_an_older_id_is_not_missed() -> None:
    handler()
    late = raised(1)
    OutboxEvent.objects.filter(pk=late.pk).update(state="elsewhere")  # not visible yet
    raised(2)
    runs = Runs()
    runs.settle()
    OutboxEvent.objects.filter(pk=late.pk).update(state="pending")
    runs.settle()
    assert [(object_id, number) for _, object_id, number in runs.made] == [(2, 1), (1, 2)]


def test_numbers_are_never_given_again() -> None:
    raised(1)
    assert dispatch() == 1
    OutboxEvent.objects.all().delete()
    raised(2)
    dispatch()
    assert OutboxEvent.objects.get().number == 2


def test_a_failing_delivery_holds_back_its_object_alone() -> None:
    one, other = handler(), handler()
    for object_id in (7, 8, 7, 8):
        raised(object_id)

    def verdict(claim: Claim) -> Verdict:
        assert claim.event is not None
        broken = claim.handler.pk == one.pk and claim.event.object_id == 7
        return Verdict.FAILED if broken else Verdict.DONE

    runs = Runs(verdict)
    runs.settle()
    assert [made for made in runs.made if made[0] == one.pk and made[1] == 7] == [(one.pk, 7, 1)]
    assert [made[2] for made in runs.made if made[0] == one.pk and made[1] == 8] == [2, 4]
    assert sorted(made[2] for made in runs.made if made[0] == other.pk) == [1, 2, 3, 4]
    assert Delivery.objects.filter(handler=one, state="waiting").get().due_at == PARKED
    runs.verdict = lambda _: Verdict.DONE
    later()
    runs.settle()
    assert [made[2] for made in runs.made if made[0] == one.pk and made[1] == 7] == [1, 1, 3]
    assert states() == {"done": 8}


def test_a_delivery_is_tried_again_later_each_time_and_given_up_at_last() -> None:
    one = handler()
    raised(1)
    raised(1)
    runs = Runs(lambda claim: Verdict.FAILED if claim.event.number == 1 else Verdict.DONE)  # type: ignore[union-attr]
    waits = []
    for _ in claims.WAITS["command"]:  # type: ignore[index]
        runs.settle()
        delivery = Delivery.objects.select_related("handler").get(state="retry")
        assert delivery.handler.last_at is not None
        waits.append((delivery.due_at - delivery.handler.last_at).total_seconds())
        later()
    assert waits == list(claims.WAITS["command"])  # type: ignore[index]
    runs.settle()
    assert states() == {"dead": 1, "done": 1}
    one.refresh_from_db()
    assert (one.failed_count, one.delivered_count, one.failures, one.paused_at) == (6, 1, 0, None)
    assert Attempt.objects.order_by("id").values_list("number", "exit_status", "error")[0] == (
        1, 1, "It ended with status 1.",
    )  # fmt: skip


def test_a_handler_that_keeps_failing_is_paused_and_loses_nothing() -> None:
    one, other = handler(), handler()
    for object_id in range(100):
        raised(object_id)
    runs = Runs(lambda claim: Verdict.FAILED if claim.handler.pk == one.pk else Verdict.DONE)
    runs.settle()
    one.refresh_from_db()
    assert one.paused_at is not None and "20 times in a row" in one.pause_reason
    tried = sum(made[0] == one.pk for made in runs.made)
    assert claims.PAUSE_AFTER <= tried < 60
    later()
    runs.settle()
    assert sum(made[0] == one.pk for made in runs.made) == tried
    assert Delivery.objects.filter(handler=other, state="done").count() == 100
    EventHandler.objects.filter(pk=one.pk).update(paused_at=None, failures=0)
    runs.verdict = lambda _: Verdict.DONE
    runs.settle()
    assert states() == {"done": 200}


def test_a_paused_handler_is_tried_with_one_event_from_time_to_time_and_goes_on_when_it_works() -> None:
    now = timezone.now()
    long_ago = now - claims.PROBE_AFTER - timedelta(seconds=1)
    one = handler(paused_at=long_ago, pause_reason="It failed.", failures=20, last_at=now)
    for object_id in range(10):
        raised(object_id)
    runs = Runs(lambda _: Verdict.FAILED)
    runs.settle()
    assert not runs.made  # it was tried a moment ago
    for tried in range(1, 8):
        EventHandler.objects.filter(pk=one.pk).update(last_at=long_ago)
        Delivery.objects.filter(state="retry").update(due_at=now)
        runs.settle()
        assert len(runs.made) == tried
    one.refresh_from_db()
    assert one.paused_at == long_ago and one.last_at is not None and one.last_at > long_ago
    assert not Delivery.objects.filter(state="dead").exists()  # nothing is given up while it is paused
    runs.verdict = lambda _: Verdict.DONE
    EventHandler.objects.filter(pk=one.pk).update(last_at=long_ago)
    later()
    runs.settle()
    one.refresh_from_db()
    assert (one.paused_at, one.pause_reason, one.failures) == (None, "", 0)
    assert states() == {"done": 10}


def test_while_a_paused_handler_is_tried_it_is_not_tried_again() -> None:
    long_ago = timezone.now() - claims.PROBE_AFTER - timedelta(seconds=1)
    handler(paused_at=long_ago, last_at=long_ago)
    raised(1)
    raised(2)
    dispatch()
    found = claims.due()
    assert set(found.handlers) == found.probed
    assert len(claims.claim(found.handlers, dict.fromkeys(found.probed, 1), 4, tests=False)) == 1
    assert claims.due().handlers == {}


def test_higher_priority_starts_first_and_equal_ones_by_creation() -> None:
    low, first, second, high = handler(priority=-3), handler(), handler(), handler(priority=1000)
    raised(1)
    runs = Runs(lambda claim: Verdict.FAILED if claim.handler.pk == first.pk else Verdict.DONE)
    runs.settle()
    assert [made[0] for made in runs.made] == [high.pk, first.pk, second.pk, low.pk]


@pytest.mark.parametrize(("one", "other"), [(50, 50), (51, 50)])
def test_the_next_handler_of_an_event_waits_until_the_one_before_it_was_tried(one: int, other: int) -> None:
    handlers = [handler(priority=one), handler(priority=other)]
    raised(1)
    dispatch()
    order = []
    for _ in handlers:
        [claim] = claims.claim(claims.due().handlers, {}, 4, tests=False)
        order.append(claim.handler.pk)
        assert claims.claim(claims.due().handlers, {}, 4, tests=False) == []
        claims.record([Result(claim.id, claim.handler.pk, 1, Verdict.DONE, timezone.now(), 5, exit_status=0)])
    assert order == [each.pk for each in handlers]


def test_a_paused_or_waiting_handler_of_higher_priority_holds_nobody_back() -> None:
    paused = handler(priority=100, paused_at=timezone.now())
    behind, low = handler(priority=75), handler(priority=0)
    raised(1)
    runs = Runs(lambda claim: Verdict.FAILED if claim.handler.pk == behind.pk else Verdict.DONE)
    runs.settle()
    raised(1)
    runs.settle()
    assert [made[::2] for made in runs.made] == [(behind.pk, 1), (low.pk, 1), (low.pk, 2)] and paused.pk


def test_what_a_killed_worker_held_is_made_again_with_a_trace() -> None:
    handler()
    raised(1)
    raised(1)
    dispatch()
    due = claims.due()
    taken = claims.claim(due.handlers, {}, 4, due.tests)
    assert [claim.attempt for claim in taken] == [1] and states() == {"running": 1, "waiting": 1}
    runs = Runs()
    runs.settle()
    assert not runs.made  # its lease holds
    runs.loop.begin()
    runs.settle()
    assert [claim.attempt for claim in runs.claims] == [2, 1]
    assert "interrupted" in Attempt.objects.get(delivery=taken[0].id, number=1).error


def test_a_lease_that_has_ended_comes_back_by_itself() -> None:
    handler()
    raised(1)
    dispatch()
    claims.claim(claims.due().handlers, {}, 4, False)
    Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert claims.release(held=[Delivery.objects.get().pk]) == 0
    runs = Runs()
    runs.settle()  # its first turn looks at leases
    runs.settle()
    assert states() == {"done": 1}


def test_an_interruption_is_not_the_handlers_fault_and_an_absent_hostd_costs_no_attempt() -> None:
    one = handler()
    raised(1)
    verdicts = [Verdict.UNTRIED, Verdict.INTERRUPTED, Verdict.DONE]
    runs = Runs(lambda _: verdicts.pop(0))
    for _ in range(3):
        runs.settle()
        Delivery.objects.exclude(state="done").update(due_at=timezone.now())
    one.refresh_from_db()
    assert [claim.attempt for claim in runs.claims] == [1, 1, 2]
    assert (one.failures, one.failed_count, one.delivered_count) == (0, 0, 1)
    assert list(Attempt.objects.values_list("duration_ms", flat=True)) == [None, 5]


def test_interruptions_do_not_make_the_next_try_later() -> None:
    handler()
    raised(1)
    verdicts = [Verdict.INTERRUPTED] * 8 + [Verdict.FAILED]
    runs = Runs(lambda _: verdicts.pop(0))
    for _ in range(9):
        runs.settle()
        delivery = Delivery.objects.get()
        Delivery.objects.update(due_at=timezone.now())
    assert (delivery.state, delivery.attempts) == ("retry", 9)
    assert (delivery.due_at - timezone.now()).total_seconds() < claims.WAITS["command"][0]  # type: ignore[index]


def test_a_handler_removed_while_it_runs_leaves_nothing_and_stops_nobody() -> None:
    one, other = handler(), handler(priority=0)
    raised(1)
    raised(1)
    begun, go_on = threading.Event(), threading.Event()

    def verdict(claim: Claim) -> Verdict:
        if claim.handler.pk == one.pk:
            begun.set()
            assert go_on.wait(60)
        return Verdict.DONE

    runs = Runs(verdict)
    runs.loop.turn()
    assert begun.wait(60)
    EventHandler.objects.filter(pk=one.pk).delete()
    go_on.set()
    runs.settle()
    assert set(Delivery.objects.values_list("handler", "state")) == {(other.pk, "done")}
    assert Attempt.objects.count() == 2


def test_what_waits_for_a_removed_delivery_goes_on() -> None:
    handler()
    raised(1)
    raised(1)
    dispatch()
    Delivery.objects.order_by("id").first().delete()  # type: ignore[union-attr]
    assert claims.find_stuck() == [Delivery.objects.get().pk]
    runs = Runs()
    runs.settle()
    runs.settle()
    assert [made[2] for made in runs.made] == [2]


def test_an_event_whose_row_is_gone_is_cancelled() -> None:
    handler()
    raised(1)
    dispatch()
    OutboxEvent.objects.all().delete()
    runs = Runs()
    runs.settle()
    assert states() == {"cancelled": 1} and not runs.made


def test_a_test_runs_at_once_once_and_counts_for_nothing() -> None:
    one = handler(enabled=False, paused_at=timezone.now())
    now = timezone.now()
    common = {"handler": one, "event": EVENT, "object_type": "client", "priority": 50, "due_at": now, "created_at": now}
    Delivery.objects.create(object_id=1, **common)  # the queue of its object
    Delivery.objects.create(object_id=1, is_test=True, **common)
    runs = Runs(lambda _: Verdict.FAILED)
    runs.settle()
    assert len(runs.made) == 1 and states() == {"waiting": 1, "dead": 1}
    one.refresh_from_db()
    assert (one.failures, one.failed_count) == (0, 0)


def test_a_loop_of_handlers_ends() -> None:
    handler()
    raised(1, depth=DEEPEST)
    raised(2, depth=DEEPEST + 1)
    runs = Runs()
    runs.settle()
    assert [made[1] for made in runs.made] == [1]
    assert not OutboxEvent.objects.filter(state="pending").exists()


def test_events_that_nobody_handles_cost_the_same_statements_however_many() -> None:
    def cost(count: int) -> int:
        for object_id in range(count):
            raised(object_id)
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert dispatch() == count
        return len(found)

    assert cost(1) == cost(400)
    assert not Delivery.objects.exists()


def test_a_look_at_what_is_due_uses_its_index() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("asks SQLite for its plan")
    with connection.cursor() as cursor:
        for statement, index in (
            ("SELECT MIN(d.due_at) FROM events_delivery d WHERE d.handler_id = 1 AND d.state IN ('waiting', 'retry')",
             "delivery_due"),
            ("SELECT 1 FROM events_delivery WHERE is_test AND state IN ('waiting', 'retry') AND due_at <= 'x' LIMIT 1",
             "delivery_"),
            (claims._CANDIDATES.replace("%s", "1"), "delivery_due"),
            ("SELECT id FROM events_delivery WHERE state = 'running'", "delivery_"),
        ):  # fmt: skip
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
            plan = " ".join(row[3] for row in cursor.fetchall())
            assert index in plan and "SCAN events_delivery" not in plan, plan
    assert Delivery.objects.filter(attempts__gt=F("replay")).count() == 0


def test_what_stands_behind_a_long_run_is_made_by_another_thread() -> None:
    handler()
    for object_id in range(200):
        raised(object_id)
    runs = Runs()
    slow, go_on = threading.Event(), threading.Event()
    in_a_row = []

    def attempts(made: Sequence[Claim]) -> Iterator[Progress]:
        in_a_row.append(len(made))
        if len(made) > 1 and not slow.is_set():
            slow.set()
            yield Progress([runs.attempt(made[0])], len(made) - 2)
            assert go_on.wait(60)
            yield Progress([runs.attempt(made[1])])
        else:
            yield Progress([runs.attempt(claim) for claim in made])

    runs.loop.pool._attempts = attempts
    deadline = time.monotonic() + 60
    while states().get("done") != 199 and time.monotonic() < deadline:
        runs.loop.turn()
        runs.loop.wait(0.05)
    assert states() == {"done": 199, "running": 1} and max(in_a_row) > 1
    go_on.set()
    runs.settle()
    assert states() == {"done": 200}
    assert len(runs.made) == 200
