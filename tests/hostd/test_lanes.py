"""Work that takes long, and what does not wait for it."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from innkeeper.hostd import lanes as hostd_lanes
from innkeeper.hostd.lanes import Lanes, StillRunningError, Work

WAIT = 20.0


def asked(lanes: Lanes, name: str, about: int, work: Work) -> None:
    """Ask until it is done."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        with contextlib.suppress(StillRunningError):
            return lanes.do(name, about, work, WAIT)
        time.sleep(0.01)
    raise TimeoutError


def test_short_work_does_not_wait_behind_long_work_and_long_work_is_heard_of_again() -> None:
    lanes, go, at_seven, begun = Lanes(0.0), threading.Event(), threading.Event(), []

    def long(step) -> None:
        begun.append("long")
        step(7)
        at_seven.set()
        assert go.wait(WAIT)

    with pytest.raises(StillRunningError):
        lanes.do("a", 1, long, 0.0)
    assert at_seven.wait(WAIT)
    lanes.do("b", 1, lambda step: begun.append("short"), WAIT)
    begun_at = time.monotonic()
    with pytest.raises(StillRunningError) as still:
        lanes.do("a", 1, long, WAIT)
    assert still.value.done == 7
    assert time.monotonic() - begun_at < WAIT / 2, "who asks again is told at once"
    go.set()
    asked(lanes, "a", 1, long)
    assert begun == ["long", "short"], "what has ended meanwhile is not done again"
    asked(lanes, "a", 1, long)
    assert begun == ["long", "short", "long"]


def test_other_work_under_a_name_begins_when_the_earlier_has_ended() -> None:
    lanes, go, begun = Lanes(WAIT), threading.Event(), []

    def first(step) -> None:
        assert go.wait(WAIT)
        begun.append("first")

    with pytest.raises(StillRunningError):
        lanes.do("a", 1, first, 0.0)
    threading.Timer(0.1, go.set).start()
    asked(lanes, "a", 2, lambda step: begun.append("second"))
    assert begun == ["first", "second"]


def test_of_long_work_one_piece_goes_on_at_a_time() -> None:
    lanes, go, one_runs, running = Lanes(0.0), threading.Event(), threading.Event(), []

    def work(name: str):
        def run(step) -> None:
            step(1)
            running.append(name)
            one_runs.set()
            assert go.wait(WAIT)
            running.remove(name)

        return run

    for name in "abc":
        with pytest.raises(StillRunningError):
            lanes.do(name, 1, work(name), 0.1)
    assert one_runs.wait(WAIT)
    assert len(running) == 1
    go.set()
    for name in "abc":
        asked(lanes, name, 1, work(name))
    assert running == []


def test_what_goes_wrong_is_raised_to_whoever_waits() -> None:
    def fail(step) -> None:
        raise OSError(5, "broken")

    lanes = Lanes(1.0)
    for _ in range(2):
        with pytest.raises(OSError, match="broken"):
            lanes.do("a", 1, fail, WAIT)


def test_what_ended_long_ago_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostd_lanes, "KEPT_S", 0.05)
    lanes, go, begun = Lanes(WAIT), threading.Event(), []

    def work(step) -> None:
        begun.append(1)
        assert go.wait(WAIT)
        if len(begun) == 1:
            raise OSError(28, "full")

    with pytest.raises(StillRunningError):
        lanes.do("a", 1, work, 0.0)
    go.set()
    assert lanes._pieces["a"].ended.wait(WAIT)
    time.sleep(0.06)
    lanes.do("b", 1, lambda step: None, WAIT)  # under another name, so that nothing is kept for ever
    assert not lanes._pieces
    lanes.do("a", 1, work, WAIT)
    assert begun == [1, 1]


def test_a_thread_that_cannot_be_started_keeps_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    lanes = Lanes(WAIT)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="new thread"):
            lanes.do("a", 1, lambda step: None, WAIT)
    lanes.do("a", 1, lambda step: None, WAIT)
