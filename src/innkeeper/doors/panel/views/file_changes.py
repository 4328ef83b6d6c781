"""What a folder's page does with objects: remove, rename, pack, unpack, move, copy, make folders and files."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from innkeeper.core.errors import Refused
from innkeeper.doors.panel.views import file_work
from innkeeper.doors.panel.views.file_downloads import packed
from innkeeper.doors.panel.views.file_places import (
    crumbs_of,
    folder_address,
    object_in,
    path_in,
    place_of,
    site_files,
)
from innkeeper.doors.panel.views.file_trash import UNDO, tell_refusals
from innkeeper.doors.panel.views.files import show_folder
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.hosting import files as queries
from innkeeper.hosting.filenames import Path, new_name, path_of, path_text, shown
from innkeeper.hosting.files import SiteFiles
from innkeeper.hosting.operations import file_work as working
from innkeeper.hosting.operations import files as operations


@require_POST
@for_owners
def change(request: PanelRequest, number: int) -> HttpResponseBase:
    """What a folder's page does with the objects that are selected."""
    files = site_files(request, number)
    path = path_in(request.POST)
    names = operations.selected(request.POST.getlist("name"))
    acts = {"pack": _pack, "download": packed, "place": _place, "remove": _remove}
    act = acts.get(request.POST.get("do", ""))
    if act is None:
        raise Http404
    try:
        operations.few(names)
        return act(request, files, path, names)
    except Refused as refusal:
        return show_folder(request, files, path, status=422, refusal=refusal.message)


def _remove(request: PanelRequest, files: SiteFiles, path: Path, names: list[str]) -> HttpResponse:
    outcomes, keys = operations.remove(request.actor, files, path, names)
    if keys:
        request.session[UNDO] = [files.site.pk, keys]
        text = ngettext("{n} object went to the trash.", "{n} objects went to the trash.", len(keys))
        messages.success(request, text.format(n=len(keys)), extra_tags="undo-files")
    tell_refusals(request, [(outcome.value, outcome.error) for outcome in outcomes if outcome.error])
    return redirect(folder_address(files, path))


def _pack(request: PanelRequest, files: SiteFiles, path: Path, names: list[str]) -> HttpResponse:
    kind = request.POST.get("kind", "zip")
    work = working.pack(request.actor, files, path, names, name=request.POST.get("archive", ""), kind=kind)
    return file_work.begun(work, folder_address(files, path))


def _place(request: PanelRequest, files: SiteFiles, path: Path, names: list[str]) -> HttpResponse:
    """Choose where the selected objects go."""
    return _places(request, files, path, names, to=path)


@require_POST
@for_owners
def place(request: PanelRequest, number: int) -> HttpResponse:
    """Walk through the folders, and move or copy the objects into one."""
    files = site_files(request, number)
    path, to = path_in(request.POST), path_in(request.POST, "to")
    names = operations.selected(request.POST.getlist("name"))
    act = request.POST.get("do", "")
    try:
        operations.few(names)
        if "go" in request.POST:
            to = path_in(request.POST, "go")
        elif act == "open":
            to = path_of(request.POST.get("typed", "").strip())
        elif act == "move":
            return _move(request, files, path, names, to)
        elif act == "copy":
            work = working.copy(request.actor, files, path, names, to)
            return file_work.begun(work, folder_address(files, to))
    except Refused as refusal:
        return _places(request, files, path, names, to=to, error=refusal.message)
    return _places(request, files, path, names, to=to)


def _move(request: PanelRequest, files: SiteFiles, path: Path, names: list[str], to: Path) -> HttpResponse:
    outcomes = operations.move(request.actor, files, path, names, to)
    done = sum(outcome.error is None for outcome in outcomes)
    if done:
        text = ngettext("{n} object was moved.", "{n} objects were moved.", done).format(n=done)
        messages.success(request, text)
    tell_refusals(request, [(outcome.value, outcome.error) for outcome in outcomes if outcome.error])
    return redirect(folder_address(files, to if done else path))


def _places(
    request: PanelRequest, files: SiteFiles, path: Path, names: list[str], *, to: Path, error: str = ""
) -> HttpResponse:
    folders: list[dict[str, str]] = []
    try:
        page = queries.folder(files, to)
    except Refused as refusal:
        error = error or refusal.message
    else:
        folders = [
            {"text": shown(entry.name), "path": path_text((*to, entry.name))}
            for entry in page.entries
            if entry.is_folder and not (to == path and entry.name in names)
        ]
    context = {
        "section": "files", "site": files.site, "path": path_text(path), "to": path_text(to), "folders": folders,
        "names": [shown(name) for name in names], "way": crumbs_of(to), "crumbs": crumbs_of(path), "error": error,
        "back": folder_address(files, path), "is_here": to == path,
    }  # fmt: skip
    return render(request, "panel/files_place.html", context, status=422 if error else 200)


@require_POST
@for_owners
def make_folder(request: PanelRequest, number: int) -> HttpResponse:
    """Make a folder in the one that is shown, or an empty text file to write into."""
    files = site_files(request, number)
    path, name = path_in(request.POST), request.POST.get("name", "")
    is_file = request.POST.get("do") == "file"
    try:
        if is_file:
            operations.upload(request.actor, files, path, name, iter(()))
        else:
            operations.make_folder(request.actor, files, path, name)
    except Refused as refusal:
        return show_folder(request, files, path, status=422, folder_error=refusal.message, folder_name=name)
    if is_file:
        address = reverse("panel:files-edit", args=[number])
        return redirect(f"{address}?{urlencode({'path': path_text((*path, new_name(name)))})}")
    messages.success(request, _("The folder {name} was made.").format(name=name))
    return redirect(folder_address(files, path))


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def unpack(request: PanelRequest, number: int) -> HttpResponse:
    """Unpack an archive into a new folder."""
    files, path = object_in(request, number)
    name, error = shown(working.stem(path[-1])), ""
    if request.method == "POST":
        name = request.POST.get("name", "")
        try:
            work = working.unpack(request.actor, files, path, name=name)
            return file_work.begun(work, folder_address(files, path[:-1]))
        except Refused as refusal:
            error = refusal.message
    context = place_of(files, path) | {"name": name, "error": error}
    return render(request, "panel/files_unpack.html", context, status=422 if error else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def rename(request: PanelRequest, number: int) -> HttpResponse:
    """Give an object another name."""
    files, path = object_in(request, number)
    name, error = shown(path[-1]), ""
    if request.method == "POST":
        name = request.POST.get("name", "")
        try:
            if name != shown(path[-1]):
                operations.rename(request.actor, files, path, name)
                messages.success(request, _("{old} is called {new} now.").format(old=shown(path[-1]), new=name))
            return redirect(folder_address(files, path[:-1]))
        except Refused as refusal:
            error = refusal.message
    context = place_of(files, path) | {"name": name, "error": error}
    return render(request, "panel/files_rename.html", context, status=422 if error else 200)
