"""Who makes attempts: each handler in its turn, a few at once, and nothing is lost when the books cannot be kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from delivering import Runs, handler, raised, states
from django.db import OperationalError
from django.utils import timezone

from innkeeper.events import claims, loop
from innkeeper.events.claims import Claim, Result, Verdict
from innkeeper.events.deliver import Progress
from innkeeper.events.loop import Pool
from innkeeper.events.models import Delivery, EventHandler

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("closed_loops")]


def waiting(handler: int, count: int) -> list[Claim]:
    return [Claim(handler * 100 + n, EventHandler(pk=handler), None, 1, True) for n in range(count)]


def test_handlers_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "AT_ONCE", 1)
    made: list[int] = []
    done = threading.Semaphore(0)

    def attempts(given: Sequence[Claim]) -> Iterator[Progress]:
        for each in given:
            made.append(each.handler.pk)
            yield Progress([Result(each.id, each.handler.pk, 1, Verdict.DONE, timezone.now(), 1)])

    pool = Pool(attempts, done.release)
    pool.add([*waiting(1, 3), *waiting(2, 3)])
    for _ in range(6):
        assert done.acquire(timeout=60)
    pool.close()
    assert made == [1, 2, 1, 2, 1, 2]


def test_a_quick_handler_too_has_four_threads_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "AT_ONCE", 0)  # no thread begins: the test takes what one would
    pool = Pool(lambda _: iter(()), lambda: None)
    pool._quick[1] = True
    pool.add(waiting(1, 200))
    taken = [len(pool._next()) for _ in range(6)]
    assert taken == [loop.IN_A_ROW] * loop.AT_ONCE_EACH + [0, 0]


def test_results_that_could_not_be_written_are_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    handler()
    raised(1)
    runs = Runs()
    assert runs.loop.turn()
    runs.loop.wait(60)  # until the attempt was made

    def fails(_: Sequence[Result]) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(claims, "record", fails)
        with pytest.raises(OperationalError):
            runs.loop.turn()
    assert states() == {"running": 1} and runs.loop.pool.held() == [Delivery.objects.get().pk]
    runs.settle()
    assert states() == {"done": 1} and len(runs.made) == 1


def test_a_run_that_outlasts_its_lease_is_not_made_twice() -> None:
    handler()
    raised(1)
    go_on = threading.Event()

    def verdict(_: Claim) -> Verdict:
        assert go_on.wait(60)
        return Verdict.DONE

    runs = Runs(verdict)
    runs.loop.turn()
    Delivery.objects.update(lease_until=timezone.now() - timedelta(hours=1))
    runs.loop._swept_at = 0.0
    runs.loop.turn()
    assert states() == {"running": 1}
    go_on.set()
    runs.settle()
    assert states() == {"done": 1} and len(runs.made) == 1
