"""The files of a site: its folders, downloads and the trash."""

from __future__ import annotations

import io
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import IO, Any

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from innkeeper.core.errors import NotFound, Refused
from innkeeper.doors.panel.views import site_hosting
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.hosting import files as queries
from innkeeper.hosting.filenames import Path, path_of, path_text, shown
from innkeeper.hosting.files import PAGE, Entry, SiteFiles
from innkeeper.hosting.operations import files as operations

UNDO = "files-removed"
ORDERS = {"name": gettext_lazy("Name"), "size": gettext_lazy("Size"), "modified": gettext_lazy("Modified")}
SHOWN_REFUSALS = 5
ICONS = {"folder": "folder", "file": "file-earmark", "link": "link-45deg", "other": "file-earmark"}


@dataclass(frozen=True, slots=True)
class Row:
    """One object as the page shows it. `text` and `path` name it in forms and addresses."""

    text: str
    path: str
    kind: str
    size: int
    modified: datetime
    owner: str
    mode: str
    target: str


@dataclass(frozen=True, slots=True)
class Crumb:
    """A folder on the way."""

    text: str
    path: str


def site_files(request: PanelRequest, number: int) -> SiteFiles:
    """A site's files. What is missing and what is somebody else's is the same 404."""
    try:
        return queries.files_of(request.actor, number)
    except NotFound:
        raise Http404 from None


def path_in(values: Any, name: str = "path") -> Path:
    """The path that a form or an address names."""
    try:
        return path_of(values.get(name, ""))
    except Refused:
        raise Http404 from None


def folder_address(files: SiteFiles, path: Path, **more: Any) -> str:
    """The address of a folder's page."""
    values = ({"path": path_text(path)} if path else {}) | more
    return reverse("panel:files", args=[files.site.pk]) + ("?" + urlencode(values) if values else "")


@lru_cache(maxsize=4096)
def account_name(uid: int) -> str:
    """The name of a system account."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def row_of(entry: Entry, folder: Path) -> Row:
    """An object of a folder for the page."""
    modified = datetime.fromtimestamp(min(max(entry.modified, 0), 253402300799), UTC)
    text = shown(entry.name)
    kinds = {"folder": stat.S_IFDIR, "link": stat.S_IFLNK, "file": stat.S_IFREG}
    mode = stat.filemode(entry.mode | kinds.get(entry.kind, 0))
    path = path_text((*folder, entry.name))
    return Row(text, path, entry.kind, entry.size, modified, account_name(entry.uid), mode, shown(entry.target))


def crumbs_of(path: Path) -> list[Crumb]:
    """The folders above a path, the top first."""
    return [Crumb(shown(path[depth - 1]), path_text(path[:depth])) for depth in range(1, len(path) + 1)]


@require_safe
@for_owners
def site_list(request: PanelRequest) -> HttpResponse:
    """The sites that have files, to choose one."""
    search = request.GET.get("q", "").strip()[:100]
    found, has_more = queries.hosted_folders(request.actor, search)
    if len(found) == 1 and not search and "all" not in request.GET:
        return redirect("panel:files", found[0].site_id)
    rows = [
        {"name": each.name, "kind": each.kind, "site": each.site_id, "path": path_text(each.path)} for each in found
    ]
    context = {"section": "files", "rows": rows, "search": search, "has_more": has_more}
    return render(request, "panel/files_sites.html", context)


@require_safe
@for_owners
def folder(request: PanelRequest, number: int) -> HttpResponse:
    """One folder."""
    files = site_files(request, number)
    return show_folder(request, files, path_in(request.GET))


def start_in(request: PanelRequest) -> int:
    """The number of the first object that a page shows."""
    start = request.GET.get("start", "0")
    return int(start) if start.isascii() and start.isdigit() and len(start) < 9 else 0


def show_folder(request: PanelRequest, files: SiteFiles, path: Path, *, status: int = 200, **more: Any) -> HttpResponse:
    """The page of a folder, with what went wrong with a form on it."""
    sort = request.GET.get("sort", "name")
    descending, order = sort.startswith("-"), sort.removeprefix("-")
    if order not in ORDERS:
        raise Http404
    first = start_in(request)
    try:
        page = queries.folder(files, path, order=order, descending=descending, start=first)
    except Refused as refusal:
        context = {"section": "files", "site": files.site, "crumbs": crumbs_of(path), "refusal": refusal.message}
        return render(request, "panel/files_away.html", context, status=404 if isinstance(refusal, NotFound) else 422)
    kept = {"sort": sort} if sort != "name" else {}
    columns = [
        {
            "words": words,
            "order": ("descending" if descending else "ascending") if name == order else "",
            "link": folder_address(files, path, sort=f"-{name}" if name == order and not descending else name),
        }
        for name, words in ORDERS.items()
    ]
    last = first + len(page.entries)
    context = {
        "section": "files",
        "site": files.site,
        "path": path_text(path),
        "title": shown(path[-1]) if path else files.site.name,
        "crumbs": crumbs_of(path[:-1]) if path else [],
        "rows": [row_of(entry, path) for entry in page.entries],
        "columns": columns,
        "icons": ICONS,
        "total": ngettext("{n} object", "{n} objects", page.total).format(n=page.total),
        "cut": page.cut,
        "earlier": folder_address(files, path, **kept, start=max(0, first - PAGE)) if first else "",
        "later": folder_address(files, path, **kept, start=last) if last < page.total else "",
    }
    if not path:
        context |= site_hosting.settings_of(request, files.site)
    return render(request, "panel/files.html", context | more, status=status)


class _Promised(io.RawIOBase):
    """A file of which no more is read than was promised, should it grow meanwhile."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        super().__init__()
        self._file = file
        self._left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        part = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(part)
        return part

    def close(self) -> None:
        self._file.close()
        super().close()


@require_safe
@for_owners
def download(request: PanelRequest, number: int) -> HttpResponseBase:
    """A file as it is, never as a page."""
    files = site_files(request, number)
    path = path_in(request.GET)
    if not path:
        raise Http404
    entry, file = operations.read_file(request.actor, files, path)
    name = "".join(letter if letter.isprintable() else "_" for letter in entry.name)
    response = FileResponse(
        _Promised(file, entry.size), as_attachment=True, filename=name, content_type="application/octet-stream"
    )
    response["Content-Length"] = str(entry.size)
    return response


@require_POST
@for_owners
def change(request: PanelRequest, number: int) -> HttpResponse:
    """What a folder's page does with the objects that are selected."""
    files = site_files(request, number)
    path = path_in(request.POST)
    names = operations.selected(request.POST.getlist("name"))
    if request.POST.get("do") == "pack":
        return _pack(request, files, path, names)
    try:
        outcomes, keys = operations.remove(request.actor, files, path, names)
    except Refused as refusal:
        return show_folder(request, files, path, status=422, refusal=refusal.message)
    if keys:
        request.session[UNDO] = [number, keys]
        text = ngettext("{n} object went to the trash.", "{n} objects went to the trash.", len(keys))
        messages.success(request, text.format(n=len(keys)), extra_tags="undo-files")
    tell_refusals(request, [(outcome.value, outcome.error) for outcome in outcomes if outcome.error])
    return redirect(folder_address(files, path))


def tell_refusals(request: PanelRequest, refused: list[tuple[str, Refused]]) -> None:
    """Say what was not done, object by object."""
    for text, refusal in refused[:SHOWN_REFUSALS]:
        messages.error(request, f"{text}: {refusal.message}")
    if len(refused) > SHOWN_REFUSALS:
        left = len(refused) - SHOWN_REFUSALS
        messages.error(request, ngettext("And {n} more.", "And {n} more.", left).format(n=left))


def _pack(request: PanelRequest, files: SiteFiles, path: Path, names: list[str]) -> HttpResponse:
    kind = request.POST.get("kind", "zip")
    try:
        entry, left_out = operations.pack(
            request.actor, files, path, names, name=request.POST.get("archive", ""), kind=kind
        )
    except Refused as refusal:
        return show_folder(request, files, path, status=422, refusal=refusal.message)
    messages.success(request, _("{name} was made.").format(name=shown(entry.name)))
    if left_out:
        text = ngettext("{n} link was left out.", "{n} links were left out.", left_out)
        messages.warning(request, text.format(n=left_out))
    return redirect(folder_address(files, path))


@require_POST
@for_owners
def make_folder(request: PanelRequest, number: int) -> HttpResponse:
    """Make a folder in the one that is shown."""
    files = site_files(request, number)
    path, name = path_in(request.POST), request.POST.get("name", "")
    try:
        operations.make_folder(request.actor, files, path, name)
    except Refused as refusal:
        return show_folder(request, files, path, status=422, folder_error=refusal.message, folder_name=name)
    messages.success(request, _("The folder {name} was made.").format(name=name))
    return redirect(folder_address(files, path))


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def rename(request: PanelRequest, number: int) -> HttpResponse:
    """Give an object another name."""
    files = site_files(request, number)
    path = path_in(request.POST if request.method == "POST" else request.GET)
    if not path:
        raise Http404
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
    context = {
        "section": "files", "site": files.site, "path": path_text(path), "old": shown(path[-1]), "name": name,
        "error": error, "crumbs": crumbs_of(path[:-1]), "back": folder_address(files, path[:-1]),
    }  # fmt: skip
    return render(request, "panel/files_rename.html", context, status=422 if error else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def trash(request: PanelRequest, number: int) -> HttpResponse:
    """What the trash holds; a POST brings objects back or deletes all of them."""
    files = site_files(request, number)
    if request.method == "POST":
        if request.POST.get("do") == "empty":
            gone = operations.empty_trash(request.actor, files)
            text = ngettext("{n} object was deleted for good.", "{n} objects were deleted for good.", gone)
            messages.success(request, text.format(n=gone))
        else:
            _restore(request, files, request.POST.getlist("key"))
        return redirect("panel:files-trash", number)
    first = start_in(request)
    found, total = queries.trashed(files, first)
    rows = [
        {
            "key": item.key,
            "path": path_text(item.path),
            "kind": item.entry.kind,
            "size": item.entry.size,
            "came": datetime.fromtimestamp(item.came, UTC),
        }
        for item in found
    ]
    context = {
        "section": "files",
        "site": files.site,
        "rows": rows,
        "icons": ICONS,
        "total": ngettext("{n} object", "{n} objects", total).format(n=total),
        "earlier": f"?start={max(0, first - PAGE)}" if first else "",
        "later": f"?start={first + PAGE}" if first + PAGE < total else "",
        "days": operations.TRASH_KEPT_S // 86400,
    }
    return render(request, "panel/files_trash.html", context)


def _restore(request: PanelRequest, files: SiteFiles, keys: list[str]) -> None:
    outcomes, paths = operations.restore(request.actor, files, keys)
    for path in paths[:SHOWN_REFUSALS]:
        messages.success(request, _("{path} is back.").format(path=path_text(path)))
    tell_refusals(request, [(_("Not restored"), outcome.error) for outcome in outcomes if outcome.error])


@require_POST
@for_owners
def undo(request: PanelRequest) -> HttpResponse:
    """Bring back what was removed last."""
    number, keys = request.session.pop(UNDO, None) or [0, []]
    if not keys:
        return redirect("panel:files-sites")
    files = site_files(request, number)
    _restore(request, files, keys)
    return redirect("panel:files", number)


def parts_of(file: Any) -> Iterator[bytes]:
    """An uploaded file in parts."""
    yield from file.chunks(chunk_size=1024 * 1024)
