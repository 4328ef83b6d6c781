"""Changes of handlers at the same moment. SQLite has one writer at a time; PostgreSQL needs a lock."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, connections
from django.utils import timezone
from handler_world import ADMINISTRATOR

from innkeeper.core.models import SecretEvent
from innkeeper.events import operations
from innkeeper.events.models import EventHandler

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 15


def test_no_change_misses_the_other_ones_handler() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    now = timezone.now()
    first, second = (
        EventHandler.objects.create(
            event="client_create", user="jana", command="/bin/true", pass_secrets=True, enabled=not number,
            timeout_s=9, memory_mb=99, output_kb=9, open_files=99, created_at=now, updated_at=now,
        ).pk
        for number in range(2)
    )  # fmt: skip
    start = threading.Barrier(2)

    def switch(id: int, enabled: bool) -> None:
        try:
            start.wait(30)
            operations.set_enabled(ADMINISTRATOR, [id], enabled)
        finally:
            connections.close_all()

    for number in range(ROUNDS):
        threads = [
            threading.Thread(target=switch, args=(first, bool(number % 2))),
            threading.Thread(target=switch, args=(second, not number % 2)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        # One of the two is on, whichever was first: the event is listed.
        assert EventHandler.objects.filter(enabled=True).count() == 1
        assert list(SecretEvent.objects.values_list("event", flat=True)) == ["client_create"]
