"""Ends the open mail sessions of accounts whose access has changed."""

from __future__ import annotations

from django_tasks import task

from innkeeper.jobs.backend import PROMPT
from innkeeper.jobs.services import services


@task(queue_name=PROMPT, lease_s=30, tries=12)
def end_sessions_task(usernames: list[str]) -> None:
    """End the open sessions of these log-in names. Once too often does no harm: mail clients connect again."""
    services().kick(usernames)
