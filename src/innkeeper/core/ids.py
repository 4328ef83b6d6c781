"""Row ids taken ahead, for set statements that must know what they insert, and ids that are random."""

from __future__ import annotations

import secrets

from innkeeper.core.db.statements import database, execute


def allocate(table: str, count: int) -> list[int]:
    """So many new ids of a table, ascending, never used before. Call inside a transaction.

    On SQLite the transaction holds the writer's lock, so counting on from the stored sequence is safe; the explicit
    inserts raise that sequence themselves.
    """
    if database().vendor == "postgresql":
        rows = execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [table, count], by_key=True
        )
        return [row[0] for row in rows]
    rows = execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
    first = (rows[0][0] if rows else 0) + 1
    return list(range(first, first + count))


def new_guid() -> str:
    """A random UUID as text. The standard library's checks take four times as long as it takes to make one."""
    digits = secrets.token_hex(16)
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
