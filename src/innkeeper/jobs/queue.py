"""Taking jobs from the queue and giving them back. Safe for any number of workers on both engines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from innkeeper.jobs.backend import LeasedTask
from innkeeper.jobs.models import Job
from innkeeper.jobs.schedule import SCHEDULE, Scheduled

FIRST_RETRY = timedelta(seconds=1)
LAST_RETRY = timedelta(hours=1)


def find_task(path: str) -> LeasedTask:
    """The task at a dotted path. Raises ImportError when there is none any more, LookupError for another object."""
    found = import_string(path)
    if not isinstance(found, LeasedTask):
        raise LookupError(f"{path} is no task")
    return found


def claim(queue: str, worker: str) -> list[Job]:
    """Take the job that is due longest, with those that may run in the same call; nothing if none is due.

    They are this worker's until the end of their task's lease.
    """
    due = Job.objects.filter(queue=queue, failed_at=None, due_at__lte=timezone.now()).order_by("due_at", "id")
    while due.exists():  # an idle poll must not take SQLite's writer lock
        with transaction.atomic():
            first = due.select_for_update(skip_locked=True).first()
            if first is None:
                return []
            terms = _terms(first.task)
            now = timezone.now()
            if first.name is None and first.attempts >= terms.tries:
                # Each attempt so far ended with the death of its worker: not again.
                first.failed_at, first.worker = now, ""
                first.error = first.error or "Each attempt ended with the death of its worker."
                first.save(update_fields=["failed_at", "worker", "error"])
                continue
            jobs = [first]
            if terms.joined > 1 and not first.attempts:  # one that failed runs alone, so that it fails alone
                fresh = due.filter(task=first.task, attempts=0).exclude(pk=first.pk)
                jobs += fresh.select_for_update(skip_locked=True)[: terms.joined - 1]
            for job in jobs:
                job.due_at = now + timedelta(seconds=terms.lease_s)
                job.attempts += 1
                job.worker = worker
            Job.objects.filter(pk__in=[job.pk for job in jobs]).update(
                due_at=first.due_at, attempts=first.attempts, worker=worker
            )
            return jobs
    return []


class Terms(NamedTuple):
    """On which terms a task's jobs are given out."""

    lease_s: int = 60
    tries: int = 1
    joined: int = 1


def _terms(path: str) -> Terms:
    """The terms of a task; of one that is gone, enough to report that once."""
    try:
        task = find_task(path)
    except (ImportError, LookupError):
        return Terms()
    return Terms(task.lease_s, task.tries, task.joined)


def run(jobs: Sequence[Job]) -> None:
    """Call the task of jobs that were claimed together. Raises what it raises."""
    task = find_task(jobs[0].task)
    calls = [json.loads(job.arguments) for job in jobs]
    if len(calls) == 1:
        ((args, kwargs),) = calls
        task.call(*args, **kwargs)
    else:
        task.call([member for (members,), _ in calls for member in members])


def finish(job: Job) -> None:
    """The job is done: scheduled work becomes due again, other work is forgotten.

    A job whose lease ended meanwhile belongs to the worker that took it since, and is left alone.
    """
    mine = Job.objects.filter(pk=job.pk, worker=job.worker, attempts=job.attempts)
    if entry := scheduled(job):
        mine.update(due_at=timezone.now() + entry.every, attempts=0, worker="", error="")
    else:
        mine.delete()


def fail(job: Job, error: str) -> None:
    """The job failed: it is tried again, later each time, up to its task's number of tries. Scheduled work always."""
    mine = Job.objects.filter(pk=job.pk, worker=job.worker, attempts=job.attempts)
    now = timezone.now()
    wait = min(FIRST_RETRY * 2 ** min(job.attempts - 1, 16), LAST_RETRY)
    if entry := scheduled(job):
        mine.update(due_at=now + min(wait, entry.every), worker="", error=error)
    elif job.attempts >= _terms(job.task).tries:
        mine.update(failed_at=now, worker="", error=error)
    else:
        mine.update(due_at=now + wait, worker="", error=error)


def release(worker: str) -> int:
    """Give back what a dead worker of this name still holds. Its successor calls this before it takes anything."""
    if not Job.objects.filter(worker=worker).exists():
        return 0
    return Job.objects.filter(worker=worker, failed_at=None).update(worker="", due_at=timezone.now())


def install_schedule() -> None:
    """One row for each entry of the schedule; rows of entries that are no longer there go."""
    names = {entry.name: entry for entry in SCHEDULE}
    stored = {job.name: job for job in Job.objects.exclude(name=None)}
    now = timezone.now()
    missing = [
        Job(name=name, queue=entry.task.queue_name, task=entry.task.module_path, created_at=now, due_at=now)
        for name, entry in names.items()
        if name not in stored or stored[name].task != entry.task.module_path
    ]
    gone = [job.pk for name, job in stored.items() if name not in names or job.task != names[name].task.module_path]
    if gone or missing:
        with transaction.atomic():
            Job.objects.filter(pk__in=gone).delete()
            Job.objects.bulk_create(missing, ignore_conflicts=True)  # another node may do the same


def scheduled(job: Job) -> Scheduled | None:
    """The schedule's entry that a job belongs to."""
    return next((entry for entry in SCHEDULE if entry.name == job.name), None) if job.name else None
