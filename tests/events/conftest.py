"""What the tests of events share."""

from __future__ import annotations

import pytest
from handler_world import Machine

from innkeeper.events import system


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The server on which handlers are saved."""
    found = Machine()
    monkeypatch.setattr(system, "hostd", lambda: found)
    return found
