"""The bodies that are on their way, and who sends them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Incoming:
    """A body that one address sends. `end` ends the waiting for it; called at `deadline` or before, in the loop."""

    address: str
    end: Callable[[], object]
    deadline: float
    is_over: bool = False


class Receiving:
    """Up to `most` bodies an address. Any thread may call."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_address: dict[str, deque[Incoming]] = {}
        self._lock = threading.Lock()

    def add(self, body: Incoming) -> Incoming | None:
        """Count a body. The one to end where its address sends too many: the oldest, which is the slowest."""
        with self._lock:
            others = self._by_address.setdefault(body.address, deque())
            oldest = others.popleft() if len(others) >= self._most else None
            others.append(body)
        return oldest

    def remove(self, body: Incoming) -> bool:
        """Forget a body that is here, or never will be. False if that was done before: one of two threads goes on."""
        with self._lock:
            is_first, body.is_over = not body.is_over, True
            others = self._by_address.get(body.address)
            if others is not None and body in others:
                others.remove(body)
                if not others:
                    del self._by_address[body.address]
        return is_first

    def late(self, now: float) -> list[Incoming]:
        """The bodies that should have been here."""
        with self._lock:
            return [body for others in self._by_address.values() for body in others if body.deadline <= now]
