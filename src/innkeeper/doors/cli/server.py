"""The command line's listener: `python -m innkeeper.doors.cli.server`.

It serves a UNIX socket (0600) in a folder (0700) of the panel's user, and nothing else: no TCP port reaches this door.
Whoever can open the socket acts as the administrator.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import django

from innkeeper.doors.cli import wire

logger = logging.getLogger("innkeeper.cli")

AT_ONCE = 16
WAIT_S = 60.0
"""How long a client may be silent while it sends, or slow while it reads."""


class CannotListen(Exception):
    """The socket cannot be served. The message says why."""


def listen(path: Path) -> socket.socket:
    """The listening socket. Raises CannotListen."""
    folder = path.parent
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise CannotListen(f"{folder} must belong to this user alone (mode 0700): whoever enters it is administrator.")
    if path.exists():
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except OSError:
                path.unlink()  # left by a listener that was killed
            else:
                raise CannotListen(f"Another listener serves {path}.")
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(64)
    return listener


def serve(listener: socket.socket, stop: threading.Event) -> None:
    """Answer commands, several at once, until `stop` is set and nobody waits any more."""
    listener.settimeout(0.2)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="command") as pool:
        stopping = False
        while True:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                if stopping:
                    return
                stopping = stop.is_set()  # whoever came just before that is served in one more round
                continue
            connection.settimeout(WAIT_S)
            pool.submit(converse, connection)


def converse(connection: socket.socket) -> None:
    """One request and its answer."""
    from innkeeper.doors.cli.handlers import answer

    with connection:
        try:
            request = wire.receive(connection)
            if isinstance(request, bytes):
                raise wire.WireError("a request begins with an object")
            data = wire.receive(connection) if request.get("data") else b""
            if not isinstance(data, bytes):
                raise wire.WireError("the request's data is missing")
            wire.send(connection, answer(connection, request, data))
        except (wire.WireError, OSError) as error:
            logger.info("a client went away: %s", error)
        except Exception:
            logger.exception("a command could not be answered")


def main(arguments: list[str] | None = None) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "innkeeper.core.settings")
    django.setup()
    from django.conf import settings

    parser = argparse.ArgumentParser(prog="python -m innkeeper.doors.cli.server", description=__doc__)
    instance: Any = settings.INSTANCE
    parser.add_argument("--socket", type=Path, default=instance.cli_socket if instance else None)
    path: Path | None = parser.parse_args(arguments).socket
    if path is None:
        parser.error("Name the socket with --socket, or the instance with INNKEEPER_STATE.")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        listener = listen(path)
    except (CannotListen, OSError) as error:
        logger.error("%s", error)
        return 1
    logger.info("listening on %s", path)
    with listener:
        try:
            serve(listener, stop)
        finally:
            path.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
