"""What commands print.

Texts come from customers and their mail users too, and are read at root's terminal: control characters, and those that
turn the direction of writing around, are shown as `\\xNN` and the like, never sent.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

_TURNING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROL = (*range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x2029, *_TURNING)
_SHOWN = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _CONTROL}
_IN_JSON = {code: f"\\u{code:04x}" for code in _CONTROL}


def printable(text: str) -> str:
    """A text that is harmless at a terminal."""
    return text.translate(_SHOWN)


def line(text: str) -> None:
    """One line for people or scripts."""
    sys.stdout.write(printable(text) + "\n")


def lines(text: str) -> None:
    """Several lines."""
    for one in text.split("\n"):
        line(one)


def as_json(value: Any) -> None:
    """One JSON value on a line of its own."""
    sys.stdout.write(json_text(value) + "\n")


def json_text(value: Any) -> str:
    """JSON that is readable, and harmless at a terminal."""
    any_character = sys.stdout.encoding.lower() in ("utf-8", "utf8")
    return json.dumps(value, ensure_ascii=not any_character).translate(_IN_JSON)


def failure(message: str, code: int, field: str | None, *, as_object: bool) -> None:
    """Say why a command failed: one line on standard error, and an object on standard output if that was asked for."""
    text = " ".join(message.split())
    if field and field not in text:
        text = f"{field}: {text}"
    sys.stderr.write(f"innkeeper: {text.translate(_SHOWN)}\n")
    if as_object:
        as_json({"error": {"exit": code, "field": field, "message": text}})


def fields(result: dict[str, Any]) -> None:
    """One object, a line for each of its values."""
    for name, value in result.items():
        if isinstance(value, dict):
            fields(value)
        elif isinstance(value, list):
            line(f"{name}: {', '.join(map(str, value)) or '-'}")
        else:
            line(f"{name}: {json_text(value) if isinstance(value, bool) else value}")


def plan(result: dict[str, Any], *, as_object: bool) -> None:
    """What a command would have done."""
    if as_object:
        as_json(result)
        return
    changes = result["plan"]
    for change in changes:
        detail = f" ({change['detail']})" if change["detail"] else ""
        line(f"would do {change['operation']} on {change['object_type']} {change['object_name']}{detail}")
    if not changes:
        line("would change nothing")


class Rows:
    """Rows of an answer, printed as they come: a JSON array in an object, or lines."""

    def __init__(self, name: str, shown: Callable[[dict[str, Any]], str], *, as_object: bool) -> None:
        self._name, self._shown, self._as_object = name, shown, as_object
        self._count = 0

    def take(self, rows: list[dict[str, Any]]) -> None:
        """Print some rows."""
        if self._as_object:
            for row in rows:
                sys.stdout.write(", " if self._count else f'{{"{self._name}": [')
                sys.stdout.write(json_text(row))
                self._count += 1
        else:
            sys.stdout.write("".join(self._shown(row).translate(_SHOWN) + "\n" for row in rows))
            self._count += len(rows)

    def end(self) -> None:
        """Close what was begun."""
        if self._as_object:
            line("]}" if self._count else f'{{"{self._name}": []}}')
