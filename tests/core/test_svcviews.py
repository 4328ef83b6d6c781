"""Every migration keeps the views that the daemons read whole."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import CreateModel, RunPython, RunSQL
from django.db.migrations.operations.base import Operation

from benchmarks.population import populate
from innkeeper.accounts.operations import create_administrator
from innkeeper.components.drivers.postfix_dovecot.lookups import KEYS
from innkeeper.core.svcviews import PREFIX, CreateServiceViews, DropServiceViews

# What the views read. Migrations before the first views are free.
VIEWED_APPS = {"core", "hosting", "mail"}
FIRST = ("mail", "0002_service_views")
UNSEEN = {("core", "outboxevent"), ("hosting", "webspacelimit")}
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


def test_the_daemons_ask_by_the_columns_that_the_newest_migration_names() -> None:
    loader = MigrationLoader(None, ignore_no_migrations=True)
    newest = next(
        operation
        for key in reversed(loader.graph.forwards_plan(loader.graph.leaf_nodes("mail")[0]))
        for operation in loader.disk_migrations[key].operations
        if isinstance(operation, CreateServiceViews)
    )
    assert newest.keys == KEYS


@pytest.mark.django_db
def test_on_postgresql_a_view_that_is_asked_by_a_key_has_a_function_that_answers_the_same() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no functions")
    create_administrator("Kx4!paper-Moon")
    with connection.cursor() as cursor:
        populate(cursor, connection.vendor, sites=2, accounts=100, password="{BLF-CRYPT}none")
        for view, key in KEYS.items():
            cursor.execute(f"SELECT {key} FROM {view} UNION SELECT 'nobody' ORDER BY 1")
            for (value,) in cursor.fetchall():
                cursor.execute(f"SELECT * FROM {view} WHERE {key} = %s", [value])
                rows, columns = cursor.fetchall(), [c.name for c in cursor.description]
                cursor.execute(f"SELECT * FROM {view}(%s)", [value])
                assert (cursor.fetchall(), [c.name for c in cursor.description]) == (rows, columns), view


@pytest.mark.django_db(transaction=True)
def test_functions_are_replaced_in_place_and_none_is_left_over() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no functions")

    def functions() -> dict[str, int]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT proname, oid FROM pg_proc WHERE starts_with(proname, %s)", [PREFIX])
            return dict(cursor.fetchall())

    def create(views: dict[str, str], keys: dict[str, str]) -> None:
        with connection.schema_editor(atomic=True) as editor:
            DropServiceViews().database_forwards("mail", editor, None, None)
            CreateServiceViews(views, keys).database_forwards("mail", editor, None, None)

    newest = import_module("innkeeper.mail.migrations.0006_kept_plans_of_replies")
    before = functions()
    try:
        create(newest.VIEWS, newest.KEYS)
        assert functions() == before
        other = {"svc_mail_domain": "SELECT ascii_name AS name, id FROM hosting_site"}
        create(other, {"svc_mail_domain": "name"})
        assert functions().keys() == {"svc_mail_domain"}
    finally:
        create(newest.VIEWS, newest.KEYS)
    assert functions().keys() == before.keys()


@pytest.mark.django_db
def test_the_views_exist() -> None:
    with connection.cursor() as cursor:
        tables = connection.introspection.get_table_list(cursor)
    assert len([t for t in tables if t.type == "v" and t.name.startswith(PREFIX)]) == 14
