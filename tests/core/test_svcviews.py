"""Every migration keeps the views that the daemons read whole."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import CreateModel, RunPython, RunSQL
from django.db.migrations.operations.base import Operation

from innkeeper.core.svcviews import PREFIX, CreateServiceViews, DropServiceViews

# What the views read. Migrations before the first views are free.
VIEWED_APPS = {"core", "hosting", "mail"}
FIRST = ("mail", "0002_service_views")
UNSEEN = {("core", "outboxevent")}
"""Tables of these apps that no view reads."""


def touches_a_viewed_table(app: str, operation: Operation) -> bool:
    if isinstance(operation, DropServiceViews | CreateServiceViews | RunPython | RunSQL):
        return False
    # A new table is under no view yet.
    return not isinstance(operation, CreateModel) and (app, getattr(operation, "model_name", "")) not in UNSEEN


def test_migrations_after_the_first_views_drop_them_first_and_create_them_last() -> None:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    before = set(loader.graph.forwards_plan(FIRST))
    for key, migration in loader.disk_migrations.items():
        app, name = key
        if app not in VIEWED_APPS or (key in before and key != FIRST):
            continue
        operations = migration.operations
        if not any(touches_a_viewed_table(app, o) for o in operations) and key != FIRST:
            continue
        assert isinstance(operations[0], DropServiceViews), f"{app}.{name}"
        assert isinstance(operations[-1], CreateServiceViews), f"{app}.{name}"
        assert migration.atomic, f"{app}.{name}"


@pytest.mark.django_db
def test_the_views_exist() -> None:
    with connection.cursor() as cursor:
        tables = connection.introspection.get_table_list(cursor)
    assert len([t for t in tables if t.type == "v" and t.name.startswith(PREFIX)]) == 13
