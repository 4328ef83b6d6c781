"""The backend of Django's Tasks API that stores work in our own `Job` table.

Why not the ready-made database backend: it takes an exclusive lock of the whole SQLite file at each poll, keeps a row
with its result for every task ever run, and has no leases, no retry and no schedule, which would need a second table
beside its own. Tasks are declared with `django_tasks.task` all the same, and the backend is a setting, so another
engine can take over without a change in any task.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django_tasks.backends.base import BaseTaskBackend
from django_tasks.base import Task, TaskResult, TaskResultStatus

PROMPT = "prompt"
"""The queue of work that somebody waits for: each job takes seconds at most."""

UPKEEP = "upkeep"
"""The queue of work that may take minutes."""

HOSTING = "hosting"
"""The queue of what hosting accounts need on the machine: a thousand at once keep nobody else waiting."""


FILES = "files"
"""The queue of what owners do with their files: it takes minutes, and somebody watches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedTask(Task[Any, Any]):
    """A task with the length of its lease and the number of times it is tried.

    A lease must be longer than the task ever runs: when it ends the job is given to another worker. Up to `joined`
    jobs that are due run as one call; such a task takes one list, and gets the members of all.
    """

    lease_s: int = 60
    tries: int = 8
    joined: int = 1


class JobBackend(BaseTaskBackend):
    """Stores a task as one row, inside the caller's transaction if there is one."""

    task_class = LeasedTask
    supports_defer = True

    def enqueue(self, task: Task[Any, Any], args: Any, kwargs: Any) -> TaskResult[Any]:
        """Store the task to be run after the commit. One INSERT; nothing is written in a plan's transaction either,
        because that is rolled back."""
        from innkeeper.jobs.models import Job

        self.validate_task(task)
        now = timezone.now()
        job = Job.objects.create(
            queue=task.queue_name,
            task=task.module_path,
            arguments=json.dumps([list(args), kwargs], separators=(",", ":")),
            created_at=now,
            due_at=task.run_after or now,
        )
        return TaskResult(
            task=task,
            id=str(job.pk),
            status=TaskResultStatus.READY,
            enqueued_at=now,
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            args=list(args),
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
