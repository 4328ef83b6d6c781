"""The form of a control-panel event. Each domain declares its own in its `events.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["create", "change", "delete"]


@dataclass(frozen=True, slots=True)
class EventType:
    """One event: its name, its object and its parameters (without `old_`/`new_`).

    `create` leaves every old value empty, `delete` every new one. `required` names must be given.
    """

    name: str
    object_type: str
    kind: Kind
    names: tuple[str, ...]
    required: frozenset[str] = frozenset()

    def parameters(self, old: Mapping[str, object], new: Mapping[str, object]) -> str:
        """The JSON text of all parameters. Raises ValueError for one that is unknown or missing.

        Values become text: booleans `true`/`false`, None the empty string.
        """
        for side, values, empty in (("old", old, "create"), ("new", new, "delete")):
            unknown = set(values) - set(self.names)
            if unknown:
                raise ValueError(f"{self.name}: unknown parameter {sorted(unknown)}")
            if self.kind == empty:
                if values:
                    raise ValueError(f"{self.name}: a {self.kind} event has no {side} values")
            elif missing := self.required - set(values):
                raise ValueError(f"{self.name}: missing {side} parameter {sorted(missing)}")
        result: dict[str, str] = {}
        for name in self.names:
            result[f"old_{name}"] = _text(old.get(name))
            result[f"new_{name}"] = _text(new.get(name))
        return json.dumps(result, ensure_ascii=False, separators=(",", ":"))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
