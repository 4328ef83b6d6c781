"""The steps by which Django begins and ends a transaction, made short.

At each of them Django looks for an event loop in the thread and for other threads that share the connection, and keeps
the time for a log of statements: together three times as long as SQLite takes for BEGIN and COMMIT. Nothing here runs
in an event loop, and each thread has its own connection. Whoever watches the statements gets Django's own steps.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import debug_transaction


class ShortTransactions(BaseDatabaseWrapper):
    """What both backends put before Django's. They begin by `_start_transaction_under_autocommit`."""

    def watched(self, command: str) -> AbstractContextManager[None]:
        """Around a command of a transaction: what tells whoever watches of it."""
        return debug_transaction(self, command) if self.force_debug_cursor else nullcontext()

    def get_autocommit(self) -> bool:
        if self.connection is None:
            self.ensure_connection()
        return self.autocommit

    def set_autocommit(self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False) -> None:
        begins = force_begin_transaction_with_broken_autocommit and not autocommit
        if self.force_debug_cursor or self.in_atomic_block or not (begins or autocommit):
            super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
            return
        self.close_if_health_check_failed()
        if self.connection is None:
            self.ensure_connection()
        if begins:
            self._start_transaction_under_autocommit()  # type: ignore[attr-defined]
        else:
            self._set_autocommit(True)  # type: ignore[attr-defined]
        self.autocommit = autocommit
        if autocommit and self.run_commit_hooks_on_set_autocommit_on:
            self.run_and_clear_commit_hooks()
            self.run_commit_hooks_on_set_autocommit_on = False

    def commit(self) -> None:
        if self.force_debug_cursor or self.in_atomic_block:
            super().commit()
            return
        self._commit()  # type: ignore[attr-defined]
        self.errors_occurred = False
        self.run_commit_hooks_on_set_autocommit_on = True
