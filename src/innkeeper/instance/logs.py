"""Keeps Postfix's log within bounds. Supervisor does so for all others; Postfix insists on a file of its own."""

from __future__ import annotations

import signal
import threading
from itertools import pairwise

from innkeeper.instance import processes
from innkeeper.instance.config import Instance

MAX_BYTES = 10 * 1024 * 1024
BACKUPS = 3
CHECK_S = 600


def rotate(instance: Instance) -> bool:
    """Begin a new log when the old one is full. Tells whether it did."""
    path = instance.log_dir / "postfix.log"
    if not path.exists() or path.stat().st_size < MAX_BYTES:
        return False
    names = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, BACKUPS + 1))]
    for old, new in reversed(list(pairwise(names))):
        if old.exists():
            old.replace(new)
    master = processes.of_pid_file(instance.spool / "pid" / "master.pid")
    if master is not None and processes.has_mark(master.pid, instance):
        processes.send(master, signal.SIGHUP)  # opens the log again
    return True


def watch(instance: Instance) -> None:
    """Look from time to time, in a thread of its own, for as long as the process runs."""

    def look() -> None:
        pause = threading.Event()
        while not pause.wait(CHECK_S):
            rotate(instance)

    threading.Thread(target=look, name="logs", daemon=True).start()
