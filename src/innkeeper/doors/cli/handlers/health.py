"""What needs the administrator's attention."""

from __future__ import annotations

from dataclasses import asdict

from innkeeper.doors.cli.handlers import Handler, Request, Result
from innkeeper.upkeep.health import entries


def health(request: Request) -> Result:
    """Every entry, and whether all is well."""
    found = entries()
    return {"ok": all(entry.ok for entry in found), "entries": [asdict(entry) for entry in found]}


HANDLERS: dict[str, Handler] = {"health.show": health}
