"""Attempts made by one request to hostd: each claim has a result or is given back, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from delivering import EVENT, handler, raised

from innkeeper.events import deliver
from innkeeper.events.claims import Claim, Verdict
from innkeeper.hostd.client import HostdError, Run, RunLimits, RunResult

pytestmark = pytest.mark.django_db

DONE = RunResult(0, None, "", "", False, 1, False, "")


class Hostd:
    """Answers as it is told to."""

    def __init__(self, answer: Callable[[list[str]], Iterator[list[RunResult]]]) -> None:
        self.answer = answer
        self.asked: list[list[str]] = []

    def run_handler(self, user: str, runs: Sequence[Run], limits: RunLimits) -> Iterator[list[RunResult]]:
        self.depths = [run.environment["INNKEEPER_EVENT_DEPTH"] for run in runs]
        self.asked.append([run.name.removeprefix("delivery-") for run in runs])
        return self.answer(self.asked[-1])


def made(answer: Callable[[list[str]], Iterator[list[RunResult]]], count: int = 4) -> tuple[list[Any], Hostd]:
    """The verdicts of results, and the numbers of claims given back, in the order in which they were told."""
    one, hostd, told = handler(), Hostd(answer), []
    claims = [Claim(n, one, raised(n), 1, False) for n in range(count)]
    left = list(claims)
    for progress in deliver.attempts(claims, hostd):  # type: ignore[arg-type]
        for result in progress.results:
            assert result.delivery == left.pop(0).id
            told.append(result.verdict)
        if progress.given_back:
            told.append(progress.given_back)
            del left[-progress.given_back :]
    assert not left and one.event == EVENT
    return told, hostd


def test_results_come_in_order_and_what_was_not_begun_is_given_back() -> None:
    def answer(_: list[str]) -> Iterator[list[RunResult]]:
        yield [DONE]
        yield [DONE._replace(exit_status=1)]

    told, _ = made(answer)
    assert told == [Verdict.DONE, 2, Verdict.FAILED]


def test_a_command_is_told_how_many_handlers_led_to_it() -> None:
    hostd = Hostd(lambda _: iter([[DONE, DONE]]))
    events = [raised(1), raised(1, depth=3)]
    for _ in deliver.attempts([Claim(n, handler(), each, 1, False) for n, each in enumerate(events)], hostd):  # type: ignore[arg-type]
        pass
    assert hostd.depths == ["1", "4"]


def test_a_request_that_held_only_some_gives_back_the_others() -> None:
    told, _ = made(lambda _: iter([[DONE, DONE]]))
    assert told == [Verdict.DONE, Verdict.DONE, 1, 1]


def test_a_request_that_is_refused_is_made_again_for_the_first_alone() -> None:
    def answer(asked: list[str]) -> Iterator[list[RunResult]]:
        raise HostdError("argv: a value is not allowed")

    told, hostd = made(answer)
    assert told == [3, Verdict.FAILED] and hostd.asked == [["0", "1", "2", "3"], ["0"]]


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(ConnectionRefusedError, Verdict.UNTRIED), (FileNotFoundError, Verdict.UNTRIED), (ConnectionResetError, None)],
)
def test_when_hostd_is_away_or_ends_it_is_nobodys_fault(error: type[OSError], verdict: Verdict | None) -> None:
    def answer(_: list[str]) -> Iterator[list[RunResult]]:
        if verdict is None:
            yield [DONE]
        raise error

    told, _ = made(answer, 3)
    assert told == ([verdict] * 3 if verdict else [Verdict.DONE, 1, Verdict.INTERRUPTED])
