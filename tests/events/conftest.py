"""What the tests of events share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from delivering import LOOPS
from handler_world import Machine

from innkeeper.events import system


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The server on which handlers are saved."""
    found = Machine()
    monkeypatch.setattr(system, "hostd", lambda: found)
    return found


@pytest.fixture
def closed_loops() -> Iterator[None]:
    """Ends the deliveries that a test began."""
    yield
    while LOOPS:
        LOOPS.pop().close()
