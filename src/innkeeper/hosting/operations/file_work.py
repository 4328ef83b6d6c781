"""Work on a site's files that may take minutes: asked for here, done by a job, undone if it was about rights.

What is asked for is a row, written with its audit and its job in one transaction. Doing it can be repeated: hostd gives
a copy, an archive or an unpacked folder its name when it is complete, and goes on with rules that were cut off.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from innkeeper.core.actor import Actor, ActorKind, Door
from innkeeper.core.errors import InvalidValue, LimitReached, NotAllowed
from innkeeper.core.operation import Operation
from innkeeper.hostd.client import HostdError
from innkeeper.hostd.file_client import FileRefusedError, Files, RightsRule
from innkeeper.hostd.file_requests import HostingOf
from innkeeper.hosting.filenames import Path, new_name, path_text, shown
from innkeeper.hosting.files import SiteFiles, found_work, refusal_of
from innkeeper.hosting.models import FileWork, Site
from innkeeper.hosting.operations.files import ARCHIVES, archive_name, few, of, record
from innkeeper.jobs import effects
from innkeeper.jobs.services import services

logger = logging.getLogger("innkeeper.hosting")

MAX_OPEN = 3
"""Of one owner at once, those that wait included: one must not keep all others waiting."""

KEPT_OF_SITE = 50
TRIES = 5
AGAIN_S = 1
TOLD_EVERY_S = 0.5
KEPT = timedelta(days=7)
RIGHTS = frozenset({"files_set_rights", "files_undo_rights"})
NAMES = {
    "files_archive": "files.pack",
    "files_unpack": "files.unpack",
    "files_copy_all": "files.copy",
    "files_trash_empty": "files.empty-trash",
    "files_set_rights": "files.rights",
    "files_undo_rights": "files.undo-rights",
}
"""What the audit calls each."""


class _StoppedError(Exception):
    """Somebody does not want it any more."""


def pack(actor: Actor, files: SiteFiles, path: Path, names: Sequence[str], *, name: str, kind: str) -> FileWork:
    """Pack objects of a folder into a new file there."""
    few(names)
    if kind not in ARCHIVES:
        raise InvalidValue("Choose zip or tar.gz.", field="kind")
    name = new_name(name.strip() or archive_name(path, names))
    if not name.endswith(ARCHIVES[kind]):
        name = new_name(name + ARCHIVES[kind])
    wanted = {"path": path, "names": names, "name": name, "kind": kind}
    return _asked(actor, files, "files_archive", wanted, f"{of(path, names)} -> {shown(name)}")


def unpack(actor: Actor, files: SiteFiles, path: Path, *, name: str = "") -> FileWork:
    """Unpack an archive into a new folder beside it."""
    if not path:
        raise InvalidValue("Choose an archive.", field="path")
    name = new_name(name.strip() or stem(path[-1]))
    return _asked(actor, files, "files_unpack", {"path": path, "name": name}, f"{path_text(path)} -> {name}")


def stem(name: str) -> str:
    """What the folder is called into which an archive goes."""
    for ending in (".zip", ".tar.gz", ".tgz", ".tar"):
        if name.lower().endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return f"{name} unpacked"


def copy(actor: Actor, files: SiteFiles, path: Path, names: Sequence[str], target: Path) -> FileWork:
    """Copy objects of a folder into another one, or beside themselves."""
    few(names)
    wanted = {"path": path, "names": names, "target": target}
    return _asked(actor, files, "files_copy_all", wanted, f"{of(path, names)} -> /{path_text(target)}")


def empty_trash(actor: Actor, files: SiteFiles) -> FileWork:
    """Delete for good what lies in the trash."""
    return _asked(actor, files, "files_trash_empty", {"older_than": 0}, "all")


def set_rights(actor: Actor, files: SiteFiles, path: Path, rule: RightsRule) -> FileWork:
    """Write a rule about an object into the site's own rules and apply it there and below."""
    what = f"allow 0x{rule.allow:x}, deny 0x{rule.deny:x}, {rule.applies}" if rule.allow or rule.deny else "no own rule"
    wanted = {"path": path, "who": _who(actor), **asdict(rule)}
    return _asked(actor, files, "files_set_rights", wanted, f"{path_text(path)}: {rule.about}: {what}")


def undo_rights(actor: Actor, files: SiteFiles, work_id: int) -> FileWork:
    """Take back what setting rights did. Raises NotFound, NotAllowed."""
    work = found_work(files, work_id)
    done = json.loads(work.result)
    if work.op != "files_set_rights" or not done or not done["run"] or not done["version"]:
        raise NotAllowed("There is nothing that could be undone.")
    path = json.loads(work.wanted)["path"]
    wanted = {"path": path, "run": done["run"], "version": done["version"], "who": _who(actor)}
    return _asked(actor, files, "files_undo_rights", wanted, f"{path_text(tuple(path))}: run {done['run']}")


def _who(actor: Actor) -> str:
    return f"{actor.login} (panel)"


def _asked(actor: Actor, files: SiteFiles, op: str, wanted: dict[str, Any], detail: str) -> FileWork:
    with Operation(actor, NAMES[op]) as operation:
        if _open_of_owner(files.site).count() >= MAX_OPEN:
            raise LimitReached("Other work on the owner's files is still going on. Wait until it has ended.")
        old = (
            FileWork.objects.filter(site=files.site)
            .exclude(ended_at=None)
            .order_by("-pk")
            .values_list("pk", flat=True)[KEPT_OF_SITE - 1 :]
        )
        FileWork.objects.filter(pk__in=list(old)).delete()
        work = FileWork.objects.create(
            site=files.site,
            op=op,
            wanted=json.dumps(wanted),
            asked_by=json.dumps(asdict(actor)),
            detail=detail,
            created_at=timezone.now(),
        )
        operation.audit("files", files.site.pk, files.site.name, detail)
        effects.work_on_files(work.pk)
    return work


def _open_of_owner(site: Site) -> QuerySet[FileWork]:
    return FileWork.objects.filter(site__webspace__owner__webspaces=site.webspace_id, ended_at=None)


def stop(actor: Actor, files: SiteFiles, work_id: int) -> None:
    """Give work up: nothing of it stays. Raises NotFound, NotAllowed."""
    work = found_work(files, work_id)
    if work.op in RIGHTS:
        raise NotAllowed("Rules are applied to the end, so that no part of the files has others. Undo it then.")
    with Operation(actor, "files.stop") as operation:
        if FileWork.objects.filter(pk=work.pk, ended_at=None, is_stopped=False).update(is_stopped=True):
            operation.audit("files", files.site.pk, files.site.name, f"{NAMES[work.op]}: {work.detail}")


def carry_out(work_id: int) -> None:
    """Do what was asked for. Raises OSError while hostd is away, so that it is tried again."""
    work = FileWork.objects.select_related("site__webspace").filter(pk=work_id, ended_at=None).first()
    if work is None or work.site.webspace is None:
        return
    if work.attempts >= TRIES:  # each attempt ended with the death of its worker
        _end(work, refusal="failed")
        return
    if _open_of_owner(work.site).filter(pk__lt=work.pk).exists():
        effects.work_on_files(work.pk, AGAIN_S)  # one of an owner at a time, so that others have their turn
        return
    work.attempts += 1
    work.save(update_fields=["attempts"])
    files = Files(services(), HostingOf(work.site.webspace.pk, work.site.ascii_name))
    told = _Told(work.pk)
    try:
        told.check()
        result = files.work(work.op, told, **json.loads(work.wanted))
    except FileRefusedError as refusal:
        if refusal.code == "busy" and work.attempts < TRIES:
            raise
        # What it names may be no text, which no database takes.
        limit = refusal.limit.encode(errors="backslashreplace").decode().replace("\0", "")
        _end(work, refusal=refusal.code, limit=limit)
    except _StoppedError:
        _end(work, refusal="stopped")
    except HostdError:
        logger.exception("%s of %s was not done", work.op, work.site.name)
        _end(work, refusal="failed")
    except OSError:
        if work.attempts < TRIES:
            raise
        _end(work, refusal="failed")
    else:
        _end(work, result=json.dumps(result))


class _Told:
    """Notes how far work has come, now and then. Raises _StoppedError when nobody wants it any more."""

    def __init__(self, work_id: int) -> None:
        self._open = FileWork.objects.filter(pk=work_id, is_stopped=False)
        self._next = 0.0

    def check(self) -> None:
        if not self._open.exists():
            raise _StoppedError

    def __call__(self, come: dict[str, int]) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + TOLD_EVERY_S
        if not self._open.update(come=json.dumps(come)):
            raise _StoppedError


def _end(work: FileWork, **values: str) -> None:
    FileWork.objects.filter(pk=work.pk).update(ended_at=timezone.now(), **values)
    if code := values.get("refusal"):
        message = refusal_of(code, values.get("limit", "")).message
        asked_by = json.loads(work.asked_by)
        actor = Actor(**asked_by | {"kind": ActorKind(asked_by["kind"]), "door": Door(asked_by["door"])})
        record(actor, work.site, NAMES[work.op], f"not done: {message} ({work.detail})")


def told(works: Sequence[FileWork]) -> None:
    """Somebody has seen how these ended."""
    FileWork.objects.filter(pk__in=[work.pk for work in works if work.ended_at], is_told=False).update(is_told=True)


def forget_old() -> None:
    """Remove what ended some days ago."""
    FileWork.objects.filter(ended_at__lt=timezone.now() - KEPT).delete()
