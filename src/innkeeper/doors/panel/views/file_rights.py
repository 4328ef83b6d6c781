"""Permissions of a file or folder: who may do what, by which rule, and a rule of one's own."""

from __future__ import annotations

import re
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from innkeeper.core.errors import InvalidValue, NotFound, Refused
from innkeeper.doors.panel.views import file_work
from innkeeper.doors.panel.views.file_places import path_in, place_of, site_files
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.hostd.file_client import RightsRule
from innkeeper.hosting import files as queries
from innkeeper.hosting.filenames import Path, path_text, shown
from innkeeper.hosting.files import SiteFiles
from innkeeper.hosting.operations import file_work as operations

WORK = re.compile(r"[0-9]{1,18}")
SID = re.compile(r"S-1-[0-9]{1,15}(-[0-9]{1,10}){0,15}")
RIGHTS = (
    ("full", gettext_lazy("Full control"), 0x1F01FF),
    ("modify", gettext_lazy("Modify"), 0x1301BF),
    ("run", gettext_lazy("Read and execute"), 0x1200A9),
    ("read", gettext_lazy("Read"), 0x120089),
    ("write", gettext_lazy("Write"), 0x120006),
)
# What a rule of an owner can deny: to read, write and execute. A right counts as denied with its part of that.
DENIED = 0x27
# Sets of rights that rules speak of and that are no single row of the table.
OTHER_SETS = {
    0x1200AF: gettext_lazy("Everything but removing it"),
    0x12019F: gettext_lazy("Read and write"),
    0x130089: gettext_lazy("Read and remove"),
    0x010000: gettext_lazy("Remove"),
    DENIED: gettext_lazy("Read, write and execute"),
}
MASKS = {name: mask for name, _words, mask in RIGHTS}
APPLIES = (
    ("ThisFolderSubfoldersAndFiles", gettext_lazy("This folder, subfolders and files")),
    ("ThisObjectOnly", gettext_lazy("This folder only")),
    ("ThisFolderAndSubfolders", gettext_lazy("This folder and subfolders")),
    ("ThisFolderAndFiles", gettext_lazy("This folder and its files")),
    ("SubfoldersAndFilesOnly", gettext_lazy("Subfolders and files only")),
)
APPLIES_WORDS = dict(APPLIES) | {"0x9": gettext_lazy("Files only")}
ASKED = {"read": gettext_lazy("Read"), "write": gettext_lazy("Write"), "execute": gettext_lazy("Execute, pass through")}


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def rights(request: PanelRequest, number: int) -> HttpResponse:
    """The permissions of one object; a POST sets those of one account."""
    files = site_files(request, number)
    values = request.POST if request.method == "POST" else request.GET
    path, about = path_in(values), values.get("account", "")
    about = about if SID.fullmatch(about) else ""
    if request.method != "POST":
        return _show(request, files, path, about, **_work_in(request, files))
    ticked: dict[str, Any] = {name: request.POST.getlist(name) for name in ("allow", "deny")}
    try:
        work = operations.set_rights(request.actor, files, path, _rule(request, about, ticked))
        query = urlencode({"path": path_text(path), "account": about, "work": str(work.pk)})
        answer = file_work.begun(work, reverse("panel:files-rights", args=[number]) + "?" + query)
    except Refused as refusal:
        return _show(request, files, path, about, error=refusal.message, ticked=ticked)
    return _show(request, files, path, about, work=file_work.seen(files, work)) if request.htmx else answer


def _work_in(request: PanelRequest, files: SiteFiles) -> dict[str, Any]:
    """The work that an address names: that which a form has just asked for."""
    number = request.GET.get("work", "")
    try:
        return {"work": file_work.seen(files, queries.found_work(files, int(number)))} if WORK.fullmatch(number) else {}
    except NotFound:
        raise Http404 from None


def _rule(request: PanelRequest, about: str, ticked: dict[str, list[str]]) -> RightsRule:
    applies = request.POST.get("applies", "ThisObjectOnly")
    if applies not in dict(APPLIES):
        raise InvalidValue(_("Choose what it applies to."), field="applies")
    if not about:
        raise InvalidValue(_("Choose an account."), field="account")
    if request.POST.get("do") == "forget":
        return RightsRule(about, 0, 0, applies)
    if set(ticked["allow"]) & set(ticked["deny"]):
        raise InvalidValue(_("Tick one right as allowed or as denied, not as both."))
    masks = {kind: _mask(names) for kind, names in ticked.items()}
    if not any(masks.values()):
        raise InvalidValue(_("Tick at least one right, or take the rule back."))
    return RightsRule(about, masks["allow"], masks["deny"], applies)


def _mask(names: list[str]) -> int:
    mask = 0
    for name in names:
        mask |= MASKS.get(name, 0)
    return mask


def _show(request: PanelRequest, files: SiteFiles, path: Path, about: str, **more: Any) -> HttpResponse:
    try:
        told = queries.rights_of(files, path)
        listed = [account["sid"] for account in told["accounts"]]
        about = about if about in listed else next(iter(listed), "")
        told = queries.rights_of(files, path, about)
    except Refused as refusal:
        told = None
        more["refusal"] = refusal.message
        status = 404 if isinstance(refusal, NotFound) and not request.htmx else 200
    else:
        status = 422 if more.get("error") else 200
    context = place_of(files, path) | {"about": about, "in_drawer": bool(request.htmx), "applies": APPLIES}
    if told is not None:
        context |= _told(told, about, more.get("ticked"))
    template = "panel/files_rights_body.html" if request.htmx else "panel/files_rights.html"
    return render(request, template, context | more, status=status)


def _told(told: dict[str, Any], about: str, ticked: dict[str, list[str]] | None) -> dict[str, Any]:
    """What hostd told of an object, in words."""
    account = next((account for account in told["accounts"] if account["sid"] == about), None)
    own = account["own"] if account else None
    return {
        "accounts": told["accounts"],
        "account": account,
        "owner": told["owner"],
        "group": told["group"],
        "is_folder": told["is_folder"],
        "critical": queries.refusal_of(told["critical"]).message if told["critical"] else "",
        "own": own,
        "chosen_applies": own["applies"] if own else "ThisFolderSubfoldersAndFiles",
        "rights": _ticks(told, about, own, ticked),
        "entries": [_entry(entry) for entry in told["entries"]],
        "hand": told["hand"],
        "effective": [_effective(told, verdict) for verdict in told["verdicts"]],
    }


def _ticks(
    told: dict[str, Any], about: str, own: dict[str, Any] | None, ticked: dict[str, list[str]] | None
) -> list[dict[str, Any]]:
    """The rights with their ticks: as they were just sent, as the own rule says, or as everything together gives."""
    allow = deny = 0
    for entry in told["entries"]:
        if entry["sid"] == about and entry["is_here"]:
            if entry["deny"]:
                deny |= entry["mask"]
            else:
                allow |= entry["mask"]
    if own:
        allow, deny = own["allow"], own["deny"]
    rows = []
    for name, words, mask in RIGHTS:
        if ticked is None:
            allowed, denied = mask & ~allow == 0, bool(deny) and mask & DENIED & ~deny == 0
        else:
            allowed, denied = name in ticked["allow"], name in ticked["deny"]
        rows.append({"name": name, "words": words, "allowed": allowed, "denied": denied})
    return rows


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    words = {mask: words for _name, words, mask in RIGHTS} | OTHER_SETS
    return {
        "deny": entry["deny"],
        "name": entry["name"],
        "rights": words.get(entry["mask"], entry["letters"]),
        "applies": APPLIES_WORDS.get(entry["applies"], entry["applies"]),
        "origins": [_origin(rule, entry["origin"]) for rule in entry["rules"]] or [_("The object's own")],
    }


def _origin(rule: dict[str, Any], origin: str) -> str:
    values = {"file": rule["file"], "line": rule["line"], "at": "/" + shown(rule["at"])}
    if origin == "inherited":
        return _("Inherited from {at} ({file}, line {line})").format(**values)
    if rule["own"]:
        return _("Own rule ({file}, line {line})").format(**values)
    return _("Rule in {file}, line {line}").format(**values)


def _effective(told: dict[str, Any], verdict: dict[str, Any]) -> dict[str, Any]:
    reasons = [_entry(entry) for entry in verdict["reasons"]]
    kernel = told.get("kernel", {}).get(verdict["right"])
    answer = verdict["rules"] or verdict["passes"] if kernel is None else kernel
    return {"words": ASKED[verdict["right"]], "may": answer, "reasons": reasons, "asked": kernel is not None}
