"""What needs the administrator's attention: one list for every door that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

from innkeeper.core.models import OutboxEvent
from innkeeper.events.models import Delivery, DeliveryState, EventHandler
from innkeeper.hostd.client import Client
from innkeeper.hostd.hosting_accounts import BIGGEST_ID
from innkeeper.hosting.placement import beyond_reach
from innkeeper.jobs.models import Job

LATE = timedelta(minutes=1)
SHOWN_FAILURES = 20
GIVEN_UP = timedelta(days=1)

UP = ("running", "starting")

WITHOUT = {
    "keeper": "the mail daemons may lose the database when the panel stops",
    "hostd": "sessions are not ended and graves not emptied",
    "policy": "mail is accepted and the outgoing limits do not bind",
    "dovecot": "nobody can read mail or log in to send any",
    "postfix": "no mail comes or goes",
    "panel": "nobody can log in, and no packet is answered",
    "worker": "sessions are not ended, events not delivered, and figures of use stand still",
}
"""What it means that a program does not run."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is well, or that needs attention: what, why and what to do."""

    name: str
    ok: bool
    detail: str


def entries() -> list[Entry]:
    """Everything that is watched, what needs attention included. Raises DatabaseError if the database is away."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    database = Entry("database", True, f"{connection.vendor} answers")
    return [database, *_programs(), _worker(), *_events(), *_handlers(), *_hosting(), *_failures()]


def _programs() -> Iterator[Entry]:
    if settings.INSTANCE is None:
        return
    try:
        programs = Client(settings.INSTANCE.hostd_socket).programs()
    except (OSError, RuntimeError) as error:
        yield Entry("hostd", False, f"does not answer ({error}): {WITHOUT['hostd']}. Run ./innkeeper up.")
        return
    down = [name for name, program in programs.items() if program["state"] not in UP]
    for name in down:
        what = "does not answer" if programs[name]["state"] == "silent" else "does not run"
        yield Entry(name, False, f"{what}: {WITHOUT.get(name, 'it is needed')}. Run ./innkeeper up.")
    if not down:
        yield Entry("programs", True, f"all {len(programs)} run")


def _worker() -> Entry:
    late = Job.objects.filter(failed_at=None, due_at__lt=timezone.now() - LATE).count()
    if late:
        return Entry("jobs", False, f"{late} wait for longer than a minute. Look at the worker's log.")
    return Entry("jobs", True, "none is late")


def _handlers() -> Iterator[Entry]:
    for handler in EventHandler.objects.exclude(paused_at=None).order_by("pk")[:SHOWN_FAILURES]:
        yield Entry(
            f"event handler {handler.pk}",
            False,
            f"{handler.event} is paused, and its events wait. `innkeeper event-handler resume {handler.pk}` or the"
            f" panel's Event Manager lets it go on. {handler.pause_reason}",
        )


def _hosting() -> Iterator[Entry]:
    if count := beyond_reach():
        yield Entry(
            "hosting",
            False,
            f"{count} hosting accounts get no system user and no folder: their ids are above {BIGGEST_ID}, where this"
            " server's range of user ids ends. Host them on another server.",
        )


def _failures() -> Iterator[Entry]:
    for job in Job.objects.exclude(error="").order_by("-id")[:SHOWN_FAILURES]:
        what = "was given up" if job.failed_at else "will be tried again"
        yield Entry(job.name or job.task.rpartition(".")[2], False, f"{what} after {job.error}")


def _events() -> Iterator[Entry]:
    now = timezone.now()
    if late := OutboxEvent.objects.filter(state="pending", at__lt=now - LATE).count():
        yield Entry("events", False, f"{late} wait for longer than a minute. Look at the worker's log.")
    dead = Delivery.objects.filter(state=DeliveryState.DEAD, is_test=False, finished_at__gt=now - GIVEN_UP).count()
    if dead:
        yield Entry(
            "deliveries",
            False,
            f"{dead} were given up within a day. ./innkeeper event-handler deliveries --status dead lists them.",
        )
