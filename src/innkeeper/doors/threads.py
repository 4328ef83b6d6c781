"""The threads that run the requests of a server."""

from __future__ import annotations

import ctypes
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

from django.db import connections

REST = 2.0
"""A thread without work for so many seconds gives back what it keeps."""

_libc = ctypes.CDLL(None)

Work = Callable[[], None]
Seat = SimpleQueue[Work]
"""Where one thread gets its next work."""


class Threads:
    """Up to `most` threads, started as they are needed; more work waits its turn.

    The thread that worked last works next. It has its own database connection, and SQLite throws a connection's cache
    away whenever another one has written.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._started = 0
        self._idle: list[Seat] = []
        self._waiting: deque[Work] = deque()
        self._lock = threading.Lock()

    def submit(self, work: Work) -> None:
        """Have one of the threads do it. `work` deals with its own errors."""
        with self._lock:
            if self._idle:
                seat = self._idle.pop()
            elif self._started < self._most:
                self._started += 1
                seat = SimpleQueue()
                name = f"{self._name}-{self._started}"
                threading.Thread(target=self._serve, args=(seat,), name=name, daemon=True).start()
            else:
                self._waiting.append(work)
                return
        seat.put(work)

    def _serve(self, seat: Seat) -> None:
        while True:
            try:
                work = seat.get(timeout=REST)
            except Empty:
                _give_back()
                work = seat.get()
            work()
            del work
            with self._lock:
                if self._waiting:
                    seat.put(self._waiting.popleft())
                else:
                    self._idle.append(seat)


def _give_back() -> None:
    connections.close_all()
    # The C library keeps what a large packet took, for the next; other programs can use it meanwhile.
    _libc.malloc_trim(0)
