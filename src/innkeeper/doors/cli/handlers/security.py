"""What `innkeeper security` asks of a running instance."""

from __future__ import annotations

from dataclasses import asdict

from innkeeper.doors.cli.handlers import Handler, Request, Result
from innkeeper.hosting.placement import hosting_accounts


def accounts(request: Request) -> Result:
    """Every hosting account, as it is placed on the machine."""
    specs = hosting_accounts()
    request.send_rows(asdict(spec) for spec in specs)
    return {"count": len(specs)}


HANDLERS: dict[str, Handler] = {"security.accounts": accounts}
