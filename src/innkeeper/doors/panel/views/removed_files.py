"""Files of removed sites, subdomains and web users: what can still come back."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from innkeeper.core.errors import Refused
from innkeeper.core.serversettings import read_setting
from innkeeper.doors.panel.forms import refusal_text
from innkeeper.doors.panel.visitor import PanelRequest, for_administrator
from innkeeper.hosting.operations import RemovedTree, places_of, removed_trees, restore_files
from innkeeper.hosting.placement import RETENTION

ROWS, SHOWN = 100, 10


@require_safe
@for_administrator
def removed_list(request: PanelRequest) -> HttpResponse:
    """What was removed last, with the day its files are deleted."""
    search = request.GET.get("q", "").strip()[:100]
    found = [tree for tree in removed_trees(request.actor) if search.lower() in tree.name]
    places = places_of(found[:ROWS])
    context = {
        "section": "removed-files",
        "rows": [{"tree": tree, "may_restore": tree.grave in places} for tree in found[:ROWS]],
        "full": len(found) > ROWS,
        "search": search,
        "days": int(read_setting(RETENTION)),
    }
    return render(request, "panel/removed_files.html", context)


@require_POST
@for_administrator
def restore(request: PanelRequest) -> HttpResponse:
    """Give files back to the account that has the place of the removed one."""
    grave = request.POST.get("grave", "")
    trees = [tree for tree in removed_trees(request.actor) if tree.grave == grave]
    place = places_of(trees).get(grave)
    if place is None:
        messages.error(request, _("These files are not kept any more, or nothing has their place now."))
        return redirect("panel:removed-files")
    try:
        done = restore_files(request.actor, place.webspace, (place.key,), grave)
    except Refused as refusal:
        messages.error(request, refusal_text(refusal))
        return redirect("panel:removed-files")
    text = _("The files of {names} come back in a moment. What was there is kept here.")
    messages.success(request, text.format(names=_names([done.tree, *done.along])))
    if done.waiting:
        text = _("Not those of {names}: create them first, then restore their files here.")
        messages.warning(request, text.format(names=_names(done.waiting)))
    return redirect("panel:removed-files")


def _names(trees: Sequence[RemovedTree]) -> str:
    names = [tree.name for tree in trees[:SHOWN]]
    return ", ".join(names if len(trees) <= SHOWN else [*names, "…"])
