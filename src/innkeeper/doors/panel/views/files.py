"""The files of a site: the list of sites, and folders."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from innkeeper.core.errors import NotFound, Refused
from innkeeper.doors.panel.views import file_work, site_hosting
from innkeeper.doors.panel.views.file_places import (
    crumbs_of,
    folder_address,
    path_in,
    row_of,
    site_files,
    start_in,
)
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.hosting import files as queries
from innkeeper.hosting.filenames import Path, path_text, shown
from innkeeper.hosting.files import PAGE, SiteFiles

ORDERS = {"name": gettext_lazy("Name"), "size": gettext_lazy("Size"), "modified": gettext_lazy("Modified")}


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
        "total": ngettext("{n} object", "{n} objects", page.total).format(n=page.total),
        "cut": page.cut,
        "works": file_work.news(files),
        "earlier": folder_address(files, path, **kept, start=max(0, first - PAGE)) if first else "",
        "later": folder_address(files, path, **kept, start=last) if last < page.total else "",
    }
    if not path:
        context |= site_hosting.settings_of(request, files.site)
    return render(request, "panel/files.html", context | more, status=status)
