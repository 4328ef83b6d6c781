"""Stands in for a program that runs from the shared image: `python -m innkeeper.instance.stand_in SOCKET MODULE`.

This is what supervisor starts, stops and watches. It asks the image for the program, hands its own output over and
ends when the program ends; the program ends with it, however that happens. Without an image it becomes the program.
It loads hardly anything, because there is one of it for each such program.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time

PATIENCE_S = 5.0
"""How long the image may take to be there."""


def main() -> int:
    path, module = sys.argv[1:]
    image = connect(path)
    if image is None:
        os.execv(sys.executable, [sys.executable, "-m", module])  # noqa: S606  (the words are ours)

    def stop(*_: object) -> None:
        with contextlib.suppress(OSError):  # it has ended by itself
            image.send(b".")

    code = b""
    with contextlib.suppress(OSError):
        socket.send_fds(image, [module.encode()], [1, 2])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        code = image.recv(1)
    return code[0] if code else 1


def connect(path: str) -> socket.socket | None:
    """A connection to the image, None if there is none."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            if time.monotonic() > deadline:
                return None
            time.sleep(0.1)
        else:
            return connection


if __name__ == "__main__":
    sys.exit(main())
