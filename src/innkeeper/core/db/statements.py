"""Hand-written statements, without the layers of Django's cursors.

Those take three times as long as SQLite takes for a look-up by key, and on PostgreSQL they keep a statement from being
prepared. The backends of `core.db` offer `run` in their place; it looks after the connection, translates errors and
keeps the rules of transactions as cursors do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

from django.db import DEFAULT_DB_ALIAS, connections

Row = tuple[Any, ...]
Rows = list[Row]


class Runner(Protocol):
    """What the backends have beside Django's own."""

    def run(self, statement: str, parameters: Sequence[Any], *, by_key: bool = False) -> Rows: ...


def execute(statement: str, parameters: Sequence[Any] = (), *, by_key: bool = False) -> Rows:
    """The rows of a statement with `%s` for its parameters; none of a statement that has no rows.

    `by_key` says that the plan is the same whatever the values and however full the tables: rows are found by a key, or
    inserted. PostgreSQL then makes it once a connection. Any other plan that it kept could be one for empty tables.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.execute_wrappers or database.queries_logged:
        with database.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []
    return cast(Runner, database).run(statement, parameters, by_key=by_key)
