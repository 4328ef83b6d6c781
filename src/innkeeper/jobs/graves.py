"""Empties the graves of removed accounts when their time has come."""

from __future__ import annotations

import logging

from django.utils import timezone
from django_tasks import task

from innkeeper.jobs.backend import UPKEEP
from innkeeper.jobs.services import services
from innkeeper.mail.models import Grave

logger = logging.getLogger("innkeeper.jobs")

BATCH = 100


@task(queue_name=UPKEEP, lease_s=3600)
def empty_graves() -> None:
    """Delete the storage of each grave that is due, then its row.

    The row goes last: a crash between the two leaves a row whose storage is deleted once more, which is no error.
    Nobody restores a grave that is due, so nothing can come back between the two.
    """
    hostd = services()
    emptied, last = 0, 0
    while graves := list(
        Grave.objects.filter(due_at__lte=timezone.now(), id__gt=last)
        .order_by("id")[:BATCH]
        .values_list("id", "storage")
    ):
        done = []
        for grave_id, storage in graves:
            try:
                hostd.empty_grave(storage)
            except (RuntimeError, TimeoutError):
                # One storage that is large or cannot be deleted must not keep the others.
                logger.exception("the grave %s could not be emptied", storage)
            else:
                done.append(grave_id)
        Grave.objects.filter(id__in=done).delete()
        emptied, last = emptied + len(done), graves[-1][0]
    if emptied:
        logger.info("emptied %d grave(s)", emptied)
