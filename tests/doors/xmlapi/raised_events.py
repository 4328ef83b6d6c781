"""What is true of every event that an operation left in the outbox."""

from __future__ import annotations

import json

from innkeeper.core.models import OutboxEvent
from innkeeper.events.catalogue import EVENTS


def follows_the_catalogue(row: OutboxEvent) -> None:
    """It is said to be raised, has each of its parameters in their order, and those that are never empty are not."""
    event = EVENTS[row.event]
    values = json.loads(row.parameters)
    names = [name for parameter in event.parameters for name in (parameter.name, *parameter.synonyms)]
    assert event.is_raised, row.event
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
