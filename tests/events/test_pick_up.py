"""Events are found whoever wrote them: by a datagram, or by looking within the time that is promised."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from delivering import EVENT, Runs, handler
from django.db import connection
from django.utils import timezone

from innkeeper.core.models import EventNumber
from innkeeper.events.loop import POLL_S

pytestmark = pytest.mark.django_db(transaction=True)

PROMISED_S = {"sqlite": 0.25, "postgresql": 0.1}


@pytest.fixture
def runs() -> Iterator[Runs]:
    """Deliveries that are made in a thread of their own, as the worker's are. Nobody wakes it."""
    EventNumber.objects.update_or_create(id=1, defaults={"last": 0})
    handler()
    found = Runs()
    thread = threading.Thread(target=found.loop.run)
    thread.start()
    yield found
    found.loop._stop.set()
    found.loop.wake()
    thread.join(30)


def insert(object_id: int) -> None:
    """An event by a statement of its own, as any program might write one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_outboxevent (at, event, object_type, object_id, login, address, parameters, state)"
            " VALUES (%s, %s, 'client', %s, 'admin', '', '{}', 'pending')",
            [connection.ops.adapt_datetimefield_value(timezone.now()), EVENT, object_id],
        )


def wait_for(runs: Runs, *objects: int) -> None:
    deadline = time.monotonic() + 20
    while [made[1] for made in runs.made] != list(objects):
        assert time.monotonic() < deadline, runs.made
        time.sleep(0.01)


def test_what_nobody_told_is_found_by_looking_as_often_as_is_promised(runs: Runs) -> None:
    assert POLL_S[connection.vendor] < PROMISED_S[connection.vendor]
    insert(1)
    wait_for(runs, 1)


def test_a_late_commit_with_an_older_id_is_found_like_any_other(runs: Runs) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time: ids are committed in their order")
    is_written, may_commit = threading.Event(), threading.Event()

    def late() -> None:
        connection.set_autocommit(False)
        insert(1)
        is_written.set()
        may_commit.wait(20)
        connection.commit()
        connection.close()

    thread = threading.Thread(target=late)
    thread.start()
    assert is_written.wait(20)
    insert(2)
    wait_for(runs, 2)
    may_commit.set()
    thread.join(20)
    wait_for(runs, 2, 1)
