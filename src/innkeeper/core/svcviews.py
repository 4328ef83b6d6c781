"""The views through which Postfix and Dovecot look accounts up, as migration operations.

A migration that touches a table under a view starts with `DropServiceViews()` and ends with
`CreateServiceViews({...})`. Migrations are atomic on both engines, so no look-up ever meets a missing view: Postfix
would die of one for a minute. Each migration carries its own full set of definitions, because an older migration must
keep describing the tables as they were.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

PREFIX = "svc_"


def existing_views(editor: BaseDatabaseSchemaEditor) -> list[str]:
    """Names of the service views in the database, sorted."""
    with editor.connection.cursor() as cursor:
        tables = editor.connection.introspection.get_table_list(cursor)
    return sorted(t.name for t in tables if t.type == "v" and t.name.startswith(PREFIX))


class DropServiceViews(Operation):
    """Drop every service view."""

    reduces_to_sql = True
    reversible = True

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        for view in existing_views(schema_editor):
            schema_editor.execute(f"DROP VIEW {schema_editor.quote_name(view)}")

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        pass

    def describe(self) -> str:
        return "Drop the service views"


class CreateServiceViews(Operation):
    """Create the service views, and let the daemons' role read them on PostgreSQL.

    `views` maps names to SELECT statements that both engines understand.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, views: dict[str, str]) -> None:
        self.views = views

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        role = settings.INNKEEPER_LOOKUP_ROLE
        for name, select in self.views.items():
            if not name.startswith(PREFIX):
                raise ValueError(f"{name}: a service view is called {PREFIX}*")
            view = schema_editor.quote_name(name)
            schema_editor.execute(f"CREATE VIEW {view} AS {select}")
            if role and schema_editor.connection.vendor == "postgresql":
                schema_editor.execute(f"GRANT SELECT ON {view} TO {schema_editor.quote_name(role)}")

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        for name in reversed(self.views):
            schema_editor.execute(f"DROP VIEW IF EXISTS {schema_editor.quote_name(name)}")

    def describe(self) -> str:
        return "Create the service views"
