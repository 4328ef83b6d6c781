"""What commands print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any


def line(text: str) -> None:
    """One line for people or scripts."""
    sys.stdout.write(text + "\n")


def as_json(value: Any) -> None:
    """One JSON value on a line of its own."""
    line(json.dumps(value, ensure_ascii=False))


def failure(message: str, code: int, field: str | None, *, as_object: bool) -> None:
    """Say why a command failed: one line on standard error, and an object on standard output if that was asked for."""
    text = " ".join(message.split())
    if field and field not in text:
        text = f"{field}: {text}"
    sys.stderr.write(f"innkeeper: {text}\n")
    if as_object:
        as_json({"error": {"exit": code, "field": field, "message": text}})


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
                sys.stdout.write(json.dumps(row, ensure_ascii=False))
                self._count += 1
        else:
            sys.stdout.write("".join(self._shown(row) + "\n" for row in rows))
            self._count += len(rows)

    def end(self) -> None:
        """Close what was begun."""
        if self._as_object:
            line("]}" if self._count else f'{{"{self._name}": []}}')
