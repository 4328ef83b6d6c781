"""A way past the event loop through Granian, for requests that need none.

Granian makes a task of each request, and tells the loop when a body is complete: three times the loop's thread has to
wake, while another one then does the work. Here a request is offered first, in the server's own thread; and of a body
for which an `Arrival` waits, the server tells that itself. Both places are inside Granian, so a version of it that has
them elsewhere only loses the shortcut: every request then comes by the loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context
from typing import Any

from granian import _futures

log = logging.getLogger(__name__)

Take = Callable[[Any, Any], bool]
"""Takes a scope and a protocol of RSGI; False leaves the request to the loop. Must not wait for anything."""


class Arrival:
    """What waits for a body: called by the server's thread when it is complete."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[Any], None]) -> None:
        self._call = call

    def __call__(self, body: Any) -> None:
        try:
            self._call(body)
        except Exception:
            log.exception("a request was lost")


def install(loop: asyncio.AbstractEventLoop, take: Take) -> None:
    """Offer the requests of this process to `take`. Called before the server begins."""
    schedule_of, call_soon_threadsafe = getattr(_futures, "_cbsched_aioschedule", None), loop.call_soon_threadsafe
    if schedule_of is None:
        log.warning("this version of Granian has no place for the shortcut: every request comes by the event loop")
        return

    def scheduler(loop: asyncio.AbstractEventLoop, context: Context, callback: Any) -> Callable[[Any], None]:
        through_the_loop = schedule_of(loop, context, callback)

        def schedule(request: Any) -> None:
            try:
                if take(request.scope, request.proto):
                    return
            except Exception:
                log.exception("a request was not taken")
            through_the_loop(request)

        return schedule

    def call(callback: Any, *arguments: Any, context: Context | None = None) -> asyncio.Handle | None:
        if type(callback) is Arrival:
            callback(*arguments)
            return None
        return call_soon_threadsafe(callback, *arguments, context=context)

    _futures._cbsched_aioschedule = scheduler
    loop.call_soon_threadsafe = call  # type: ignore[assignment,method-assign]
