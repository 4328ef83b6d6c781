"""The root process of no instance: it does nothing, and remembers what it was asked for."""

from __future__ import annotations

from collections.abc import Mapping


class NullHostd:
    """Stands in for hostd's client where services are controlled. Its programs are in the states that it is given."""

    def __init__(self, *, fails: bool = False, states: Mapping[str, str] | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self._fails = fails
        self._states = states or {}

    def programs(self) -> dict[str, dict[str, str]]:
        return {name: {"state": state} for name, state in self._states.items()}

    def control(self, program: str, action: str) -> None:
        if self._fails:
            raise OSError("nobody listens")
        self.asked.append((program, action))
