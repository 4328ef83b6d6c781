"""What all tests share."""

from __future__ import annotations

import gc
import os
import re
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from django.conf import settings
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker
from xdist.scheduler import LoadScopeScheduling

from innkeeper.core import passwords
from tests import cheap_hashes
from tests.databases import Databases, drop_templates, empty_tables

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# How long an example takes tells of the machine.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")


# A shell starts what runs in its background with this ignored, and so would all that tests start be.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What is loaded until the first test runs stays until the end: no collection of garbage need look at it.
gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """From now on there is garbage."""
    gc.freeze()
    gc.enable()


class ByInstance(LoadScopeScheduling):
    """What stays in one process: the tests of an engine's instance, and those of any other file."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        engine = re.search(r"\[(sqlite|postgresql)\b", test)
        return engine[1] if engine else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByInstance | None:
    """`--dist loadscope` is by instance."""
    return ByInstance(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Makes databases with all tables."""
    own = tmp_path_factory.getbasetemp()
    return Databases(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture(scope="session")
def django_db_setup(
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """On SQLite it is a file, as in the product: threads and the writer's lock act alike there."""
    with databases.for_django(tmp_path_factory.mktemp("database"), django_db_blocker):
        yield


@pytest.fixture(scope="session", autouse=True)
def _few_rows_are_deleted() -> Iterator[None]:
    """After a test that commits. Django has PostgreSQL make every table anew, which takes longer than such a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _test: empty_tables())
        yield


@pytest.fixture(scope="session", autouse=True)
def _files(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings.INNKEEPER_FILES = tmp_path_factory.mktemp("files")


@pytest.fixture(scope="session", autouse=True)
def _cheap_hashes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, cost in cheap_hashes.COSTS.items():
            patch.setattr(passwords, name, cost)
        yield


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """The workers have ended by now."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        drop_templates()


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
