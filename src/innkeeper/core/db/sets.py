"""Sets of values and of rows in hand-written SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection

from innkeeper.core.db.statements import execute


def among(column: str, values: Sequence[int] | Sequence[str]) -> tuple[str, Any]:
    """The condition `column` IN `values`, as text and its one parameter.

    One parameter for any number of values, so that no engine's bound on parameters is met. There are two texts, for
    one value and for more: neither engine has to plan a set for one. Both look each value up in the column's index.
    """
    if len(values) == 1:
        return f"{column} = %s", values[0]
    if connection.vendor == "postgresql":
        return f"{column} = ANY(%s)", list(values)
    return f"{column} IN (SELECT value FROM json_each(%s))", json.dumps(list(values))


def looked_up(table: str, column: str, values: Sequence[str]) -> tuple[str, str, Any]:
    """The rows of a table whose `column` is among `values`: the beginning of FROM, that of WHERE, and their parameter.

    For many values: SQLite looks each up as it reads them, where `among` has it sort them first.
    """
    if connection.vendor == "postgresql":
        return table, *among(column, values)
    return f"json_each(%s) wanted CROSS JOIN {table}", f"{column} = wanted.value", json.dumps(values)


def execute_each(statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Execute a statement with each of the rows of parameters."""
    if not rows:
        return
    if len(rows) == 1:
        execute(statement, rows[0], by_key=True)  # psycopg's executemany takes more round trips
        return
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)


def insert(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows, each with its values in the order of the columns.

    On PostgreSQL many rows go by COPY, which plans nothing a row.
    """
    if not rows:
        return
    names = ", ".join(columns)
    if connection.vendor == "postgresql" and len(rows) > 1:
        copy = f"COPY {table} ({names}) FROM STDIN"
        with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(copy) as stream:
            for row in rows:
                stream.write_row(row)
    else:
        execute_each(f"INSERT INTO {table} ({names}) VALUES ({', '.join(['%s'] * len(columns))})", rows)
