"""The threads that run the requests of a server."""

from __future__ import annotations

import ctypes
import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

from django.db import connections

REST = 2.0
"""A thread without work for so many seconds gives back what it keeps."""

_libc = ctypes.CDLL(None)
log = logging.getLogger(__name__)

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
        """Have one of the threads do it. What `work` raises is logged and heard of by nobody."""
        with self._lock:
            if self._idle:
                seat = self._idle.pop()
            elif self._started < self._most:
                seat = SimpleQueue()
                name = f"{self._name}-{self._started + 1}"
                threading.Thread(target=self._serve, args=(seat,), name=name, daemon=True).start()
                self._started += 1
            else:
                self._waiting.append(work)
                return
        seat.put(work)

    def _serve(self, seat: Seat) -> None:
        while True:
            try:
                work = seat.get(timeout=REST)
            except Empty:
                _do(_give_back)
                work = seat.get()
            _do(work)
            del work
            with self._lock:
                if self._waiting:
                    seat.put(self._waiting.popleft())
                else:
                    self._idle.append(seat)


def _do(work: Work) -> None:
    """Nothing ends the thread: there are few, and nobody starts another in its place."""
    try:
        work()
    except Exception:
        log.exception("a thread's work failed")


def _give_back() -> None:
    connections.close_all()
    # The C library keeps what a large packet took, for the next; other programs can use it meanwhile.
    _libc.malloc_trim(0)
