"""The threads of the panel's server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

import pytest
from django.db import connection

from innkeeper.doors import threads
from innkeeper.doors.threads import Threads


def answer_of(pool: Threads, work: Callable[[], object]) -> object:
    answers: SimpleQueue[object] = SimpleQueue()
    pool.submit(lambda: answers.put(work()))
    return answers.get(timeout=20)


def settled(pool: Threads, started: int) -> None:
    """Wait until every thread is idle again."""
    waited = threading.Event()
    for _ in range(2000):
        if len(pool._idle) == started:
            return
        waited.wait(0.01)
    raise AssertionError("a thread does not come to rest")


def test_work_in_turn_stays_with_one_thread() -> None:
    pool = Threads("test", 3)
    names = set()
    for _ in range(20):
        names.add(answer_of(pool, lambda: threading.current_thread().name))
        settled(pool, 1)
    assert names == {"test-1"}


def test_work_at_once_takes_more_threads_up_to_the_most_and_then_waits() -> None:
    pool = Threads("test", 2)
    go = threading.Event()
    answers: SimpleQueue[tuple[int, str]] = SimpleQueue()
    for number in range(6):

        def work(number: int = number) -> None:
            go.wait(20)
            answers.put((number, threading.current_thread().name))

        pool.submit(work)
    go.set()
    done = [answers.get(timeout=20) for _ in range(6)]
    assert sorted(number for number, _ in done) == [0, 1, 2, 3, 4, 5]
    assert {name for _, name in done} == {"test-1", "test-2"}


@pytest.mark.django_db(transaction=True)
def test_a_thread_that_rests_closes_its_connection_and_serves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "REST", 0.05)
    pool = Threads("test", 1)
    rested = threading.Event()
    give_back = threads._give_back
    monkeypatch.setattr(threads, "_give_back", lambda: (give_back(), rested.set()))

    def is_connected() -> bool:
        return connection.connection is not None

    def connect() -> bool:
        connection.ensure_connection()
        return is_connected()

    assert answer_of(pool, connect)
    assert rested.wait(20)
    assert answer_of(pool, is_connected) is False


def test_work_that_fails_and_a_connection_that_cannot_be_given_back_end_no_thread(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise OSError("the client is gone")

    monkeypatch.setattr(threads, "REST", 0.01)
    monkeypatch.setattr(threads, "_give_back", fail)
    pool = Threads("test", 1)
    pool.submit(fail)
    pool.submit(fail)
    assert answer_of(pool, lambda: threading.current_thread().name) == "test-1"
    settled(pool, 1)
    assert "the client is gone" in caplog.text


def test_a_thread_that_cannot_be_started_is_started_for_the_next_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool = Threads("test", 1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="new thread"):
            pool.submit(lambda: None)
    assert answer_of(pool, lambda: threading.current_thread().name) == "test-1"
