"""The queue of background work."""

from __future__ import annotations

from django.db import models


class Job(models.Model):
    """One piece of background work that is still to be done. Work that is done leaves no row.

    Taking a job moves `due_at` to the end of a lease, so a job whose worker died is due again by itself. `worker`
    names who holds it. `failed_at` is set when the last attempt failed: the row stays, for the health page, and is
    never taken again.

    `name` is set for scheduled work alone: one row for each entry of the schedule, which is made due again instead
    of being removed.
    """

    name = models.CharField(max_length=64, null=True, unique=True)
    queue = models.CharField(max_length=16)
    task = models.CharField(max_length=128)
    arguments = models.TextField(default="[[],{}]")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=128, default="", blank=True)
    error = models.TextField(default="", blank=True)
    failed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["queue", "due_at"], name="job_due", condition=models.Q(failed_at=None))]
