"""The policy service's own look-ups in the panel's database, on both engines.

Statements take `?` for their values. A connection that broke is opened again at the next statement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

CONNECT_TIMEOUT_S = 2


class LookupFailed(Exception):
    """The database could not be asked."""


class Lookups(Protocol):
    """Reads the service views."""

    def rows(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """All rows of a SELECT. Raises LookupFailed."""


class SQLiteLookups:
    """The panel's file, opened to read only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def rows(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(
                    f"file:{self._path}?mode=ro", uri=True, isolation_level=None, timeout=CONNECT_TIMEOUT_S
                )
            return self._connection.execute(statement, tuple(values)).fetchall()
        except sqlite3.Error as error:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            raise LookupFailed(str(error)) from error


class PostgreSQLLookups:
    """A PostgreSQL database, named by the URL that a file holds."""

    def __init__(self, url_file: Path) -> None:
        self._url_file = url_file
        self._connection: Any = None

    def connection(self) -> Any:
        """The open connection, in autocommit. Raises LookupFailed."""
        import psycopg

        if self._connection is None or self._connection.closed:
            try:
                self._connection = psycopg.connect(
                    self._url_file.read_text().strip(), autocommit=True, connect_timeout=CONNECT_TIMEOUT_S
                )
            except (psycopg.Error, OSError) as error:
                raise LookupFailed(type(error).__name__) from None  # the text may name the password
        return self._connection

    def rows(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        import psycopg

        try:
            cursor = self.connection().execute(statement.replace("?", "%s"), tuple(values))
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        except psycopg.Error as error:
            self.drop()
            raise LookupFailed(str(error)) from error
        return rows

    def drop(self) -> None:
        """Forget the connection after an error."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
