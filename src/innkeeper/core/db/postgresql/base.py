"""Django's PostgreSQL backend with prepared statements, and a look at the socket in place of a health check's query."""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus


class DatabaseWrapper(base.DatabaseWrapper):
    """PostgreSQL through psycopg."""

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        # Django's cursors put the values into the text and never prepare; this is for those of `run`.
        params["prepare_threshold"] = 0
        return params

    def run(self, statement: str, parameters: Sequence[Any], *, by_key: bool = False) -> list[tuple[Any, ...]]:
        """The rows of a statement, which is prepared on its first use if it is `by_key`. See `core.db.statements`."""
        self.close_if_health_check_failed()
        if self.connection is None:
            self.ensure_connection()
        if self.needs_rollback:
            self.validate_no_broken_transaction()
        try:
            with psycopg.Cursor(self.connection) as cursor:
                cursor.execute(statement, parameters, prepare=by_key)
                return cursor.fetchall() if cursor.description else []
        except psycopg.Error:
            with self.wrap_database_errors:
                raise

    def is_usable(self) -> bool:
        """An idle server says nothing: what can be read is its farewell, or a notice, and then a query decides."""
        if self.connection is None or self.connection.closed:
            return False
        if self.connection.info.transaction_status is TransactionStatus.IDLE:
            poll = select.poll()
            poll.register(self.connection.fileno(), select.POLLIN)
            if not poll.poll(0):
                return True
        usable: bool = super().is_usable()
        return usable
