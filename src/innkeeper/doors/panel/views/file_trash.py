"""The trash of a site: what it holds, bringing back, and deleting for good."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from innkeeper.core.errors import Refused
from innkeeper.doors.panel.views import file_work
from innkeeper.doors.panel.views.file_places import site_files, start_in
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.hosting import files as queries
from innkeeper.hosting.filenames import path_text
from innkeeper.hosting.files import PAGE, SiteFiles
from innkeeper.hosting.operations import file_work as working
from innkeeper.hosting.operations import files as operations

UNDO = "files-removed"
SHOWN_REFUSALS = 5


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def trash(request: PanelRequest, number: int) -> HttpResponse:
    """What the trash holds; a POST brings objects back or deletes all of them."""
    files = site_files(request, number)
    if request.method == "POST":
        if request.POST.get("do") == "empty":
            return file_work.begun(working.empty_trash(request.actor, files), request.path)
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
        "total": ngettext("{n} object", "{n} objects", total).format(n=total),
        "earlier": f"?start={max(0, first - PAGE)}" if first else "",
        "later": f"?start={first + PAGE}" if first + PAGE < total else "",
        "works": file_work.news(files),
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


def tell_refusals(request: PanelRequest, refused: list[tuple[str, Refused]]) -> None:
    """Say what was not done, object by object."""
    for text, refusal in refused[:SHOWN_REFUSALS]:
        messages.error(request, f"{text}: {refusal.message}")
    if len(refused) > SHOWN_REFUSALS:
        left = len(refused) - SHOWN_REFUSALS
        messages.error(request, ngettext("And {n} more.", "And {n} more.", left).format(n=left))
