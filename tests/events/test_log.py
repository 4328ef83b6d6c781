"""The log of actions: numbers, kinds, and emptying that takes nothing from handlers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from handler_world import ADMINISTRATOR, CUSTOMER, SCRIPT, happened

from innkeeper.core.errors import NotAllowed
from innkeeper.core.models import EventNumber, OutboxEvent
from innkeeper.events import operations
from innkeeper.events.catalogue import EVENTS
from innkeeper.events.dispatch import dispatch
from innkeeper.events.log import KINDS, last_number, logged
from innkeeper.events.models import Delivery
from innkeeper.events.operations import NewHandler

pytestmark = pytest.mark.django_db

TYPES = Path(__file__).parents[2] / "src/innkeeper/doors/xmlapi/schema/types.xsd"


def test_every_event_has_words_that_the_protocol_knows() -> None:
    assert KINDS.keys() == EVENTS.keys()
    known = [
        set(re.findall(r'enumeration value="(\w+)"', found))
        for found in re.findall(r'"(?:event|class)_type">(.*?)</xs:simpleType>', TYPES.read_text(), re.DOTALL)
    ]
    assert {kind for kind, _ in KINDS.values()} <= known[0]
    assert {kind for _, kind in KINDS.values()} <= known[1]


def test_a_reader_who_begins_with_an_empty_log_misses_nothing() -> None:
    start = last_number(ADMINISTRATOR)
    assert start >= 1
    for object_id in (4, 5):
        happened("domain_create", object_id, state="pending")
    assert list(logged(ADMINISTRATOR, after=start)) == []
    dispatch()
    assert [(each.number, each.object_id) for each in logged(ADMINISTRATOR, after=start)] == [
        (start + 1, 4),
        (start + 2, 5),
    ]
    assert last_number(ADMINISTRATOR) == start + 2
    OutboxEvent.objects.all().delete()
    assert last_number(ADMINISTRATOR) == EventNumber.objects.get().last == start + 2


@pytest.mark.usefixtures("machine")
def test_what_is_emptied_is_still_delivered() -> None:
    operations.create_handler(ADMINISTRATOR, NewHandler("domain_create", user="jana", command=f"{SCRIPT} a b"))
    happened("domain_create", 4, state="pending")
    dispatch()
    operations.empty_log(ADMINISTRATOR, last_number(ADMINISTRATOR))
    assert list(logged(ADMINISTRATOR)) == []
    assert Delivery.objects.get().outbox_id == OutboxEvent.objects.get().pk
    happened("domain_create", 5, state="pending")
    dispatch()
    assert [each.object_id for each in logged(ADMINISTRATOR)] == [5]


def test_the_log_is_the_administrators() -> None:
    for attempt in (
        lambda: logged(CUSTOMER),
        lambda: last_number(CUSTOMER),
        lambda: operations.empty_log(CUSTOMER, 1),
    ):
        with pytest.raises(NotAllowed):
            attempt()
