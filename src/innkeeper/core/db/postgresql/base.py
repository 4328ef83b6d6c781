"""Django's PostgreSQL backend with a short way for hand-written statements and for transactions.

psycopg's cursors send and wait in Python, which takes longer than the server does for a look-up by key. A statement
here, BEGIN and COMMIT are one call of libpq each, which waits without Python's lock.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import InternalError
from django.db.backends.postgresql import base
from psycopg import abc
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from innkeeper.core.db.transactions import ShortTransactions


class DatabaseWrapper(ShortTransactions, base.DatabaseWrapper):
    """PostgreSQL through psycopg."""

    _prepared: dict[str, bytes]
    _transformer: abc.Transformer

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        self._prepared = {}
        self._transformer = Transformer(connection)
        return connection

    def run(self, statement: str, parameters: Sequence[Any], *, by_key: bool = False) -> list[tuple[Any, ...]]:
        """The rows of a statement, which is prepared on its first use if it is `by_key`. See `core.db.statements`."""
        self.close_if_health_check_failed()
        if self.connection is None:
            self.ensure_connection()
        if self.needs_rollback:
            self.validate_no_broken_transaction()
        try:
            if self.connection.autocommit:
                return self._run_prepared(statement, parameters) if by_key else self._run_once(statement, parameters)
            with psycopg.Cursor(self.connection) as cursor:
                cursor.execute(statement, parameters, prepare=False)
                return cursor.fetchall() if cursor.description else []
        except psycopg.Error:
            with self.wrap_database_errors:
                raise

    def _run_prepared(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Parameters go as text, and the server takes their types from their places: so there is one plan for all."""
        server, transformer = self.connection.pgconn, self._transformer
        name = self._prepared.get(statement)
        if name is None:
            name = f"innkeeper_{len(self._prepared)}".encode()
            _succeeded(server.prepare(name, _with_numbers(statement, len(parameters))))
            self._prepared[statement] = name
        values = transformer.dump_sequence(parameters, [PyFormat.TEXT] * len(parameters))
        return self._rows(server.exec_prepared(name, values))

    def _run_once(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        server, transformer = self.connection.pgconn, self._transformer
        values = transformer.dump_sequence(parameters, [PyFormat.AUTO] * len(parameters))
        text = _with_numbers(statement, len(parameters))
        return self._rows(server.exec_params(text, values, transformer.types, transformer.formats))

    def _rows(self, result: PGresult) -> list[tuple[Any, ...]]:
        if not _succeeded(result).ntuples:
            return []
        self._transformer.set_pgresult(result)
        rows: list[tuple[Any, ...]] = self._transformer.load_rows(0, result.ntuples, tuple)
        return rows

    def _start_transaction_under_autocommit(self) -> None:
        # psycopg's connection stays in autocommit mode: outside of it, each statement asks whether one has begun.
        self._command("BEGIN")

    def _set_autocommit(self, autocommit: bool) -> None:
        if self.connection.autocommit is not autocommit:
            super()._set_autocommit(autocommit)  # type: ignore[misc]

    def _commit(self) -> None:
        if self.connection is not None and self._command("COMMIT") != b"COMMIT":
            # So the server ends a transaction in which a statement failed, and calls it no error.
            raise InternalError("the transaction was rolled back: a statement in it had failed")

    def _command(self, command: str) -> bytes | None:
        """What the server says that it did."""
        with self.watched(command), self.wrap_database_errors:
            return _succeeded(self.connection.pgconn.exec_(command.encode())).command_status

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


def _with_numbers(statement: str, count: int) -> bytes:
    """The statement with the server's own marks for its parameters."""
    return (statement % tuple([f"${number}" for number in range(1, count + 1)])).encode()


def _succeeded(result: PGresult) -> PGresult:
    """The same result. Raises psycopg's error for one of a failure."""
    if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        error = error_from_result(result)
        if error.sqlstate is None:  # of libpq, not of the server, which it could not reach
            raise psycopg.OperationalError(str(error))
        raise error
    return result
