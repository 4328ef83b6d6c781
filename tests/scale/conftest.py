"""Large tests have a database of their own: even the rows of a transaction that was rolled back slow others down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests.databases import Databases


@pytest.fixture(scope="module")
def django_db_setup(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """It takes the place of the session's."""
    with databases.for_django(tmp_path_factory.mktemp("database"), django_db_blocker):
        yield
