"""Ends the open mail sessions of accounts whose access has changed."""

from __future__ import annotations

from django_tasks import task

from innkeeper.jobs.backend import PROMPT
from innkeeper.jobs.services import services


@task(queue_name=PROMPT, lease_s=60, tries=12, joined=200)
def end_sessions_task(usernames: list[str]) -> None:
    """End the open sessions of these log-in names. Once too often does no harm: mail clients connect again.

    The services are asked once for whatever waits: a thousand changes one by one are over as fast as one.
    """
    services().kick(sorted(set(usernames)))
