"""One listener serves all tests of the command line; each makes a site of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cli_panel import Panel

from tests.databases import Databases


@pytest.fixture(scope="session")
def panel(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Panel]:
    """A listener with an administrator, the customer `alice`, and no site yet."""
    state = tmp_path_factory.mktemp("state")
    with databases.fresh(state, "administered") as database:
        panel = Panel(state, database)
        panel.start()
        try:
            panel.ok("customer", "create", "alice", "--name", "Alice", env={"INNKEEPER_PASSWORD": "Kx4!paper"})
            yield panel
        finally:
            panel.end()


@pytest.fixture
def site(panel: Panel) -> str:
    """The name of a new site."""
    return panel.site()


@pytest.fixture(scope="session")
def shared_site(panel: Panel) -> str:
    """The name of a site with the account `joe`, for tests that change nothing."""
    name = panel.site()
    panel.ask("mail.create", address=f"joe@{name}", mailbox=True)
    return name
