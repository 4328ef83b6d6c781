"""What the list of things that need attention says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from innkeeper.core.models import OutboxEvent
from innkeeper.events.models import Delivery
from innkeeper.hostd.hosting_accounts import BIGGEST_ID
from innkeeper.hosting.models import Site
from innkeeper.jobs.models import Job
from innkeeper.upkeep import health
from tests.deliveries import make_handler
from tests.people import make_account, make_site

pytestmark = pytest.mark.django_db

RUNNING = {"state": "running", "pid": 1, "since": 1}


def details() -> dict[str, str]:
    return {entry.name: entry.detail for entry in health.entries() if not entry.ok}


def add_job(**changes: Any) -> None:
    now = timezone.now()
    Job.objects.create(
        **{"queue": "prompt", "task": "room.end_sessions_task", "created_at": now, "due_at": now} | changes
    )


@pytest.fixture
def programs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    """An instance whose hostd says that these programs are there."""
    settings.INSTANCE = SimpleNamespace(hostd_socket=Path("/nonexistent/hostd.sock"))

    def say(found: dict[str, Any]) -> None:
        monkeypatch.setattr(health, "Client", lambda path: SimpleNamespace(programs=lambda: found))

    return say


def test_nothing_needs_attention_where_nothing_is_wrong() -> None:
    assert details() == {}


def test_a_job_that_waits_too_long_is_an_entry() -> None:
    add_job(due_at=timezone.now() - timedelta(minutes=2))
    assert "1 wait" in details()["jobs"]


def test_a_paused_handler_is_an_entry_with_the_way_out() -> None:
    make_handler()
    handler = make_handler(paused_at=timezone.now(), pause_reason="20 deliveries failed one after the other.")
    said = details()
    assert list(said) == [f"event handler {handler.pk}"]
    assert "20 deliveries failed" in said[f"event handler {handler.pk}"]
    assert f"event-handler resume {handler.pk}" in said[f"event handler {handler.pk}"]


def test_failures_are_named_with_their_reason() -> None:
    add_job(error="OSError: away", due_at=timezone.now() + timedelta(minutes=1))
    add_job(task="room.empty_graves", error="OSError: full", failed_at=timezone.now())
    assert details() == {
        "end_sessions_task": "will be tried again after OSError: away",
        "empty_graves": "was given up after OSError: full",
    }


def test_a_program_that_is_away_is_an_entry_that_says_what_it_means(
    programs: Callable[[dict[str, Any]], None],
) -> None:
    programs({"postfix": RUNNING, "policy": {"state": "fatal", "pid": None, "since": None}})
    assert details() == {
        "policy": "does not run: mail is accepted and the outgoing limits do not bind. Run ./innkeeper up."
    }
    programs({"postfix": RUNNING, "policy": RUNNING})
    assert details() == {}


def test_hostd_that_is_away_is_an_entry(settings: Settings) -> None:
    settings.INSTANCE = SimpleNamespace(hostd_socket=Path("/nonexistent/hostd.sock"))
    assert "does not answer" in details()["hostd"]


def test_events_that_reach_no_handler_are_entries() -> None:
    now = timezone.now()
    OutboxEvent.objects.create(
        at=now - timedelta(minutes=2), event="client_create", object_type="client", object_id=1, login="admin",
        address="", parameters="{}",
    )  # fmt: skip
    handler = make_handler()
    for state, is_test, finished_at in (
        ("dead", False, now), ("dead", True, now), ("done", False, now), ("dead", False, now - timedelta(days=2)),
    ):  # fmt: skip
        Delivery.objects.create(
            handler=handler, event="client_create", object_type="client", object_id=1, priority=50, state=state,
            is_test=is_test, due_at=now, created_at=now, finished_at=finished_at,
        )  # fmt: skip
    assert details() == {
        "events": "1 wait for longer than a minute. Look at the worker's log.",
        "deliveries": "1 were given up within a day. ./innkeeper event-handler deliveries --status dead lists them.",
    }


@pytest.mark.parametrize(("number", "says"), [(BIGGEST_ID, []), (BIGGEST_ID + 1, ["hosting"])])
def test_accounts_for_which_there_are_no_user_ids_are_an_entry(number: int, says: list[str]) -> None:
    make_site(make_account("alice"), "example.test", pk=number, hosting_type=Site.Hosting.VIRTUAL)
    make_site(make_account("bob"), "mail.test", pk=BIGGEST_ID + 2)  # has no web hosting, so needs none
    found = details()
    assert list(found) == says
    assert all(detail.startswith("1 hosting accounts get no system user and no folder") for detail in found.values())
