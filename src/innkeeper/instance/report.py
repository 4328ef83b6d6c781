"""Progress, told to a person while a command works."""

from __future__ import annotations

import contextlib
import time
from typing import TextIO


class Report:
    """Writes one line for each step, with the time since the beginning."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._begun = time.monotonic()

    def step(self, text: str, seconds: float | None = None) -> None:
        """Tell one step; `seconds` is what it alone took."""
        took = f" ({seconds:.2f} s)" if seconds is not None else ""
        with contextlib.suppress(BrokenPipeError):  # nobody listens any more; the work goes on
            self._out.write(f"[{time.monotonic() - self._begun:6.1f} s] {text}{took}\n")
            self._out.flush()
