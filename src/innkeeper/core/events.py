"""The form of a control-panel event. All are declared in `innkeeper.events.catalogue`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

# Made once: `json.dumps` makes a new encoder at each call that asks for something special.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Kind = Literal["create", "change", "delete"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value of an event, known outside as `old_NAME` and `new_NAME`.

    A `required` parameter always has a value on the sides that the event's kind has. A `secret` one never enters the
    outbox here, so it is empty even if it is required. `synonyms` are other names under which the same value is given.
    `default` is the value on such a side where the operation gives none.
    """

    name: str
    label: str
    required: bool = False
    secret: bool = False
    synonyms: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True)
class EventType:
    """One event: what it says, its object and its parameters.

    `create` leaves every old value empty, `delete` every new one. `is_raised` says that an operation records it.
    """

    name: str
    description: str
    object_type: str
    kind: Kind
    parameters: tuple[Parameter, ...]
    synonyms: tuple[str, ...] = ()
    is_raised: bool = False

    def encode(self, old: Mapping[str, object], new: Mapping[str, object]) -> str:
        """The JSON text of all parameters, for the outbox. Values are keyed without `old_` and `new_`.

        Values become text: booleans `true`/`false`, None the empty string. Raises ValueError for a parameter that is
        unknown, missing, or secret and not empty.
        """
        for side, values, empty in (("old", old, "create"), ("new", new, "delete")):
            if not values.keys() <= self._known:
                raise ValueError(f"{self.name}: unknown parameter {sorted(values.keys() - self._known)}")
            if self.kind == empty:
                if values:
                    raise ValueError(f"{self.name}: a {self.kind} event has no {side} values")
            elif not self._needed <= values.keys():
                raise ValueError(f"{self.name}: missing {side} parameter {sorted(self._needed - values.keys())}")
            for name in self._secret:
                if values.get(name):
                    raise ValueError(f"{self.name}: {side} parameter {name} is secret")
        result: dict[str, str] = {}
        for parameter in self.parameters:
            before = "" if self.kind == "create" else _text(old.get(parameter.name, parameter.default))
            after = "" if self.kind == "delete" else _text(new.get(parameter.name, parameter.default))
            for name in (parameter.name, *parameter.synonyms):
                result[f"old_{name}"] = before
                result[f"new_{name}"] = after
        return _encode(result)

    def new_secrets(self, values: Mapping[str, str]) -> dict[str, str]:
        """New passwords by their outside names. Raises ValueError for what is no secret parameter."""
        if self.kind == "delete" or not values.keys() <= set(self._secret):
            raise ValueError(f"{self.name}: {sorted(values)} are no secrets of this event")
        return {
            f"new_{name}": values[each.name]
            for each in self.parameters
            if each.name in values
            for name in (each.name, *each.synonyms)
        }

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(parameter.name for parameter in self.parameters)

    @cached_property
    def _needed(self) -> frozenset[str]:
        return frozenset(each.name for each in self.parameters if each.required and not each.secret)

    @cached_property
    def _secret(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters if parameter.secret)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
