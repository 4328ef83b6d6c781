"""How many messages an account, its site and its webspace may send: a sliding hour, counted outside the panel's tables.

On SQLite the counters are a file of the policy service's own; on PostgreSQL a table in a schema of its own, so that
several nodes count together.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Protocol

from innkeeper.components.drivers.postfix_dovecot.lookups import LookupFailed, Lookups, PostgreSQLLookups

WINDOW_S = 3600
SCHEMA = "innkeeper_policy"
LIMITS = "messages_per_hour, site, site_messages_per_hour, webspace_id, webspace_messages_per_hour"


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit: whose messages are counted together, how many an hour may be sent, and how a refusal names them."""

    key: str
    limit: int
    name: str


class Counters(Protocol):
    """Counts messages in the window."""

    def take(self, bounds: Sequence[Bound], now: float) -> Bound | None:
        """Count one message for every bound, unless that would go over one: that one then. Raises LookupFailed."""


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

    def take(self, bounds: Sequence[Bound], now: float) -> Bound | None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                for bound in bounds:
                    self._connection.execute(
                        "DELETE FROM sent WHERE login = ? AND at <= ?", (bound.key, now - WINDOW_S)
                    )
                    count = self._connection.execute("SELECT count(*) FROM sent WHERE login = ?", (bound.key,))
                    if count.fetchone()[0] >= bound.limit:
                        return bound
                self._connection.executemany(
                    "INSERT INTO sent (login, at) VALUES (?, ?)", [(bound.key, now) for bound in bounds]
                )
            finally:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise LookupFailed(str(error)) from error
        return None


class PostgreSQLCounters:
    """Counters in the policy role's own schema, which `up` makes."""

    def __init__(self, lookups: PostgreSQLLookups) -> None:
        self._lookups = lookups

    def take(self, bounds: Sequence[Bound], now: float) -> Bound | None:
        import psycopg

        try:
            connection = self._lookups.connection()
            with connection.transaction():
                # Two nodes that count at the same time would otherwise both see room. In one order: they would wait
                # for each other for ever.
                for bound in sorted(bounds, key=attrgetter("key")):
                    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (bound.key,))
                for bound in bounds:
                    connection.execute(
                        f"DELETE FROM {SCHEMA}.sent WHERE login = %s AND at <= %s", (bound.key, now - WINDOW_S)
                    )
                    count = connection.execute(f"SELECT count(*) FROM {SCHEMA}.sent WHERE login = %s", (bound.key,))
                    if count.fetchone()[0] >= bound.limit:
                        return bound
                connection.cursor().executemany(
                    f"INSERT INTO {SCHEMA}.sent (login, at) VALUES (%s, %s)", [(bound.key, now) for bound in bounds]
                )
        except psycopg.Error as error:
            self._lookups.drop()
            raise LookupFailed(str(error)) from error
        return None


class OutgoingLimit:
    """Decides over one message of an authenticated account."""

    def __init__(self, lookups: Lookups, counters: Counters, clock: Callable[[], float] = time.time) -> None:
        self._lookups = lookups
        self._counters = counters
        self._clock = clock

    def refusal(self, login: str) -> str | None:
        """What to answer instead of taking the message; None lets it pass and counts it. Raises LookupFailed."""
        bounds = self._bounds(login)
        reached = self._counters.take(bounds, self._clock()) if bounds else None
        if reached is None:
            return None
        return f"450 4.7.1 {reached.name} may send {reached.limit} messages an hour and has sent them; try again later"

    def _bounds(self, login: str) -> list[Bound]:
        rows = self._lookups.rows(LIMITS, "svc_mail_outgoing", login)
        if not rows:
            return []
        own, site, of_site, webspace, of_webspace = rows[0]
        bounds = [
            Bound(login, int(own), login),
            Bound(f"@{site}", int(of_site), site),
            Bound(f"webspace {webspace}", int(of_webspace), f"the webspace of {site}"),
        ]
        return [bound for bound in bounds if bound.limit >= 0]
