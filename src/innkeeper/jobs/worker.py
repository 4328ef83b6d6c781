"""The worker: `python -m innkeeper.jobs.worker`, one process that runs the jobs of every queue.

Each queue has a thread or two, so that work somebody waits for never stands behind work that takes minutes; the
delivery of events has its own. The process may be killed at any moment: its jobs are returned when its successor
starts, or when their leases end.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connection, transaction

from innkeeper.core.loglines import visible

logger = logging.getLogger("innkeeper.jobs")

POLL_S = {"prompt": 0.2, "hosting": 0.3, "files": 0.3, "upkeep": 1.0}
THREADS = ("prompt", "hosting", "files", "files", "upkeep")
"""The queues, each as often as it has a thread: a customer's large archive must not hold up all others."""

AWAY_S = 2.0
"""Pause before the next try while the database is away."""

STOP_S = 5.0
"""How long a running prompt job may take to end when the worker is stopped."""


def worker_name() -> str:
    """The name by which a successor finds the jobs of a killed worker: one worker an instance and machine."""
    instance = settings.INSTANCE.name if settings.INSTANCE else "innkeeper"
    return f"{socket.gethostname()}/{instance}"


def run_next(queue: str, worker: str) -> bool:
    """Run the job that is due longest, with those that may run in the same call; False if none is."""
    from innkeeper.jobs.queue import claim, fail, finish, run

    jobs = claim(queue, worker)
    if not jobs:
        return False
    try:
        run(jobs)
    except (OperationalError, InterfaceError):
        raise  # the database is away; the lease returns the jobs
    except Exception as error:
        logger.exception("%s failed (attempt %d)", jobs[0].task, jobs[0].attempts)
        for job in jobs:
            fail(job, visible(f"{type(error).__name__}: {error}"))
    else:
        with transaction.atomic():
            for job in jobs:
                finish(job)
    return True


def work(queue: str, worker: str, stop: threading.Event) -> None:
    """Run the jobs of one queue until `stop` is set. Outlives a database that goes away."""
    away = False
    while not stop.is_set():
        try:
            close_old_connections()
            ran = run_next(queue, worker)
            if away:
                logger.info("%s: the database is back", queue)
                away = False
        except DatabaseError as error:
            if not away:
                logger.error("%s: the database is away (%s); trying again", queue, error)
                away = True
            connection.close()
            stop.wait(AWAY_S)
        else:
            if not ran:
                stop.wait(POLL_S[queue])
    connection.close()


def prepare(worker: str, stop: threading.Event) -> None:
    """Return the jobs of a killed predecessor and write the schedule; waits for the database."""
    from innkeeper.jobs.queue import install_schedule, release

    while not stop.is_set():
        try:
            if count := release(worker):
                logger.info("returned %d job(s) of a worker that was killed", count)
            install_schedule()
        except DatabaseError as error:
            logger.error("the database is away (%s); trying again", error)
            connection.close()
            stop.wait(AWAY_S)
        else:
            connection.close()
            return


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "innkeeper.core.settings")
    django.setup()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    worker = worker_name()
    prepare(worker, stop)
    failed = threading.Event()

    def run(target: Callable[..., None], *arguments: Any) -> None:
        """What ends a thread ends the worker: supervisor starts another, where a queue alone would stand still."""
        try:
            target(*arguments)
        except BaseException:
            logger.exception("this thread failed, and the worker ends")
            failed.set()
            stop.wait(AWAY_S)  # supervisor gives up what ends at once again and again
            stop.set()

    threads = [
        threading.Thread(target=run, args=(work, queue, worker, stop), name=queue, daemon=True) for queue in THREADS
    ]
    if settings.INSTANCE is not None:
        from innkeeper.events import loop

        threads.append(threading.Thread(target=run, args=(loop.run, stop), name="events", daemon=True))
    for thread in threads:
        thread.start()
    logger.info("worker %s started", worker)
    stop.wait()
    for thread in threads:
        if thread.name in ("prompt", "events"):  # a long job is left to the successor
            thread.join(STOP_S)
    return int(failed.is_set())


if __name__ == "__main__":
    sys.exit(main())
