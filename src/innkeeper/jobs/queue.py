"""Taking jobs from the queue and giving them back. Safe for any number of workers on both engines."""

from __future__ import annotations

from datetime import timedelta

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


def claim(queue: str, worker: str) -> Job | None:
    """Take the job that is due longest, or None. It is this worker's until the end of its task's lease."""
    due = Job.objects.filter(queue=queue, failed_at=None, due_at__lte=timezone.now()).order_by("due_at", "id")
    while due.exists():  # an idle poll must not take SQLite's writer lock
        with transaction.atomic():
            job = due.select_for_update(skip_locked=True).first()
            if job is None:
                return None
            lease_s, tries = _terms(job)
            now = timezone.now()
            if job.name is None and job.attempts >= tries:
                # Each attempt so far ended with the death of its worker: not again.
                job.failed_at, job.worker = now, ""
                job.error = job.error or "Each attempt ended with the death of its worker."
                job.save(update_fields=["failed_at", "worker", "error"])
                continue
            job.due_at = now + timedelta(seconds=lease_s)
            job.attempts += 1
            job.worker = worker
            job.save(update_fields=["due_at", "attempts", "worker"])
            return job
    return None


def _terms(job: Job) -> tuple[int, int]:
    """Lease in seconds and number of tries of a job; of one whose task is gone, enough to report that once."""
    try:
        task = find_task(job.task)
    except (ImportError, LookupError):
        return 60, 1
    return task.lease_s, task.tries


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
        return
    if job.attempts >= _terms(job)[1]:
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
