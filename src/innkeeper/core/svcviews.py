"""The views through which Postfix and Dovecot look accounts up, as migration operations.

A migration that touches a table under a view starts with `DropServiceViews()` and ends with
`CreateServiceViews({...})`. Migrations are atomic on both engines, so no look-up ever meets a missing view: Postfix
would die of one for a minute. Each migration carries its own full set of definitions, because an older migration must
keep describing the tables as they were.

PostgreSQL plans each look-up of the daemons anew, which takes ten times as long as the look-up. So there a view that
is asked by a key has a function of its name, `svc_mail_alias('KEY')`, whose plan each connection makes once. A function
reads its view with the rights of its caller, and finds it by name: a migration replaces it in place, so that a look-up
that was under way meets it before and after.
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


def existing_functions(editor: BaseDatabaseSchemaEditor) -> dict[str, str]:
    """The functions of service views in a PostgreSQL database, with what each returns."""
    with editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname, pg_get_function_result(oid) FROM pg_proc"
            " WHERE pronamespace = current_schema()::regnamespace AND starts_with(proname, %s)",
            [PREFIX],
        )
        return dict(cursor.fetchall())


def _columns(editor: BaseDatabaseSchemaEditor, view: str) -> dict[str, str]:
    """The columns of a view on PostgreSQL, in their order, with their types."""
    with editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
            [view],
        )
        return dict(cursor.fetchall())


class DropServiceViews(Operation):
    """Drop every service view. Functions stay: what follows replaces them."""

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
    """Create the service views and, on PostgreSQL, their functions; let the daemons' role use both there.

    `views` maps names to SELECT statements that both engines understand, `keys` names the column by which a view is
    asked.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, views: dict[str, str], keys: dict[str, str] | None = None) -> None:
        self.views = views
        self.keys = keys or {}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        for name, select in self.views.items():
            if not name.startswith(PREFIX):
                raise ValueError(f"{name}: a service view is called {PREFIX}*")
            schema_editor.execute(f"CREATE VIEW {name} AS {select}")
        if schema_editor.connection.vendor == "postgresql":
            self._put_functions(schema_editor)
            if settings.INNKEEPER_LOOKUP_ROLE:
                role = schema_editor.quote_name(settings.INNKEEPER_LOOKUP_ROLE)
                for name in self.views:
                    schema_editor.execute(f"GRANT SELECT ON {name} TO {role}")
                for name in self.keys:
                    schema_editor.execute(f"GRANT EXECUTE ON FUNCTION {name}(text) TO {role}")

    def _put_functions(self, editor: BaseDatabaseSchemaEditor) -> None:
        """Replace every function by one of the views as they are now."""
        results = existing_functions(editor)
        for name, key in self.keys.items():
            columns = _columns(editor, name)
            result = f"TABLE({', '.join(f'{column} {kind}' for column, kind in columns.items())})"
            if name in results and results.pop(name) != result:
                editor.execute(f"DROP FUNCTION {name}(text)")
            editor.execute(
                f"CREATE OR REPLACE FUNCTION {name}(text) RETURNS {result} LANGUAGE plpgsql STABLE AS $function$"
                f" #variable_conflict use_column\n"
                f" BEGIN RETURN QUERY SELECT {', '.join(columns)} FROM {name} WHERE {key} = $1; END $function$"
            )
        for name in results:
            editor.execute(f"DROP FUNCTION {name}(text)")

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            for name in existing_functions(schema_editor):
                schema_editor.execute(f"DROP FUNCTION {name}(text)")
        for name in reversed(self.views):
            schema_editor.execute(f"DROP VIEW IF EXISTS {name}")

    def describe(self) -> str:
        return "Create the service views"
