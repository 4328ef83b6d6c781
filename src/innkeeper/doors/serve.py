"""The panel's server: `python -m innkeeper.doors.serve OPTIONS`, with the options of Granian.

Everything that requests need is loaded before the workers are forked, so that they share it: a worker for itself takes
a third of the memory that it would have loaded alone. The listener of the command line and the worker of background
jobs are forked from here too (`instance.image`). Nothing here may open a connection or start a thread.
"""

from __future__ import annotations

import gc
import runpy
import sys
from collections.abc import Callable
from importlib import import_module
from threading import Thread
from typing import Any

from django.conf import settings
from django.urls import get_resolver
from granian.server import common

from innkeeper.doors import rsgi
from innkeeper.doors.cli import handlers as commands
from innkeeper.doors.cli import server as command_line
from innkeeper.doors.xmlapi import operators, schema
from innkeeper.doors.xmlapi.versions import FIRST_NEW, NEWEST, VERSIONS
from innkeeper.instance import image
from innkeeper.jobs import worker

OTHERS = {"innkeeper.doors.cli.server": lambda: command_line.main([]), "innkeeper.jobs.worker": worker.main}

granian: Any = common  # it has no types

LAZY = ("innkeeper.events.loop", "innkeeper.jobs.queue")
"""What the worker itself loads only when it starts."""


def load() -> None:
    """Load what the first requests, commands and jobs would load."""
    assert rsgi.application  # noqa: S101  (loads Django and its applications)
    for each in LAZY:
        import_module(each)
    get_resolver().url_patterns  # noqa: B018  (imports the panel's views)
    operators.handlers()
    commands.load()
    schema.for_version(NEWEST)
    schema.for_version(next(version for version in reversed(VERSIONS) if version < FIRST_NEW))
    gc.collect()
    # The collector writes into every object that it looks at, and a page that is written to is shared no more.
    gc.freeze()


def serve() -> None:
    """Granian, in this process."""
    listen = granian.set_main_signals
    granian.set_main_signals = lambda *handlers: listen(*map(_beside, handlers))
    runpy.run_module("granian", run_name="__main__")


def _beside(handler: Callable[[], None]) -> Callable[..., None]:
    """A signal handler that runs in a thread of its own.

    Granian's set the event for which its main thread waits. A signal that comes while that thread wakes, as a second
    one does, would wait there for ever for a lock that its own thread holds.
    """
    return lambda *_: Thread(target=handler).start()


if __name__ == "__main__":
    load()
    instance = settings.INSTANCE
    sys.exit(image.run(serve, OTHERS, instance.image_socket if instance else None))
