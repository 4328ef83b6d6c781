"""The people and objects of `packet_world`."""

from __future__ import annotations

from collections.abc import Iterator

import packet_world
import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker


@pytest.fixture(scope="module")
def module_world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Made once for a module: the transaction of each of its tests lies within this one."""
    with django_db_blocker.unblock(), transaction.atomic():
        packet_world.build()
        yield
        transaction.set_rollback(True)


@pytest.fixture
def world(module_world: None, db: None) -> None:
    """Everybody, with the first free id where the packets expect it."""
    packet_world.set_first_free_id()
