"""How many messages an account may send: a sliding hour, counted outside the panel's tables.

On SQLite the counters are a file of the policy service's own; on PostgreSQL a table in a schema of its own, so that
several nodes count together.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from innkeeper.components.drivers.postfix_dovecot.lookups import LookupFailed, Lookups, PostgreSQLLookups

WINDOW_S = 3600
UNLIMITED = -1
SCHEMA = "innkeeper_policy"


class Counters(Protocol):
    """Counts messages in the window."""

    def take(self, login: str, limit: int, now: float) -> bool:
        """Count one message, unless that would go over the limit. Raises LookupFailed."""


class SQLiteCounters:
    """Counters in a file that only the policy service opens."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.executescript(
            # A crash of the machine may lose the last messages of the count, never the file.
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
            "CREATE TABLE IF NOT EXISTS sent (login TEXT NOT NULL, at REAL NOT NULL);"
            "CREATE INDEX IF NOT EXISTS sent_login_at ON sent (login, at);"
        )

    def take(self, login: str, limit: int, now: float) -> bool:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.execute("DELETE FROM sent WHERE login = ? AND at <= ?", (login, now - WINDOW_S))
                (count,) = self._connection.execute("SELECT count(*) FROM sent WHERE login = ?", (login,)).fetchone()
                granted = bool(count < limit)
                if granted:
                    self._connection.execute("INSERT INTO sent (login, at) VALUES (?, ?)", (login, now))
            finally:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise LookupFailed(str(error)) from error
        return granted


class PostgreSQLCounters:
    """Counters in the policy role's own schema, which `up` makes."""

    def __init__(self, lookups: PostgreSQLLookups) -> None:
        self._lookups = lookups

    def take(self, login: str, limit: int, now: float) -> bool:
        import psycopg

        try:
            connection = self._lookups.connection()
            with connection.transaction():
                # Two nodes that count one account at the same time would otherwise both see room.
                connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (login,))
                connection.execute(f"DELETE FROM {SCHEMA}.sent WHERE login = %s AND at <= %s", (login, now - WINDOW_S))
                (count,) = connection.execute(
                    f"SELECT count(*) FROM {SCHEMA}.sent WHERE login = %s", (login,)
                ).fetchone()
                granted = bool(count < limit)
                if granted:
                    connection.execute(f"INSERT INTO {SCHEMA}.sent (login, at) VALUES (%s, %s)", (login, now))
        except psycopg.Error as error:
            self._lookups.drop()
            raise LookupFailed(str(error)) from error
        return granted


class OutgoingLimit:
    """Decides over one message of an authenticated account."""

    def __init__(self, lookups: Lookups, counters: Counters, clock: Callable[[], float] = time.time) -> None:
        self._lookups = lookups
        self._counters = counters
        self._clock = clock

    def refusal(self, login: str) -> str | None:
        """What to answer instead of taking the message; None lets it pass and counts it. Raises LookupFailed."""
        rows = self._lookups.rows("SELECT messages_per_hour FROM svc_mail_outgoing WHERE login = ?", (login,))
        limit = int(rows[0][0]) if rows and rows[0][0] is not None else UNLIMITED
        if limit < 0 or self._counters.take(login, limit, self._clock()):
            return None
        return f"450 4.7.1 {login} may send {limit} messages an hour and has sent them; try again later"
