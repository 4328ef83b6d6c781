"""What runs by the clock: the one table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django_tasks.base import Task

from innkeeper.jobs.expiry import remove_expired, remove_old_events
from innkeeper.jobs.files import remove_unreferenced_files
from innkeeper.jobs.graves import empty_graves
from innkeeper.jobs.hosting import empty_tree_graves, place_all_hosting
from innkeeper.jobs.trash import empty_trash
from innkeeper.jobs.usage import refresh_usage
from innkeeper.jobs.webspaces import suspend_expired


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A task that runs again and again: `every` after its last run ended."""

    name: str
    task: Task[[], None]
    every: timedelta


SCHEDULE = (
    Scheduled("usage", refresh_usage, timedelta(minutes=5)),
    Scheduled("graves", empty_graves, timedelta(hours=1)),
    Scheduled("expiry", remove_expired, timedelta(hours=1)),
    Scheduled("hosting", place_all_hosting, timedelta(minutes=15)),
    Scheduled("tree-graves", empty_tree_graves, timedelta(hours=1)),
    Scheduled("webspaces", suspend_expired, timedelta(minutes=10)),
    Scheduled("events", remove_old_events, timedelta(hours=1)),
    Scheduled("trash", empty_trash, timedelta(hours=6)),
    Scheduled("files", remove_unreferenced_files, timedelta(hours=6)),
)
