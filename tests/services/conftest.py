"""One private instance for each engine and session; sites are new for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

import pytest

from services.cluster import Cluster
from services.private import Account, PrivateInstance, Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_databases = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "services" in item.path.parts:
            item.add_marker(pytest.mark.service)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server of the tests' own."""
    with Cluster() as running:
        yield running


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """The database engine that the instance runs on."""
    return str(request.param)


@pytest.fixture(scope="session")
def instance(engine: str, request: pytest.FixtureRequest) -> Iterator[PrivateInstance]:
    """A running instance on each engine. Tests leave it up."""
    if os.geteuid() != 0:
        pytest.skip("starts real daemons: run as root")
    url = request.getfixturevalue("cluster").database(f"service{next(_databases)}") if engine == "postgresql" else ""
    private = PrivateInstance(url)
    try:
        private.up()
        yield private
    finally:
        private.down()


@pytest.fixture(scope="session")
def home(instance: PrivateInstance) -> Site:
    """A webspace that the tests' sites belong to."""
    return instance.webspace(Site.fresh_name("home"))


@pytest.fixture
def site(instance: PrivateInstance, home: Site) -> Site:
    """A site of the test's own."""
    return instance.site(Site.fresh_name(), home)


@pytest.fixture
def charlie(instance: PrivateInstance, home: Site) -> Account:
    """A correspondent on another site, who can read what comes back to him."""
    return instance.site(Site.fresh_name("elsewhere"), home).account("charlie")


@pytest.fixture
def page(instance: PrivateInstance, chromium: Browser) -> Iterator[Page]:
    """The panel in a browser, in which the administrator has logged in."""
    address = f"https://127.0.0.1:{instance.ports['panel']}"
    with chromium.new_context(base_url=address, ignore_https_errors=True) as context:
        found = context.new_page()
        found.set_default_timeout(10_000)
        found.goto("/login/")
        found.get_by_label("User name or mail address").fill("admin")
        found.get_by_label("Password").fill(instance.panel.password)
        found.get_by_role("button", name="Log in").click()
        found.wait_for_url("**/mail/")
        yield found
