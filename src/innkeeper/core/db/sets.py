"""Sets of values and of rows in hand-written SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection


def among(column: str, values: Sequence[int] | Sequence[str]) -> tuple[str, Any]:
    """The condition `column` IN `values`, as text and its one parameter.

    One parameter for any number of values: the statement's text stays the same, so it is prepared once, and no
    engine's bound on parameters is met. Both engines look each value up in the column's index.
    """
    if connection.vendor == "postgresql":
        return f"{column} = ANY(%s)", list(values)
    return f"{column} IN (SELECT value FROM json_each(%s))", json.dumps(list(values))


def execute_each(statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Execute a statement with each of the rows of parameters."""
    if not rows:
        return
    with connection.cursor() as cursor:
        if len(rows) == 1:
            cursor.execute(statement, rows[0])  # psycopg's executemany takes more round trips
        else:
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
