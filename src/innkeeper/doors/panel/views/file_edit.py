"""A small text file of a site, to be changed on a page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from innkeeper.core.errors import Refused
from innkeeper.doors.panel.views.file_places import folder_address, object_in, place_of
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.hosting.filenames import shown
from innkeeper.hosting.operations import file_text as operations


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def edit(request: PanelRequest, number: int) -> HttpResponse:
    """Show the text, and take what was made of it."""
    files, path = object_in(request, number)
    context = place_of(files, path)
    if request.method != "POST":
        found = operations.read_text(request.actor, files, path)
        return render(request, "panel/files_edit.html", context | {"text": found.text, "digest": found.digest})
    text, digest = request.POST.get("text", ""), request.POST.get("digest", "")
    try:
        changed = operations.save_text(request.actor, files, path, text, digest)
    except Refused as refusal:
        context |= {"error": refusal.message, "text": text, "digest": digest}
        return render(request, "panel/files_edit.html", context, status=422)
    if changed is not None:
        error = _(
            "Somebody changed this file since you opened it. Save again to put your text in its place; what is there"
            " now goes to the trash."
        )
        context |= {"error": error, "text": text, "digest": changed.digest}
        return render(request, "panel/files_edit.html", context, status=422)
    messages.success(request, _("{name} was saved.").format(name=shown(path[-1])))
    return redirect(folder_address(files, path[:-1]))
