"""Tells the worker that events wait, the moment they are committed.

A datagram to a socket in the instance's folder: it costs a commit some microseconds on either engine, and nothing waits
for it. PostgreSQL's NOTIFY would make all commits that notify wait for each other. Whoever is not told (the worker
was away, the operation ran on another machine) is found by the worker's own look at the outbox.
"""

from __future__ import annotations

import contextlib
import socket
from functools import cache

from django.conf import settings


def wake() -> None:
    """Wake the worker. Never fails and never waits."""
    if settings.INSTANCE is not None:
        with contextlib.suppress(OSError):
            _socket().sendto(b"", str(settings.INSTANCE.wake_socket))


@cache
def _socket() -> socket.socket:
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.setblocking(False)
    return sender
