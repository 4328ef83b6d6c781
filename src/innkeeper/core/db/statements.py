"""Hand-written statements, without the layers of Django's cursors.

Those take three times as long as SQLite takes for a look-up by key, and on PostgreSQL they keep a statement from being
prepared. The backends of `core.db` offer `run` in their place; it looks after the connection, translates errors and
keeps the rules of transactions as cursors do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, cast

from django.db import DEFAULT_DB_ALIAS, connections

Row = tuple[Any, ...]
Rows = list[Row]


class Database(Protocol):
    """What the backends have beside Django's own, and what is used here of that."""

    vendor: str
    force_debug_cursor: bool
    execute_wrappers: list[Any]

    def run(self, statement: str, parameters: Sequence[Any], *, by_key: bool = False) -> Rows: ...
    def cursor(self) -> Any: ...
    def close_if_unusable_or_obsolete(self) -> None: ...
    def on_commit(self, func: Callable[[], None], *, robust: bool = False) -> None: ...


class _Local(threading.local):
    def __init__(self) -> None:
        self.database = cast(Database, connections[DEFAULT_DB_ALIAS])


_local = _Local()


def database() -> Database:
    """This thread's connection, which `django.db` takes ten times as long to find; a statement asks more than once."""
    return _local.database


def close_old_connection() -> None:
    """Before and after a request: close a connection that broke or grew old. Django's own looks for others, too."""
    _local.database.close_if_unusable_or_obsolete()


def now() -> Any:
    """The present moment, as a parameter."""
    moment = datetime.now(UTC)
    return str(moment)[: -len("+00:00")] if database().vendor == "sqlite" else moment


def execute(statement: str, parameters: Sequence[Any] = (), *, by_key: bool = False) -> Rows:
    """The rows of a statement with `%s` for its parameters; none of a statement that has no rows.

    `by_key` says that the plan is the same whatever the values and however full the tables: rows are found by a key, or
    inserted. PostgreSQL then makes it once a connection. Any other plan that it kept could be one for empty tables.
    """
    used = _local.database
    if used.execute_wrappers or used.force_debug_cursor:
        with used.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []
    return used.run(statement, parameters, by_key=by_key)
