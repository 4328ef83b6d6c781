"""The delivery itself: a thread of the worker that keeps the books, and threads that run what it hands out.

The one thread alone uses the database. In each turn it writes what came of attempts, dispatches new events and takes
what is due, all in one transaction, so that an event costs a fraction of a commit when there are many.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from innkeeper.events import claims, pace
from innkeeper.events.claims import Claim, Result, Verdict
from innkeeper.events.deliver import Progress, attempts
from innkeeper.events.dispatch import dispatch, is_pending, is_waiting
from innkeeper.events.models import HandlerKind
from innkeeper.hostd.client import Client

log = logging.getLogger("innkeeper.events")

AT_ONCE = 24
"""Attempts at once. hostd allows as many runs."""

AT_ONCE_EACH = 4
"""Attempts of one handler at once, so that a slow one leaves room for the others."""

AHEAD = 60
"""How many more a handler that is quick and works is given ahead, so that many share a commit."""

IN_A_ROW = 16
"""How many of a quick handler a thread makes in one go: hostd starts them one after the other without being asked."""

QUICK_MS = 100
POLL_S = {"sqlite": 0.2, "postgresql": 0.08}
"""How long an event waits at most whose operation could not wake this process."""

UNHANDLED_S = 0.5
"""How often events are dispatched that nobody handles."""

GATHER_S = 0.04
"""How long results are gathered while there is enough to do: a turn costs as much for one as for twenty."""

SWEEP_S = 60.0
AWAY_S = 2.0
STOP_S = 3.0

Attempts = Callable[[Sequence[Claim]], Iterator[Progress]]


class Pool:
    """Threads that make attempts, at most so many of one handler at once."""

    def __init__(self, attempts: Attempts, done: Callable[[], None]) -> None:
        self._attempts = attempts
        self._done = done
        self._lock = threading.Condition()
        self._waiting: dict[int, deque[Claim]] = {}
        self._active: Counter[int] = Counter()
        self._quick: dict[int, bool] = {}
        self._held: dict[int, int] = {}
        self._results: list[Result] = []
        self._threads = 0
        self._idle = 0
        self._closed = False

    def add(self, made: list[Claim]) -> None:
        """Make these attempts, in their order."""
        with self._lock:
            for claim in made:
                self._waiting.setdefault(claim.handler.pk, deque()).append(claim)
                self._held[claim.id] = claim.handler.pk
            for _ in range(min(len(made) - self._idle, AT_ONCE - self._threads)):
                self._threads += 1
                threading.Thread(target=self._work, name="delivery", daemon=True).start()
            self._lock.notify(len(made))

    def results(self) -> list[Result]:
        """What came of attempts since the last call."""
        with self._lock:
            found, self._results = self._results, []
            for each in found:
                self._held.pop(each.delivery, None)
            return found

    def keep(self, results: list[Result]) -> None:
        """Take back results that could not be written."""
        with self._lock:
            self._results = results + self._results
            self._held.update((each.delivery, each.handler) for each in results)

    def held(self) -> list[int]:
        """The deliveries that are here, their results not yet fetched included."""
        with self._lock:
            return list(self._held)

    def room(self) -> tuple[dict[int, int], int]:
        """How many more each handler can be given that has some already, and how many any other one."""
        with self._lock:
            count = Counter(self._held.values())
            free = AT_ONCE - sum(self._active.values())
            most = {id: AT_ONCE_EACH + (AHEAD if self._quick.get(id) else 0) for id in {*count, *self._quick}}
            if free <= 0:
                return dict.fromkeys(most, 0), 0
            return {id: most[id] - count[id] for id in most}, AT_ONCE_EACH

    def is_busy(self) -> bool:
        """Whether there is more to make than a handler's threads take at once: then a new event would wait anyway."""
        with self._lock:
            return len(self._held) - len(self._results) > AT_ONCE_EACH

    def is_empty(self) -> bool:
        with self._lock:
            return not self._held

    def close(self) -> None:
        """Let idle threads go; the others follow when their attempts end."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()

    def _next(self) -> list[Claim]:
        for handler, queue in self._waiting.items():
            threads = AT_ONCE_EACH - self._active[handler]
            if queue and threads > 0:
                is_quick = self._quick.get(handler) and queue[0].handler.kind == HandlerKind.COMMAND
                count = min(IN_A_ROW, -(-len(queue) // threads)) if is_quick else 1
                claims = [queue.popleft() for _ in range(count)]
                # The next look begins with another handler.
                self._waiting[handler] = self._waiting.pop(handler)
                self._active[handler] += 1
                return claims
        return []

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
                while not (claims := self._next()):
                    if self._closed:
                        return
                    self._lock.wait()
                self._idle -= 1
            handler = claims[0].handler.pk
            for progress in self._attempts(claims):
                with self._lock:
                    self._results += progress.results
                    for each in progress.results:
                        self._quick[handler] = each.verdict is Verdict.DONE and each.duration_ms < QUICK_MS
                    if progress.given_back:
                        left = len(claims) - progress.given_back
                        self._waiting[handler].extendleft(reversed(claims[left:]))
                        del claims[left:]
                        self._lock.notify(progress.given_back)
                self._done()
            with self._lock:
                self._active[handler] -= 1
                self._lock.notify()


class Loop:
    """One turn after the other, until `stop` is set."""

    def __init__(self, attempts: Attempts, stop: threading.Event, wake_socket: Path | None) -> None:
        self._stop = stop
        self._mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        theirs.setblocking(False)
        self._mine.setblocking(False)
        self._theirs = theirs
        self._outside = _listen(wake_socket) if wake_socket else None
        self.pool = Pool(attempts, self.wake)
        self._pace = pace.Pace()
        self._dispatched_at = 0.0
        self._swept_at = 0.0

    def wake(self) -> None:
        """Let the next turn begin at once."""
        with contextlib.suppress(OSError):  # full: it will wake anyway
            self._theirs.send(b"1")

    def begin(self) -> None:
        """Take back what a killed predecessor held."""
        with transaction.atomic():
            if count := claims.release(all_running=True):
                log.info("%d deliveries of a worker that was killed are made again", count)

    def turn(self, *, claim: bool = True) -> bool:
        """One turn; whether there may be more to do at once."""
        results = self.pool.results()
        try:
            return self._turn(results, claim)
        except BaseException:
            self.pool.keep(results)
            raise

    def _turn(self, results: list[Result], claim: bool) -> bool:
        now = time.monotonic()
        waiting = is_waiting() or (now - self._dispatched_at > UNHANDLED_S and is_pending())
        room, default = self.pool.room()
        found = claims.due() if claim else claims.Due({}, False)
        ready = found.ready(timezone.now(), room, default)
        if not (results or waiting or ready or found.tests):
            self._sweep(now)
            return False
        made: list[Claim] = []
        with transaction.atomic():
            if results:
                claims.record(results)
            more = waiting and dispatch()
            if claim:
                if more or results:
                    room, default = self.pool.room()
                    found = claims.due()
                    ready = found.ready(timezone.now(), room, default)
                room |= {id: min(room.get(id, default), 1) for id in found.probed}
                made = self._paced(claims.claim(ready, room, default, found.tests))
        if waiting:
            self._dispatched_at = now
        for result in results:
            self._pace.ended(result, timezone.now())
        self.pool.add(made)
        self._sweep(now)
        return bool(made) or bool(more)

    def _paced(self, made: list[Claim]) -> list[Claim]:
        """Those that are to begin now. The others are put off."""
        now = timezone.now()
        late = [each for each in made if not self._pace.begins(each, now)]
        if not late:
            return made
        claims.put_off(late, now + pace.APART, pace.NOTE)
        for each in late:
            log.warning("handler %d seems to cause the events that it is called for: delivery %d is put off",
                        each.handler.pk, each.id)  # fmt: skip
        return [each for each in made if each not in late]

    def _sweep(self, now: float) -> None:
        """What nothing else would notice: ended leases, and deliveries that wait for one that was removed."""
        if now - self._swept_at < SWEEP_S and self._swept_at:
            return
        self._swept_at = now
        if stuck := claims.find_stuck():
            with transaction.atomic():
                claims.make_due(stuck)
        with transaction.atomic():
            claims.erase_secrets()
            claims.release(self.pool.held())

    def wait(self, timeout_s: float) -> None:
        """Until something happened, or the time is over."""
        sources = [self._mine, *([self._outside] if self._outside else [])]
        ready, _, _ = select.select(sources, [], [], timeout_s)
        for each in ready:
            with contextlib.suppress(OSError):
                while True:
                    each.recv(64)

    def run(self) -> None:
        """Deliver until `stop` is set, then wait a little for what runs. Outlives a database that goes away."""
        begun = away = False
        while not self._stop.is_set():
            try:
                if not begun:
                    self.begin()
                    begun = True
                more = self.turn()
                if away:
                    log.info("the database is back")
                    away = False
            except DatabaseError as error:
                if not away:
                    log.error("the database is away (%s); trying again", error)
                    away = True
                connection.close()
                self._stop.wait(AWAY_S)
                continue
            if self.pool.is_busy():
                self._stop.wait(GATHER_S)
            elif not more:
                self.wait(POLL_S[connection.vendor])
        self._end()
        self.close()
        connection.close()

    def close(self) -> None:
        """Give back what the loop holds."""
        self.pool.close()
        for each in (self._mine, self._theirs, self._outside):
            if each is not None:
                each.close()

    def _end(self) -> None:
        deadline = time.monotonic() + STOP_S
        with contextlib.suppress(DatabaseError):
            while not self.pool.is_empty() and time.monotonic() < deadline:
                self.turn(claim=False)
                self.wait(0.05)


def _listen(path: Path) -> socket.socket | None:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.setblocking(False)
    listener.bind(str(path))
    path.chmod(0o600)
    return listener


def run(stop: threading.Event) -> None:
    """Deliver events until `stop` is set: the worker's thread for it."""
    if settings.INSTANCE is None:
        raise RuntimeError("No instance: there is no hostd to run handlers.")
    hostd = Client(settings.INSTANCE.hostd_socket)
    Loop(lambda claims: attempts(claims, hostd), stop, settings.INSTANCE.wake_socket).run()
