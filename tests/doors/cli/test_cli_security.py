"""What the program of rules asks of a running instance."""

from __future__ import annotations

from cli_panel import Panel

from innkeeper.doors.cli.client import ask
from innkeeper.hostd.hosting_accounts import Spec


def test_the_listener_tells_hosting_accounts_as_they_are_placed(panel: Panel, shared_site: str) -> None:
    rows: list[dict[str, object]] = []
    result = ask(str(panel.state), {"command": "security.accounts"}, on_rows=rows.extend)
    assert result["count"] == len(rows)
    for row in rows:
        Spec(**row)  # type: ignore[arg-type]
