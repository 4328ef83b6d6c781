"""What an operation pays for its event: the same however many handlers are attached to it."""

from __future__ import annotations

import re

import pytest
from delivering import Runs, handler
from django.db import connection
from django.test.utils import CaptureQueriesContext
from handler_world import ADMINISTRATOR

from innkeeper.accounts.events import CLIENT_UPDATE
from innkeeper.core.models import AuditEntry, OutboxEvent
from innkeeper.core.operation import Operation
from innkeeper.events.models import Delivery

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("closed_loops")]


def cost() -> tuple[list[str], int]:
    """The statements of an operation with one event, and the rows that it leaves in every table of records."""
    values = {"login_name": "ines", "contact_name": "Ines"}
    tables = (AuditEntry, OutboxEvent, Delivery)
    before = sum(table.objects.count() for table in tables)
    with CaptureQueriesContext(connection) as found, Operation(ADMINISTRATOR, "test") as operation:
        operation.audit("client", 5, "ines")
        operation.event(CLIENT_UPDATE, 5, old=values, new=values)
    statements = [re.sub('"s\\d+_x\\d+"', "", query["sql"].split(" (")[0]) for query in found.captured_queries]
    return statements, sum(table.objects.count() for table in tables) - before


def test_an_operation_costs_the_same_with_no_handler_and_with_twenty() -> None:
    none = cost()
    for number in range(20):
        handler("client_update", priority=number)
    some = cost()
    assert none == some
    assert none[1] == 2
    runs = Runs()
    runs.settle()
    assert len(runs.made) == 40  # both events: the first was not dispatched yet
