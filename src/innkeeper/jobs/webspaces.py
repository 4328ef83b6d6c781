"""Suspends webspaces at their last day."""

from __future__ import annotations

from django_tasks import task

from innkeeper.accounts.queries import the_administrator
from innkeeper.hosting.operations import expire_webspaces
from innkeeper.jobs.backend import UPKEEP


@task(queue_name=UPKEEP, lease_s=3600)
def suspend_expired() -> None:
    """Bring the suspension of all webspaces in line with their expiration, in the administrator's name."""
    if administrator := the_administrator():
        expire_webspaces(administrator)
