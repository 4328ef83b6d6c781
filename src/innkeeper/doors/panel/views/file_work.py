"""Work on a site's files that may take minutes: how far it has come, what came of it, stopping and undoing it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from innkeeper.core.errors import NotFound, Refused
from innkeeper.doors.panel.units import size_text
from innkeeper.doors.panel.views.file_places import folder_address, site_files
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.hosting import files as queries
from innkeeper.hosting.filenames import path_text, shown
from innkeeper.hosting.files import SiteFiles
from innkeeper.hosting.models import FileWork
from innkeeper.hosting.operations import file_work as operations

PARTS = 1_000
"""A bar's length."""


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work as a page shows it. `part` is how much of `PARTS` is done, if that is known."""

    number: int
    words: str
    said: str
    notes: list[str]
    problems: list[str]
    is_open: bool
    is_good: bool
    part: int | None
    may_stop: bool
    may_undo: bool
    folder: str
    rights: str
    row: FileWork


def work_of(files: SiteFiles, work: FileWork) -> Work:
    """A piece of work for the page."""
    wanted, result = json.loads(work.wanted), json.loads(work.result)
    come = json.loads(work.come)
    is_open = work.ended_at is None
    path = wanted.get("path", [])
    folder = wanted.get("target", path if work.op == "files_archive" else path[:-1])
    if work.refusal:
        said = queries.refusal_of(work.refusal, work.limit).message
    else:
        said = _come(come) if is_open else _done(work.op, wanted, result)
    return Work(
        number=work.pk,
        words=_words(work.op, wanted),
        said=said,
        notes=_left_out(result) if isinstance(result, dict) else [],
        problems=[shown(text) for text in result.get("problems", [])] if isinstance(result, dict) else [],
        is_open=is_open,
        is_good=not work.refusal,
        part=_part(come) if is_open else None,
        may_stop=is_open and work.op not in operations.RIGHTS and not work.is_stopped,
        may_undo=work.op == "files_set_rights" and bool(result and result["run"] and result["version"]),
        folder=folder_address(files, tuple(folder)) if work.op != "files_trash_empty" else "",
        rights=path_text(tuple(path)) if work.op in operations.RIGHTS else "",
        row=work,
    )


def _words(op: str, wanted: dict[str, Any]) -> str:
    """What the work is."""
    path = "/" + path_text(tuple(wanted.get("path", ())))
    if op == "files_trash_empty":
        return _("Emptying the trash")
    if op == "files_set_rights":
        return _("Setting permissions of {path}").format(path=path)
    if op == "files_undo_rights":
        return _("Undoing permissions of {path}").format(path=path)
    if op == "files_unpack":
        return _("Unpacking {path} into {name}").format(path=path, name=shown(wanted["name"]))
    names = wanted["names"]
    text = shown(names[0]) if len(names) == 1 else ngettext("{n} object", "{n} objects", len(names))
    text = text.replace("{n}", str(len(names))) if len(names) > 1 else text
    if op == "files_archive":
        return _("Packing {what} into {name}").format(what=text, name=shown(wanted["name"]))
    return _("Copying {what} to {path}").format(what=text, path="/" + path_text(tuple(wanted["target"])))


def _come(come: dict[str, int]) -> str:
    """How far the work has come."""
    if "seen" in come:
        return ngettext("{n} object counted", "{n} objects counted", come["seen"]).format(n=come["seen"])
    if "removed" in come:
        return ngettext("{n} object deleted", "{n} objects deleted", come["removed"]).format(n=come["removed"])
    if "looked_at" in come:
        return _("{n} objects looked at, {changed} changed").format(n=come["looked_at"], changed=come["changed"])
    if "objects" not in come:
        return _("Waiting for its turn")
    if come["of_objects"]:
        return _("{n} of {all} objects, {size}").format(
            n=come["objects"], all=come["of_objects"], size=size_text(come["bytes"])
        )
    return _("{n} objects, {size}").format(n=come["objects"], size=size_text(come["bytes"]))


def _part(come: dict[str, int]) -> int | None:
    for done, whole in (("at", "end"), ("bytes", "of_bytes"), ("objects", "of_objects")):
        if come.get(whole):
            return min(PARTS, come[done] * PARTS // come[whole])
    return None


def _done(op: str, wanted: dict[str, Any], result: Any) -> str:
    """What came of the work."""
    if op == "files_trash_empty":
        return ngettext("{n} object was deleted for good.", "{n} objects were deleted for good.", result).format(
            n=result
        )
    if op in operations.RIGHTS:
        changed = result["changed"]
        if op == "files_undo_rights":
            text = ngettext("Undone. {n} object is as it was.", "Undone. {n} objects are as they were.", changed)
            return text.format(n=changed)
        text = ngettext("Saved. {n} object has other rights now.", "Saved. {n} objects have other rights now.", changed)
        return text.format(n=changed) if changed else _("Saved. Nothing had to be changed.")
    if op == "files_archive":
        return _("{name} was made.").format(name=shown(wanted["name"]))
    if op == "files_unpack":
        n = result["objects"]
        text = ngettext("{name} was made, with {n} object.", "{name} was made, with {n} objects.", n)
        return text.format(name=shown(wanted["name"]), n=n)
    names = result["names"]
    return ngettext("{n} object was copied.", "{n} objects were copied.", len(names)).format(n=len(names))


def _left_out(result: dict[str, Any]) -> list[str]:
    count = result.get("left_out", 0)
    if not count:
        return []
    text = ngettext(
        "{n} object was left out, because it is a link, a device, or has no place there:",
        "{n} objects were left out, because they are links, devices, or have no place there:",
        count,
    )
    more = " …" if count > len(result["examples"]) else ""
    return [text.format(n=count) + " " + ", ".join(map(shown, result["examples"])) + more]


def news(files: SiteFiles) -> list[Work]:
    """What goes on with a site's files, and what ended and nobody was told; it counts as told then."""
    found = queries.works(files, news=True)
    operations.told(found)
    return [work_of(files, work) for work in found]


def seen(files: SiteFiles, work: FileWork) -> Work:
    """A piece of work for the page; how it ended counts as told."""
    operations.told([work])
    return work_of(files, work)


def begun(work: FileWork, address: str) -> HttpResponse:
    """Answer a form that asked for work: the page that follows shows its end, or how far it has come.

    Raises Refused if it ended at once and was not done.
    """
    queries.waited_for(work)
    if work.refusal:
        operations.told([work])
        raise queries.refusal_of(work.refusal, work.limit)
    return redirect(address)


def _found(request: PanelRequest, number: int, work: int) -> tuple[SiteFiles, FileWork]:
    files = site_files(request, number)
    try:
        return files, queries.found_work(files, work)
    except NotFound:
        raise Http404 from None


@require_safe
@for_owners
def show(request: PanelRequest, number: int, work: int) -> HttpResponse:
    """How far one piece of work has come: a part of a page, which asks for itself again."""
    files, found = _found(request, number, work)
    operations.told([found])
    if not request.htmx:
        return redirect("panel:files-works", number)
    return _part_of_page(request, files, found)


@require_safe
@for_owners
def listed(request: PanelRequest, number: int) -> HttpResponse:
    """The latest work on a site's files."""
    files = site_files(request, number)
    found = queries.works(files)
    operations.told(found)
    context = {"section": "files", "site": files.site, "works": [work_of(files, work) for work in found]}
    return render(request, "panel/files_works.html", context)


@require_POST
@for_owners
def stop(request: PanelRequest, number: int, work: int) -> HttpResponse:
    """Give work up."""
    files, found = _found(request, number, work)
    operations.stop(request.actor, files, found.pk)
    queries.waited_for(found)
    return _answered(request, files, found)


@require_POST
@for_owners
def undo(request: PanelRequest, number: int, work: int) -> HttpResponse:
    """Take back what setting rights did."""
    files, found = _found(request, number, work)
    try:
        undoing = queries.waited_for(operations.undo_rights(request.actor, files, found.pk))
    except Refused as refusal:
        if not request.htmx:
            raise
        return _part_of_page(request, files, found, error=refusal.message)
    return _answered(request, files, undoing)


def _answered(request: PanelRequest, files: SiteFiles, work: FileWork) -> HttpResponse:
    if not request.htmx:
        return redirect("panel:files-works", files.site.pk)
    operations.told([work])
    return _part_of_page(request, files, work)


def _part_of_page(request: PanelRequest, files: SiteFiles, work: FileWork, **more: str) -> HttpResponse:
    in_drawer = "drawer" in request.GET or "drawer" in request.POST
    context = {"site": files.site, "work": work_of(files, work), "in_drawer": in_drawer}
    return render(request, "panel/files_work.html", context | more)
