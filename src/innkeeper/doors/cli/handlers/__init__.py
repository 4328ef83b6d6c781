"""The listener's side of each command: a request of JSON values to an operation or a query, and its result back."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from functools import cache
from importlib import import_module
from itertools import islice
from typing import Any, TypeVar

from django.db import DatabaseError, close_old_connections

from innkeeper.core.actor import Actor, ActorKind, Door
from innkeeper.core.errors import ExitCode, Failed, Malformed, Refused, codes
from innkeeper.core.operation import planning
from innkeeper.doors.cli import wire

logger = logging.getLogger("innkeeper.cli")

ADMINISTRATOR = Actor(ActorKind.ADMINISTRATOR, 1, "admin", door=Door.CLI)
"""Who commands: the administrator's account is the first of every database."""

DEEPEST = 1_000
"""Beyond this a depth is nonsense, and one far below it ends a loop of event handlers."""

Result = dict[str, Any]
T = TypeVar("T")


class Request:
    """One command with its arguments, and the way to send long answers piece by piece."""

    def __init__(self, connection: socket.socket, arguments: dict[str, Any], data: bytes) -> None:
        self._connection = connection
        self._arguments = arguments
        self.data = data
        self.actor = ADMINISTRATOR

    def text(self, name: str) -> str:
        """A required text argument."""
        value = self.optional_text(name)
        if value is None:
            raise Malformed(f"{name}: it is missing.", field=name)
        return value

    def optional_text(self, name: str) -> str | None:
        return self._optional(name, str)

    def optional_bool(self, name: str) -> bool | None:
        return self._optional(name, bool)

    def optional_int(self, name: str) -> int | None:
        return self._optional(name, int)

    def optional_dict(self, name: str) -> dict[str, Any] | None:
        return self._optional(name, dict)

    def optional_list(self, name: str) -> list[Any] | None:
        return self._optional(name, list)

    def _optional(self, name: str, kind: type[T]) -> T | None:
        value = self._arguments.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise Malformed(f"{name}: not a {kind.__name__}.", field=name)
        return value

    def send_rows(self, rows: Iterable[dict[str, Any]]) -> None:
        """Send rows of the answer, as many as there are, in constant memory."""
        rows = iter(rows)
        while batch := list(islice(rows, wire.ROWS)):
            wire.send(self._connection, {"rows": batch})

    def send_data(self, data: bytes) -> None:
        """Send bytes of the answer."""
        wire.send_data(self._connection, data)


Handler = Callable[[Request], Result]

# Which module serves the commands of a group.
MODULES = {
    "mail": "mail",
    "customer": "hosting",
    "webspace": "hosting",
    "site": "hosting",
    "subdomain": "system_users",
    "webuser": "system_users",
    "ftp-account": "system_users",
    "event-handler": "event_handler",
    "key": "server",
    "address": "server",
    "administrator": "server",
    "server": "server",
    "packet": "packet",
    "health": "health",
    "security": "security",
}


@cache
def _handlers(group: str) -> dict[str, Handler]:
    if group not in MODULES:
        return {}
    # Loaded at first use: who never sends a packet pays no memory for the packet door.
    handlers: dict[str, Handler] = import_module(f"{__name__}.{MODULES[group]}").HANDLERS
    return handlers


def load() -> None:
    """Load every command, for a process that shares what it has loaded."""
    for group in MODULES:
        _handlers(group)


def answer(connection: socket.socket, message: dict[str, Any], data: bytes) -> dict[str, Any]:
    """Run one command; the last frame of its answer."""
    close_old_connections()
    try:
        return {"exit": ExitCode.OK, "result": _run(connection, message, data)}
    except Refused as error:
        return _failure(error)
    except DatabaseError:
        logger.exception("the database failed")
        return _failure(Failed("The database cannot be reached now. Nothing was changed; try again."))
    except (wire.WireError, OSError):
        raise
    except Exception:
        logger.exception("a command failed")
        return _failure(Failed("The command failed for an internal reason; the server's log has the details."))
    finally:
        close_old_connections()


def _run(connection: socket.socket, message: dict[str, Any], data: bytes) -> Result:
    command, arguments = message.get("command"), message.get("arguments", {})
    if not isinstance(command, str) or not isinstance(arguments, dict):
        raise Malformed("Not a command.")
    handler = _handlers(command.partition(".")[0]).get(command)
    if handler is None:
        raise Malformed(f"This Innkeeper has no command {command!r}: client and server are of different versions.")
    request = Request(connection, arguments, data)
    depth = message.get("depth")
    if isinstance(depth, int) and 0 < depth <= DEEPEST:
        request.actor = replace(request.actor, depth=depth)
    if not message.get("plan"):
        return handler(request)
    with planning() as plan:
        handler(request)
    return {"plan": [asdict(change) for change in plan.changes]}


def _failure(error: Refused) -> dict[str, Any]:
    return {
        "exit": codes(error).exit,
        "error": {"code": codes(error).xml, "field": error.field, "message": error.message},
    }
