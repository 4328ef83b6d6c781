"""Uploads: a form's files at once, or by a script one part after the other, of any size and with progress."""

from __future__ import annotations

import re

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from innkeeper.core.errors import Refused
from innkeeper.doors.panel.views.file_places import folder_address, path_in, site_files
from innkeeper.doors.panel.views.files import show_folder
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.hosting import files as queries
from innkeeper.hosting.filenames import new_name
from innkeeper.hosting.operations import files as operations

TOKEN = re.compile(r"[0-9a-f]{32}")
MAX_DIGITS = 13
PART = 1024 * 1024


@require_POST
@for_owners
def upload(request: PanelRequest, number: int) -> HttpResponse:
    """Take the files of a form."""
    files = site_files(request, number)
    path = path_in(request.POST)
    done = 0
    for file in request.FILES.getlist("file"):
        try:
            replace = "replace" in request.POST
            operations.upload(request.actor, files, path, file.name or "", file.chunks(PART), replace=replace)
            done += 1
        except Refused as refusal:
            return show_folder(request, files, path, status=422, upload_error=f"{file.name}: {refusal.message}")
    if not done:
        return show_folder(request, files, path, status=422, upload_error=_("Choose a file first."))
    messages.success(request, ngettext("{n} file was uploaded.", "{n} files were uploaded.", done).format(n=done))
    return redirect(folder_address(files, path))


def _refused(refusal: Refused) -> JsonResponse:
    return JsonResponse({"error": refusal.message}, status=422)


def _token(request: PanelRequest) -> str:
    token = request.GET.get("token", "")
    return token if TOKEN.fullmatch(token) else "0" * 32


def _count(request: PanelRequest, name: str) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else 0


@require_POST
@for_owners
def begin(request: PanelRequest, number: int) -> HttpResponse:
    """Begin an upload by parts: its token, and whether its name is in use already."""
    files, path = site_files(request, number), path_in(request.GET)
    try:
        name = new_name(request.GET.get("name", ""))
        token = operations.begin_upload(files, path)
        return JsonResponse({"token": token, "exists": queries.is_there(files, (*path, name))})
    except Refused as refusal:
        return _refused(refusal)


@require_POST
@for_owners
def part(request: PanelRequest, number: int) -> HttpResponse:
    """Take the body as the part at an offset."""
    files = site_files(request, number)
    try:
        offset = _count(request, "offset")
        size = operations.write_upload(files, path_in(request.GET), _token(request), offset, request.body)
        return JsonResponse({"size": size})
    except Refused as refusal:
        return _refused(refusal)


@require_POST
@for_owners
def end(request: PanelRequest, number: int) -> HttpResponse:
    """End an upload: the file has its name now."""
    files = site_files(request, number)
    path, name, size = path_in(request.GET), request.GET.get("name", ""), _count(request, "size")
    replace = request.GET.get("replace") == "1"
    try:
        operations.end_upload(request.actor, files, path, _token(request), name=name, size=size, replace=replace)
        return JsonResponse({"name": name})
    except Refused as refusal:
        return _refused(refusal)


@require_POST
@for_owners
def drop(request: PanelRequest, number: int) -> HttpResponse:
    """Give an upload up."""
    files = site_files(request, number)
    try:
        operations.drop_upload(files, path_in(request.GET), _token(request))
        return JsonResponse({})
    except Refused as refusal:
        return _refused(refusal)
