"""How the panel's server is told to end."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from granian.server import common

from innkeeper.doors import serve


def test_a_second_signal_does_not_wait_for_what_the_first_one_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[Any] = []
    monkeypatch.setattr(common, "set_main_signals", lambda *handlers: installed.extend(handlers))
    waited_for = threading.Event()

    def granian(_module: str, run_name: str) -> None:
        common.set_main_signals(waited_for.set, waited_for.clear)

    monkeypatch.setattr(serve.runpy, "run_module", granian)
    serve.serve()
    interrupt, _reload = installed
    with waited_for._cond:  # type: ignore[attr-defined]  # held by the thread that wakes, in which signals are handled
        handling = threading.Thread(target=interrupt, args=(signal.SIGTERM, None), daemon=True)
        handling.start()
        handling.join(10)
        assert not handling.is_alive()
    assert waited_for.wait(60)


def test_granian_has_the_place_where_its_signals_are_set() -> None:
    assert (
        "set_main_signals(self.signal_handler_interrupt, self.signal_handler_reload)"
        in Path(common.__file__).read_text()
    )
