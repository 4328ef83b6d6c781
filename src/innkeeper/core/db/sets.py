"""Sets of values and of rows in hand-written SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

from django.db import connection

from innkeeper.core.db.statements import database, execute


def among(column: str, values: Sequence[int] | Sequence[str]) -> tuple[str, Any]:
    """The condition `column` IN `values`, as text and its one parameter.

    One parameter for any number of values, so that no engine's bound on parameters is met. There are two texts, for
    one value and for more: neither engine has to plan a set for one. Both look each value up in the column's index.
    """
    if len(values) == 1:
        return f"{column} = %s", values[0]
    if database().vendor == "postgresql":
        return f"{column} = ANY(%s)", _array(values)
    return f"{column} IN (SELECT value FROM json_each(%s))", json.dumps(list(values))


def _array(values: Sequence[int] | Sequence[str]) -> str:
    """An array as PostgreSQL reads it. psycopg writes one value by value, which takes longer than to look it up."""
    if not values or isinstance(values[0], int):
        return f"{{{','.join(map(str, values))}}}"
    texts = cast(Sequence[str], values)
    together = '","'.join(texts)
    if "\\" in together or together.count('"') > 2 * len(texts) - 2:
        together = '","'.join(text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return f'{{"{together}"}}'


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


def insert(table: str, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows, each with its values in the order of the columns.

    On PostgreSQL many rows go by COPY, which plans nothing a row.
    """
    if not rows:
        return
    if len(rows) > 1 and database().vendor == "postgresql":
        copy = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(copy) as stream:
            for row in rows:
                stream.write_row(row)
    else:
        execute_each(insertion(table, columns), rows)


def insert_together(*inserts: tuple[str, tuple[str, ...], Sequence[Sequence[Any]]]) -> None:
    """`insert` for several tables; what refers from one to another is checked by the commit.

    PostgreSQL takes single rows in one statement: each of its own would take as long as all of them do.
    """
    if database().vendor == "postgresql" and all(len(rows) == 1 for _, _, rows in inserts):
        *first, last = (insertion(table, columns) for table, columns, _ in inserts)
        parts = ", ".join(f"part{number} AS ({statement})" for number, statement in enumerate(first))
        execute(f"WITH {parts} {last}", [value for _, _, (row,) in inserts for value in row], by_key=True)
        return
    for table, columns, rows in inserts:
        insert(table, columns, rows)


@lru_cache(maxsize=64)
def insertion(table: str, columns: tuple[str, ...]) -> str:
    """The statement that inserts one row."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
