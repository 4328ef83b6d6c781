"""The operations behind every packet pair, services and panel sessions raise the events that the catalogue says."""

from __future__ import annotations

import json

import packet_world
import pytest
from django.db import transaction
from packet_client import request
from test_packets import REQUESTS, send

from innkeeper.accounts.visits import record_login, record_logout
from innkeeper.core.actor import Actor, ActorKind, Door
from innkeeper.core.models import OutboxEvent
from innkeeper.events.catalogue import EVENTS
from innkeeper.upkeep.services import control_service
from tests.null_hostd import NullHostd

pytestmark = pytest.mark.django_db


class Undone(Exception):
    """Takes a packet's changes back."""


def recorded() -> list[OutboxEvent]:
    """What all packets, each in a fresh world, and a visit of the panel leave in the outbox."""
    rows: list[OutboxEvent] = []
    for path in REQUESTS:
        try:
            with transaction.atomic():
                packet_world.build()
                OutboxEvent.objects.all().delete()
                send(path)
                rows += OutboxEvent.objects.all()
                raise Undone
        except Undone:
            pass
    visitor = Actor(ActorKind.ADMINISTRATOR, 1, "admin", door=Door.PANEL)
    for action in ("stop", "start", "restart"):
        control_service(visitor, "smtp", action)
    record_login(visitor, "Administrator")
    record_logout(visitor, "Administrator")
    return rows + list(OutboxEvent.objects.all())


def check(row: OutboxEvent) -> None:
    event = EVENTS[row.event]
    values = json.loads(row.parameters)
    names = [name for parameter in event.parameters for name in (parameter.name, *parameter.synonyms)]
    assert row.object_type == event.object_type
    assert list(values) == [f"{side}_{name}" for name in names for side in ("old", "new")]
    for side, empty in (("old", "create"), ("new", "delete")):
        for parameter in event.parameters:
            value = values[f"{side}_{parameter.name}"]
            assert isinstance(value, str)
            if event.kind == empty or parameter.secret:
                assert value == "", (row.event, side, parameter.name)
            elif parameter.required:
                assert value, (row.event, side, parameter.name)


def test_operations_raise_the_events_that_the_catalogue_marks_and_fill_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("innkeeper.upkeep.services.services", NullHostd)
    rows = recorded()
    for row in rows:
        check(row)
    assert {row.event for row in rows} == {event.name for event in EVENTS.values() if event.is_raised}


@pytest.mark.parametrize(
    ("caller", "said", "depth"),
    [
        ("admin", "3", 3),
        ("admin", None, 0),
        ("admin", "-1", 0),
        ("admin", "9999", 0),
        ("admin", "\u0663", 0),
        ("alice", "9", 0),
    ],
)
def test_the_administrators_packets_tell_how_many_handlers_led_to_them(
    caller: str, said: str | None, depth: int
) -> None:
    """A customer is not believed: an event at the end of a long chain is given to no handler."""
    packet_world.build()
    OutboxEvent.objects.all().delete()
    packet = (
        "<packet><mail><create><filter><site-id>{}</site-id><mailname><name>deep</name></mailname></filter></create>"
        "</mail></packet>"
    )
    headers = {"KEY": f"{caller}-key"} | ({"Innkeeper-Event-Depth": said} if said else {})
    _, _, content = request(packet.format(packet_world.EXAMPLE).encode(), headers)
    assert b"<status>ok</status>" in content, content.decode()
    assert set(OutboxEvent.objects.filter(event="mailname_create").values_list("depth", flat=True)) == {depth}
