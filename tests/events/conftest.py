"""What the tests of events share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from delivering import LOOPS
from handler_world import Machine

from innkeeper.core.models import EventNumber
from innkeeper.events import system


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The server on which handlers are saved."""
    found = Machine()
    monkeypatch.setattr(system, "hostd", lambda: found)
    return found


@pytest.fixture
def closed_loops(db: None) -> Iterator[None]:
    """Ends the deliveries that a test began. Events are numbered from 1 on, as the first ids are."""
    EventNumber.objects.update_or_create(id=1, defaults={"last": 0})
    yield
    while LOOPS:
        LOOPS.pop().close()
