"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.conf import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session", autouse=True)
def _database_in_a_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """SQLite tests run on a file of their own, as the product does: threads and the writer's lock act alike there."""
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        folder = tmp_path_factory.mktemp("database")
        database.setdefault("TEST", {})["NAME"] = str(folder / "panel.sqlite3")
    settings.INNKEEPER_FILES = tmp_path_factory.mktemp("files")
    yield


@pytest.fixture(autouse=True)
def _one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A door must not close the connection that holds the test's transaction; Django's test client does the same."""
    monkeypatch.setattr("innkeeper.doors.xmlapi.endpoint.close_old_connection", lambda: None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser of all tests that need one."""
    from tests.chromium import launched  # most tests need none, and it takes its time

    with launched() as browser:
        yield browser
