"""Work of which some takes a moment and some takes an hour: nobody waits behind somebody else's hour.

Every piece runs in a thread of its own, one at a time for each name. Whoever asks for it waits a little; what takes
longer goes on without him, and he asks again. Of the long pieces, one at a time goes on.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Hashable

KEPT_S = 600.0
"""How long an end is remembered for whoever was told that the work goes on: he asks again within seconds."""

# Called by a piece of work every now and then, with how far it is.
Step = Callable[[int], None]
Work = Callable[[Step], None]


class StillRunningError(Exception):
    """The work goes on. `done` says how far it is."""

    def __init__(self, done: int) -> None:
        super().__init__(f"still being done, {done} objects so far")
        self.done = done


class _Piece:
    """One piece of work, begun."""

    def __init__(self, about: Hashable) -> None:
        self.about = about
        self.done = 0
        self.error: Exception | None = None
        self.ended = threading.Event()
        self.ended_at = math.inf


class Lanes:
    """The pieces of work that are being done, by name. A piece is long when it is not done after `patience_s`."""

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self._pieces: dict[str, _Piece] = {}
        self._lock = threading.Lock()
        self._long = threading.Lock()

    def do(self, name: str, about: Hashable, work: Work, wait_s: float) -> None:
        """Do the work and wait for its end, at most `wait_s`; not at all for what is being done already.

        `about` tells equal work: while it is being done nothing new is begun, and when it has ended meanwhile it is not
        done again, unless that is long ago: then nobody came back for it, and what it did may be undone. Work about
        something else under the name is begun when it is asked for after the earlier has ended.

        Raises: StillRunningError, and whatever the work raises.
        """
        until = time.monotonic() + wait_s
        while True:
            with self._lock:
                self._forget()
                piece = self._pieces.get(name)
                if piece is None:
                    piece = _Piece(about)
                    threading.Thread(target=self._run, args=(piece, work), daemon=True).start()
                    self._pieces[name] = piece
                    left = max(0.0, until - time.monotonic())
                else:
                    left = 0.0
            if not piece.ended.wait(left):
                raise StillRunningError(piece.done)
            with self._lock:
                if self._pieces.get(name) is piece:
                    del self._pieces[name]
            if piece.about == about:
                if piece.error is not None:
                    raise piece.error
                return

    def _forget(self) -> None:
        """Forget what ended long ago, under whatever name."""
        long_ago = time.monotonic() - KEPT_S
        for name in [name for name, piece in self._pieces.items() if piece.ended_at < long_ago]:
            del self._pieces[name]

    def _run(self, piece: _Piece, work: Work) -> None:
        begun = time.monotonic()
        with contextlib.ExitStack() as stack:
            is_long = False

            def step(done: int) -> None:
                nonlocal is_long
                piece.done = done
                if not is_long and time.monotonic() - begun > self.patience_s:
                    is_long = True
                    stack.enter_context(self._long)

            try:
                work(step)
            except Exception as error:  # whoever waits for it gets it
                piece.error = error
            finally:
                piece.ended_at = time.monotonic()
                piece.ended.set()
