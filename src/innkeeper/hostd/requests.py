"""What hostd can be asked: a closed list of typed requests, validated as if the one who asks were hostile.

A request is one JSON object on a line: `{"op": NAME, ...}` with exactly the fields of its type. No field is a path, a
command, or text that a root process would read as configuration.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_LINE_BYTES = 512 * 1024
MAX_ITEMS = 2_000

USERNAME = re.compile(r"[a-z0-9!#$&'*/=?^_`{|}~.-]{1,64}@[a-z0-9.-]{1,253}")
STORAGE = re.compile(r"[0-9a-f]{32}")
PROGRAM = re.compile(r"[a-z]{1,16}")


class BadRequestError(Exception):
    """The request is not one of the list, or a value in it is not allowed. Nothing was done."""


@dataclass(frozen=True, slots=True)
class Kick:
    """End the open mail sessions of accounts."""

    usernames: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """Tell used bytes and last log-in of storages."""

    storages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EmptyGrave:
    """Delete the storage of a removed account."""

    storage: str


@dataclass(frozen=True, slots=True)
class Programs:
    """Tell what runs."""


@dataclass(frozen=True, slots=True)
class Control:
    """Start, stop or restart one of the instance's programs."""

    program: str
    action: str


Request = Kick | Figures | EmptyGrave | Programs | Control

ACTIONS = ("start", "stop", "restart")


def parse(line: bytes) -> Request:
    """The request of one line. Raises BadRequestError, whose text repeats nothing of the request."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRequestError("not a JSON line") from None
    if not isinstance(data, dict):
        raise BadRequestError("not an object")
    op = data.pop("op", None)
    build = _BUILD.get(op) if isinstance(op, str) else None
    if build is None:
        raise BadRequestError("unknown op")
    fields, make = build
    if data.keys() != fields:
        raise BadRequestError(f"wants exactly the fields {sorted(fields)}")
    return make(data)


def _texts(values: Any, pattern: re.Pattern[str], what: str) -> tuple[str, ...]:
    if not isinstance(values, list) or len(values) > MAX_ITEMS:
        raise BadRequestError(f"{what}: wants a list of at most {MAX_ITEMS}")
    return tuple(_text(value, pattern, what) for value in values)


def _text(value: Any, pattern: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise BadRequestError(f"{what}: a value is not allowed")
    return value


def _control(data: dict[str, Any]) -> Control:
    if data["action"] not in ACTIONS:
        raise BadRequestError("action: a value is not allowed")
    return Control(_text(data["program"], PROGRAM, "program"), data["action"])


_BUILD: dict[str, tuple[set[str], Callable[[dict[str, Any]], Request]]] = {
    "kick": ({"usernames"}, lambda d: Kick(_texts(d["usernames"], USERNAME, "usernames"))),
    "figures": ({"storages"}, lambda d: Figures(_texts(d["storages"], STORAGE, "storages"))),
    "empty_grave": ({"storage"}, lambda d: EmptyGrave(_text(d["storage"], STORAGE, "storage"))),
    "programs": (set(), lambda _: Programs()),
    "control": ({"program", "action"}, _control),
}
