"""The root process of no instance: it does nothing, and remembers what it was asked for."""

from __future__ import annotations


class NullHostd:
    """Stands in for hostd's client where services are controlled."""

    def __init__(self, *, fails: bool = False) -> None:
        self.asked: list[tuple[str, str]] = []
        self._fails = fails

    def control(self, program: str, action: str) -> None:
        if self._fails:
            raise OSError("nobody listens")
        self.asked.append((program, action))
