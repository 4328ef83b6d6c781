"""Empties the trash of hosting accounts of what has lain there long enough."""

from __future__ import annotations

import logging
import time

from django_tasks import task

from innkeeper.hostd.file_client import FileRefusedError, Files
from innkeeper.hostd.file_requests import HostingOf
from innkeeper.hosting.operations.file_work import forget_old
from innkeeper.hosting.operations.files import TRASH_KEPT_S
from innkeeper.hosting.placement import hosting_accounts
from innkeeper.jobs.backend import UPKEEP
from innkeeper.jobs.services import services

PATIENCE_S = 60

logger = logging.getLogger("innkeeper.jobs")


class _EnoughError(Exception):
    """Others wait too."""


class _Patience:
    """Hears how far hostd is, and has enough of it after a while. What went until then is gone."""

    def __init__(self) -> None:
        self._until = time.monotonic() + PATIENCE_S

    def __call__(self, _come: dict[str, int]) -> None:
        if time.monotonic() > self._until:
            raise _EnoughError


@task(queue_name=UPKEEP, lease_s=3_600)
def empty_trash() -> None:
    """Delete what owners removed some days ago, and what is known of work that ended then.

    A domain whose tree is not there yet has nothing to delete.
    """
    forget_old()
    hostd = services()
    gone = 0
    for spec in hosting_accounts():
        if spec.kind != "domain":
            continue
        try:
            gone += Files(hostd, HostingOf(spec.webspace, spec.domain)).empty_trash(TRASH_KEPT_S, _Patience())
        except FileRefusedError as refusal:
            if refusal.code != "no-account":
                logger.warning("the trash of %s could not be emptied: %s", spec.domain, refusal.code)
        except _EnoughError:
            logger.info("the trash of %s is large: the rest of it goes the next time", spec.domain)
        except RuntimeError:
            # One account's trouble must not keep the others.
            logger.exception("the trash of %s could not be emptied", spec.domain)
    if gone:
        logger.info("deleted %d removed object(s) for good", gone)
