"""The automatic replies of an account and their files, for whoever looks after it and for its owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from innkeeper.core.errors import Refused
from innkeeper.doors.panel.forms import refusal_text
from innkeeper.doors.panel.reply_forms import ReplyForm, RepositoryForm
from innkeeper.doors.panel.views import own
from innkeeper.doors.panel.views.mail_account import find
from innkeeper.doors.panel.visitor import PanelRequest, for_mail_users, for_owners
from innkeeper.mail.operations import (
    UNSET,
    AccountChange,
    Mode,
    NewFile,
    Replies,
    ReplyChange,
    UpdateAccounts,
    update_accounts,
)
from innkeeper.mail.queries import AccountInfo, ReplyInfo

NOTHING = Replies()


@dataclass(frozen=True, slots=True)
class Place:
    """Whose replies they are, and where their pages stand."""

    site_id: int
    info: AccountInfo
    address: str
    frame: str
    home: str
    list: str
    edit: str
    files: str

    def reply(self, name: str | None) -> ReplyInfo | None:
        """The stored reply of a name; None for a new one."""
        if name is None:
            return None
        found = next((reply for reply in self.info.replies if reply.name == name), None)
        if found is None:
            raise Http404
        return found

    def change(
        self, request: PanelRequest, replies: Replies = NOTHING, mode: Mode = Mode.ADD, files: tuple[NewFile, ...] = ()
    ) -> None:
        """Change replies and files. Raises what the operation refuses."""
        change = AccountChange(self.info.name, autoresponders=replies, files=files or UNSET)
        (outcome,) = update_accounts(request.actor, UpdateAccounts(self.site_id, mode, (change,)))
        if outcome.error is not None:
            raise outcome.error


def _of_owner(request: PanelRequest, number: int) -> Place:
    row, info = find(request, number)
    pages = [
        reverse(f"panel:{name}", args=[number])
        for name in ("mail-edit", "mail-replies", "mail-reply-edit", "mail-reply-files")
    ]
    return Place(row.site_id, info, row.address, "panel/frame.html", *pages)


def _of_mail_user(request: PanelRequest) -> Place:
    site_id, info = own.account(request)
    pages = [reverse(f"panel:{name}") for name in ("own", "own-replies", "own-reply-edit", "own-reply-files")]
    return Place(site_id, info, request.actor.login, "panel/own_frame.html", *pages)


def _list(request: PanelRequest, place: Place) -> HttpResponse:
    """All replies in the order in which they are tried; a POST moves, switches or removes one."""
    if request.method == "POST":
        reply = place.reply(request.POST.get("name", ""))
        act = ACTIONS.get(request.POST.get("action", ""))
        if reply is None or act is None:
            raise Http404
        try:
            place.change(request, *act(place.info.replies, reply))
        except Refused as refusal:
            messages.error(request, refusal_text(refusal))
        return redirect(place.list)
    return _show_list(request, place, RepositoryForm())


def _show_list(request: PanelRequest, place: Place, form: RepositoryForm) -> HttpResponse:
    replies = [
        {
            "reply": reply,
            "edit": f"{place.edit}?{urlencode({'name': reply.name})}",
            "acts": reply.enabled and place.info.autoresponders_enabled,
            "until": reply.end_date and date.fromisoformat(reply.end_date),
        }
        for reply in place.info.replies
    ]
    files = [
        {"file": file, "replies": [reply.name for reply in place.info.replies if file.name in reply.attachments]}
        for file in place.info.files
    ]
    context = {"place": place, "rows": replies, "files": files, "form": form, "section": "mail"}
    return render(request, "panel/replies.html", context, status=422 if form.errors else 200)


def _files(request: PanelRequest, place: Place) -> HttpResponse:
    """Keep new files for replies, or remove one, which then goes with no reply any more."""
    name = request.POST.get("remove")
    if name is not None:
        if name not in {file.name for file in place.info.files}:
            raise Http404
        place.change(request, mode=Mode.REMOVE, files=(NewFile(name),))
        messages.success(request, _("{name} was removed.").format(name=name))
        return redirect(place.list)
    form = RepositoryForm(request.POST, request.FILES)
    if form.is_valid():
        files = form.cleaned_data["new_files"]
        try:
            place.change(request, files=files)
            done = ngettext("{n} file was uploaded.", "{n} files were uploaded.", len(files)).format(n=len(files))
            messages.success(request, done)
            return redirect(place.list)
        except Refused as refusal:
            form.add_error("new_files", refusal_text(refusal))
    return _show_list(request, place, form)


def _edit(request: PanelRequest, place: Place) -> HttpResponse:
    """Write a new reply, or change one."""
    stored = place.reply(request.GET.get("name"))
    taken = {reply.name for reply in place.info.replies}
    given = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    form = ReplyForm(*given, stored=stored, taken=taken, repository=place.info.files)
    if request.method == "POST" and form.is_valid():
        change = form.change(stored.name if stored else form.cleaned_data["name"])
        try:
            replies = Replies(True if change.enabled else UNSET, (change,))
            place.change(request, replies, files=form.cleaned_data["new_files"])
            messages.success(request, _("Saved."))
            return redirect(place.list)
        except Refused as refusal:
            form.add_refusal(refusal)
    context = {"place": place, "form": form, "stored": stored, "section": "mail"}
    return render(request, "panel/reply_edit.html", context, status=422 if form.errors else 200)


Change = tuple[Replies, Mode]


def _moved(step: int) -> Callable[[list[ReplyInfo], ReplyInfo], Change]:
    def move(replies: list[ReplyInfo], reply: ReplyInfo) -> Change:
        names = [each.name for each in replies]
        place = names.index(reply.name)
        names.insert(max(place + step, 0), names.pop(place))
        return Replies(order=tuple(names)), Mode.ADD

    return move


def _switched(on: bool) -> Callable[[list[ReplyInfo], ReplyInfo], Change]:
    # The switch of all goes on with the first that is to act; switching one off leaves the others.
    return lambda replies, reply: (Replies(True if on else UNSET, (ReplyChange(reply.name, enabled=on),)), Mode.ADD)


def _removed(replies: list[ReplyInfo], reply: ReplyInfo) -> Change:
    return Replies(replies=(ReplyChange(reply.name),)), Mode.REMOVE


ACTIONS: dict[str, Callable[[list[ReplyInfo], ReplyInfo], Change]] = {
    "up": _moved(-1),
    "down": _moved(1),
    "on": _switched(True),
    "off": _switched(False),
    "remove": _removed,
}


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def of_account(request: PanelRequest, number: int) -> HttpResponse:
    """The replies of an account in the visitor's scope."""
    return _list(request, _of_owner(request, number))


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def edit_of_account(request: PanelRequest, number: int) -> HttpResponse:
    """One reply of an account in the visitor's scope."""
    return _edit(request, _of_owner(request, number))


@require_POST
@for_owners
def files_of_account(request: PanelRequest, number: int) -> HttpResponse:
    """Files for the replies of an account in the visitor's scope."""
    return _files(request, _of_owner(request, number))


@require_http_methods(["GET", "HEAD", "POST"])
@for_mail_users
def own_list(request: PanelRequest) -> HttpResponse:
    """The replies of the visitor's own account."""
    return _list(request, _of_mail_user(request))


@require_http_methods(["GET", "HEAD", "POST"])
@for_mail_users
def own_edit(request: PanelRequest) -> HttpResponse:
    """One reply of the visitor's own account."""
    return _edit(request, _of_mail_user(request))


@require_POST
@for_mail_users
def own_files(request: PanelRequest) -> HttpResponse:
    """Files for the replies of the visitor's own account."""
    return _files(request, _of_mail_user(request))
