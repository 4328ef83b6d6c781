"""How the service views are asked, and the policy service's own look-ups in them, on both engines.

A connection that broke is opened again at the next look-up.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Literal, Protocol

CONNECT_TIMEOUT_S = 2

KEYS = {
    "svc_mail_domain": "name",
    "svc_mail_recipient": "address",
    "svc_mail_mailbox": "address",
    "svc_mail_alias": "source",
    "svc_mail_catchall": "source",
    "svc_mail_bounce": "source",
    "svc_mail_transport": "address",
    "svc_mail_sender": "sender",
    "svc_mail_login": "username",
    "svc_mail_user": "username",
    "svc_mail_outgoing": "login",
    "svc_mail_international": "name",
    "svc_mail_sieve_name": "username",
    "svc_mail_sieve_data": "username",
}
"""The column by which each service view is asked."""

UNLIMITED = "*:bytes=0"
"""The rule of a mailbox that is never full: Dovecot need not be asked."""


def select(driver: Literal["sqlite", "pgsql"], columns: str, view: str, key: str) -> str:
    """The statement that looks up a key, which is given as SQL writes it.

    PostgreSQL has a function for it that keeps its plan: making one takes longer than the look-up.
    """
    return f"SELECT {columns} FROM " + (f"{view}({key})" if driver == "pgsql" else f"{view} WHERE {KEYS[view]} = {key}")


class LookupFailed(Exception):
    """The database could not be asked."""


class Lookups(Protocol):
    """Reads the service views."""

    def rows(self, columns: str, view: str, key: str) -> list[tuple[Any, ...]]:
        """The rows of a view that a key has. Raises LookupFailed."""


class SQLiteLookups:
    """The panel's file, opened to read only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def rows(self, columns: str, view: str, key: str) -> list[tuple[Any, ...]]:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(
                    f"file:{self._path}?mode=ro", uri=True, isolation_level=None, timeout=CONNECT_TIMEOUT_S
                )
            return self._connection.execute(select("sqlite", columns, view, "?"), (key,)).fetchall()
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

    def rows(self, columns: str, view: str, key: str) -> list[tuple[Any, ...]]:
        import psycopg

        try:
            cursor = self.connection().execute(select("pgsql", columns, view, "%s"), (key,))
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
