"""Holds the panel's SQLite file open: `python -m innkeeper.instance.keeper PATH`.

Daemons that may only read need the files `-wal` and `-shm` to be there, and SQLite removes both when the last
connection that can write is closed. This program opens the database, reads once and keeps that connection from before
the daemons start until after they end. It ends without closing it, so that its own restart removes nothing either.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys

ENDS = {signal.SIGTERM, signal.SIGINT}


def main() -> int:
    connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=rw", uri=True)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    signal.sigwait(ENDS)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
