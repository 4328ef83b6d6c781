"""What needs the administrator's attention, as far as the panel's side can tell."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

from innkeeper.doors.cli.handlers import Handler, Request, Result
from innkeeper.hostd.client import Client
from innkeeper.jobs.models import Job

LATE = timedelta(minutes=1)
SHOWN_FAILURES = 20


def health(request: Request) -> Result:
    """Entries with a name, whether it is well, and a sentence."""
    entries = [_programs(), _worker(), *_failures()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    entries.insert(0, {"name": "database", "ok": True, "detail": f"{connection.vendor} answers"})
    return {"ok": all(entry["ok"] for entry in entries), "entries": entries}


def _programs() -> Result:
    if settings.INSTANCE is None:
        return {"name": "programs", "ok": True, "detail": "no instance"}
    try:
        programs = Client(settings.INSTANCE.hostd_socket).programs()
    except (OSError, RuntimeError) as error:
        return {"name": "programs", "ok": False, "detail": f"hostd does not answer ({error}): ./innkeeper up"}
    down = sorted(name for name, program in programs.items() if program["state"] != "running")
    detail = f"not running: {', '.join(down)}: ./innkeeper up" if down else f"{len(programs)} running"
    return {"name": "programs", "ok": not down, "detail": detail}


def _worker() -> Result:
    waiting = Job.objects.filter(failed_at=None, due_at__lt=timezone.now() - LATE).count()
    detail = f"{waiting} job(s) wait for longer than a minute: is the worker running?" if waiting else "works"
    return {"name": "worker", "ok": not waiting, "detail": detail}


def _failures() -> list[Result]:
    jobs = Job.objects.exclude(error="").order_by("-id")[:SHOWN_FAILURES]
    return [{"name": job.name or job.task, "ok": False, "detail": job.error} for job in jobs]


HANDLERS: dict[str, Handler] = {"health.show": health}
