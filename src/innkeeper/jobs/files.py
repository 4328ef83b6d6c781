"""Removes uploads that nobody came back for, and stored files that nothing refers to."""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from django_tasks import task

from innkeeper.core.models import Upload
from innkeeper.jobs.backend import UPKEEP
from innkeeper.mail.models import RepositoryFile
from innkeeper.mail.queries import buried_files

logger = logging.getLogger("innkeeper.jobs")

KEPT = timedelta(days=1)
"""How long an upload waits for the request that names it, and how old a file must be before it can be in nobody's
hands: files are stored before the rows that refer to them."""

ASIDE = ".removing"


@task(queue_name=UPKEEP, lease_s=3600)
def remove_unreferenced_files() -> None:
    """Remove old uploads, then every stored file that is older than `KEPT` and has no row."""
    Upload.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
    root = Path(settings.INNKEEPER_FILES)
    if not root.is_dir():
        return
    unreferenced = []
    referenced = _referenced()
    current = next(referenced, None)
    for path in _stored(root):  # both sides are sorted, so one pass compares them
        while current is not None and current < path.name:
            current = next(referenced, None)
        if path.name.endswith(ASIDE):
            _bring_back(path)
        elif current != path.name and _is_old(path):
            unreferenced.append(path)
    # An account that was removed meanwhile took its files from the rows into a grave, where they are to stay.
    buried = buried_files()
    removed = sum(_remove(path) for path in unreferenced if path.name not in buried)
    if removed:
        logger.info("removed %d unreferenced file(s)", removed)


def _referenced() -> Iterator[str]:
    uploads = Upload.objects.values_list("sha256", flat=True)
    files = RepositoryFile.objects.values_list("sha256", flat=True)
    stored = files.union(uploads).order_by("sha256").iterator(chunk_size=1000)
    return heapq.merge(stored, sorted(buried_files()))


def _stored(root: Path) -> Iterator[Path]:
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and len(folder.name) == 2:
            yield from sorted(folder.iterdir())


def _is_old(path: Path) -> bool:
    return path.stat().st_mtime < time.time() - KEPT.total_seconds()


def _bring_back(aside: Path) -> None:
    """Undo half a removal that a killed worker left."""
    path = aside.with_name(aside.name.removesuffix(ASIDE))
    if path.exists():
        aside.unlink()
    else:
        aside.rename(path)


def _remove(path: Path) -> bool:
    """Remove one file, unless somebody stored the same content again meanwhile.

    Storing content that is there already renews the file's time, or writes it anew when it is gone. The file is set
    aside before its time is read for the last time, so whoever came before that is seen and whoever comes later
    writes a file of their own.
    """
    aside = path.with_name(path.name + ASIDE)
    path.rename(aside)
    if not _is_old(aside):
        aside.rename(path)
        return False
    aside.unlink()
    return True
