"""Events are found whoever wrote them: by a datagram, or by looking within the time that is promised."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from delivering import EVENT, Runs, handler
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from innkeeper.core.models import EventNumber
from innkeeper.doors.cli.handlers import answer
from innkeeper.events.loop import POLL_S
from tests.doors.xmlapi.packet_client import request
from tests.people import PASSWORD, make_account

pytestmark = pytest.mark.django_db(transaction=True)

PROMISED_S = {"sqlite": 0.25, "postgresql": 0.1}


@pytest.fixture
def runs() -> Iterator[Runs]:
    """Deliveries that are made in a thread of their own, as the worker's are. Nobody wakes it."""
    EventNumber.objects.update_or_create(id=1, defaults={"last": 0})
    handler()
    with at_work(Runs()) as found:
        yield found


@contextmanager
def at_work(runs: Runs) -> Iterator[Runs]:
    thread = threading.Thread(target=runs.loop.run)
    thread.start()
    try:
        yield runs
    finally:
        runs.loop._stop.set()
        runs.loop.wake()
        thread.join(60)


def insert(object_id: int) -> None:
    """An event by a statement of its own, as any program might write one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_outboxevent (at, event, object_type, object_id, login, address, parameters, state)"
            " VALUES (%s, %s, 'client', %s, 'admin', '', '{}', 'pending')",
            [connection.ops.adapt_datetimefield_value(timezone.now()), EVENT, object_id],
        )


def wait_for(runs: Runs, *objects: int) -> None:
    deadline = time.monotonic() + 60
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
        may_commit.wait(60)
        connection.commit()
        connection.close()

    thread = threading.Thread(target=late)
    thread.start()
    assert is_written.wait(60)
    insert(2)
    wait_for(runs, 2)
    may_commit.set()
    thread.join(60)
    wait_for(runs, 2, 1)


def by_packet() -> None:
    change = "<filter><login>ines</login></filter><values><gen_info><cname>Cais</cname></gen_info></values>"
    packet = f"<packet><customer><set>{change}</set></customer></packet>"
    status, _, content = request(packet.encode(), {"HTTP_AUTH_LOGIN": "admin", "HTTP_AUTH_PASSWD": PASSWORD})
    assert status == "200 OK" and b"<status>ok</status>" in content, content


def by_command() -> None:
    near, far = socket.socketpair()
    with near, far:
        arguments = {"login": "ines", "company_name": "Cais"}
        done = answer(near, {"command": "customer.update", "arguments": arguments}, b"")
    assert done["exit"] == 0, done


def by_panel() -> None:
    assert Client().post("/login/", {"login": "admin", "password": PASSWORD}).status_code == 302


@pytest.mark.parametrize(
    ("door", "event"), [(by_packet, "client_update"), (by_command, "client_update"), (by_panel, "cp_user_login")]
)
def test_an_operation_is_told_of_when_it_is_committed_whatever_its_door(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, door: Callable[[], None], event: str
) -> None:
    """The deliveries look by themselves every ten minutes here, so that only who is told is in time."""
    monkeypatch.setitem(POLL_S, connection.vendor, 600)
    settings.INSTANCE = SimpleNamespace(wake_socket=tmp_path / "wake", name="test")
    EventNumber.objects.update_or_create(id=1, defaults={"last": 0})
    make_account("admin", kind="admin", id=1)
    make_account("ines", id=2)
    handler(event)
    runs = Runs(wake_socket=settings.INSTANCE.wake_socket)
    has_looked, wait = threading.Event(), runs.loop.wait

    def waits(timeout_s: float) -> None:
        has_looked.set()
        wait(timeout_s)

    monkeypatch.setattr(runs.loop, "wait", waits)
    with at_work(runs):
        assert has_looked.wait(60)
        door()
        deadline = time.monotonic() + 60
        while not runs.made:
            assert time.monotonic() < deadline
            time.sleep(0.01)
