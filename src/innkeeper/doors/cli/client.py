"""Sends one command to the listener and hands over what comes back."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from innkeeper.doors.cli import wire

FAILED, NOT_PERMITTED, INVALID = 1, 6, 7
DEPTH = "INNKEEPER_EVENT_DEPTH"
"""Set for handlers of events: what they command tells how deep in each other's events they are, and loops end."""


class CommandFailed(Exception):
    """A command that was not done. The message says why and what to do."""

    def __init__(self, message: str, code: int, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.field = field


def _connect(state: str) -> socket.socket:
    """A connection to the listener of a state folder, where `Instance.cli_socket` puts it."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        # Through a descriptor: the folder's own path may be too long for the address of a socket.
        folder = os.open(f"{state}/run/cli", os.O_PATH | os.O_DIRECTORY)
        try:
            connection.connect(f"/proc/self/fd/{folder}/cli.sock")
        finally:
            os.close(folder)
    except PermissionError:
        connection.close()
        raise CommandFailed(f"You may not command the Innkeeper in {state}. Run this as root.", NOT_PERMITTED) from None
    except OSError:
        connection.close()
        raise CommandFailed(
            f"Innkeeper does not answer in {state}. Bring it up with `./innkeeper up`,"
            " or name its folder with --state.",
            FAILED,
        ) from None
    return connection


def ask(
    state: str,
    request: dict[str, Any],
    data: bytes | None = None,
    *,
    on_rows: Callable[[list[dict[str, Any]]], None] | None = None,
    on_data: Callable[[bytes], object] | None = None,
) -> dict[str, Any]:
    """Do a command; its result. Rows and bytes of the answer are handed over as they come. Raises CommandFailed."""
    frame: dict[str, Any] | bytes
    depth = os.environ.get(DEPTH, "")
    if depth.isascii() and depth.isdigit() and len(depth) < 4:
        request = request | {"depth": int(depth)}
    with _connect(state) as connection:
        try:
            wire.send(connection, request | ({"data": True} if data is not None else {}))
            if data is not None:
                wire.send_data(connection, data)
            frame = wire.receive(connection)
        except (wire.WireError, OSError):
            raise _cut_off() from None
        while isinstance(frame, bytes) or "rows" in frame:
            if isinstance(frame, bytes):
                if on_data:
                    on_data(frame)
            elif on_rows:
                on_rows(frame["rows"])
            try:
                frame = wire.receive(connection)
            except (wire.WireError, OSError):
                raise _cut_off() from None
    if frame.get("exit") != 0:
        error = frame.get("error", {})
        raise CommandFailed(
            str(error.get("message", "failed")), int(frame.get("exit", FAILED)), error.get("field") or None
        )
    result = frame.get("result", {})
    return result if isinstance(result, dict) else {}


def _cut_off() -> CommandFailed:
    return CommandFailed(
        "Innkeeper ended before it answered. The command was done whole or not at all: look, then go on.", FAILED
    )
