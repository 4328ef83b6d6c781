"""Removes rows whose time is over, so that no table grows for ever."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.utils import timezone
from django_tasks import task

from innkeeper.accounts.models import LoginFailure
from innkeeper.events import operations as events
from innkeeper.jobs.backend import UPKEEP
from innkeeper.jobs.models import Job

FAILURES_KEPT = timedelta(days=14)
"""How long a job that was given up is shown as one."""

ATTEMPTS_KEPT = timedelta(days=1)
"""How long failed log-ins stand in the table; they count for minutes."""


@task(queue_name=UPKEEP, lease_s=600)
def remove_expired() -> None:
    """Remove expired panel sessions, failed log-ins that count no more, and jobs that were given up long ago."""
    now = timezone.now()
    Session.objects.filter(expire_date__lt=now).delete()
    LoginFailure.objects.filter(last_at__lt=now - ATTEMPTS_KEPT).delete()
    Job.objects.filter(failed_at__lt=now - FAILURES_KEPT).delete()


@task(queue_name=UPKEEP, lease_s=3600)
def remove_old_events() -> None:
    """Remove events and deliveries that are older than the server keeps them."""
    events.remove_old()
