"""Django's SQLite backend with one writer at a time.

SQLite has a single writer anyway; waiting for it in its busy handler is unfair and ends in "database is locked". Here
every transaction and every autocommit write takes a thread lock and then an `flock` on a file beside the database,
whoever starts it, and gives both back at its end. Reads take neither: in WAL mode they never wait.

Transactions are IMMEDIATE and durable (`synchronous=FULL`): an answer of ok means on disk.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db.backends.sqlite3 import base

from innkeeper.core.db.transactions import ShortTransactions

READS = ("SELECT", "EXPLAIN", "PRAGMA", "VALUES")


@lru_cache(maxsize=1024)
def with_question_marks(statement: str) -> str:
    """The statement as SQLite's driver takes it."""
    return base.FORMAT_QMARK_REGEX.sub("?", statement).replace("%%", "%")


_thread_locks: dict[str, threading.Lock] = {}
_registry = threading.Lock()


class WriterLock:
    """The right to write to one database file, across threads and processes."""

    def __init__(self, path: str) -> None:
        self._path = path
        with _registry:
            self._thread_lock = _thread_locks.setdefault(path, threading.Lock())
        self._fd: int | None = None
        self.held = False

    def acquire(self) -> None:
        if self.held:
            return
        self._thread_lock.acquire()
        try:
            if self._fd is None and self._path:
                self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if self._fd is not None:
                fcntl.flock(self._fd, fcntl.LOCK_EX)
        except BaseException:
            self._thread_lock.release()
            raise
        self.held = True

    def release(self) -> None:
        if not self.held:
            return
        self.held = False
        if self._fd is not None:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        self._thread_lock.release()

    def close(self) -> None:
        self.release()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class CursorWrapper(base.SQLiteCursorWrapper):
    """Takes the writer lock around a write outside a transaction."""

    writer: WriterLock

    def convert_query(self, query: str, *, param_names: Sequence[str] | None = None) -> str:
        if param_names is None:
            return with_question_marks(query)
        named: str = super().convert_query(query, param_names=param_names)
        return named

    def execute(self, query: str, params: Any = None) -> Any:
        if self.connection.in_transaction or query.lstrip()[:7].upper().startswith(READS):
            return super().execute(query, params)
        if self.writer.held:
            return super().execute(query, params)
        self.writer.acquire()
        try:
            return super().execute(query, params)
        finally:
            self.writer.release()

    def executemany(self, query: str, param_list: Sequence[Any]) -> Any:  # type: ignore[override]
        if self.connection.in_transaction or self.writer.held:
            return super().executemany(query, param_list)
        self.writer.acquire()
        try:
            return super().executemany(query, param_list)
        finally:
            self.writer.release()


class DatabaseWrapper(ShortTransactions, base.DatabaseWrapper):
    """SQLite with the writer lock."""

    _writer: WriterLock | None = None

    @property
    def writer(self) -> WriterLock:
        if self._writer is None:
            name = str(self.settings_dict["NAME"])
            in_memory = self.is_in_memory_db()
            self._writer = WriterLock("" if in_memory else f"{name}.writer")
        return self._writer

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        params.setdefault("cached_statements", 256)
        return params

    def create_cursor(self, name: str | None = None) -> CursorWrapper:
        cursor: CursorWrapper = self.connection.cursor(factory=CursorWrapper)
        cursor.writer = self.writer
        return cursor

    def run(self, statement: str, parameters: Sequence[Any], *, by_key: bool = False) -> list[tuple[Any, ...]]:
        """The rows of a statement. See `core.db.statements`."""
        if self.connection is None:
            self.ensure_connection()
        if self.needs_rollback:
            self.validate_no_broken_transaction()
        if not (self.connection.in_transaction or statement.startswith("SELECT")):
            with self.cursor() as cursor:  # takes the writer lock
                cursor.execute(statement, parameters)
                written: list[tuple[Any, ...]] = cursor.fetchall()
            return written
        try:
            return self.connection.execute(with_question_marks(statement), parameters).fetchall()  # type: ignore[no-any-return]
        except sqlite3.Error:
            with self.wrap_database_errors:
                raise

    def _start_transaction_under_autocommit(self) -> None:
        self.writer.acquire()
        try:
            with self.watched("BEGIN IMMEDIATE"), self.wrap_database_errors:
                self.connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            self.writer.release()
            raise

    def _set_autocommit(self, autocommit: bool) -> None:
        if not (autocommit and self.connection.isolation_level is None):
            super()._set_autocommit(autocommit)  # type: ignore[misc]

    def _commit(self) -> None:
        try:
            if self.connection is not None:
                with self.watched("COMMIT"), self.wrap_database_errors:
                    self.connection.commit()
        finally:
            if self.connection is None or not self.connection.in_transaction:
                self.writer.release()

    def _rollback(self) -> None:
        try:
            super()._rollback()  # type: ignore[misc]
        finally:
            if self.connection is None or not self.connection.in_transaction:
                self.writer.release()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
