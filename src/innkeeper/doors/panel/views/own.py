"""The pages of a mail user: password, automatic reply, forwarding, look. Large and plain."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from innkeeper.core.actor import Door
from innkeeper.core.errors import Refused
from innkeeper.doors.panel.forms import (
    LinesField,
    MailAccountForm,
    PasswordForm,
    add_refusal,
    initial_of,
)
from innkeeper.doors.panel.views.settings import LookForm
from innkeeper.doors.panel.visitor import PanelRequest, for_mail_users, refresh_session
from innkeeper.mail.authentication import authenticate_mail_user
from innkeeper.mail.models import MailName
from innkeeper.mail.operations import (
    UNSET,
    AccountChange,
    Addresses,
    Mode,
    Password,
    ReplyChange,
    UpdateAccounts,
    update_accounts,
)
from innkeeper.mail.queries import AccountInfo, Part, account_infos

VIRUSES = "manage_drweb"
PARTS = Part.RECIPIENTS | Part.REPLIES | Part.ALIASES | Part.FILES


class ReplyForm(forms.Form):
    """The automatic reply of one's own account."""

    reply_enabled = forms.BooleanField(
        label=gettext_lazy("Answer my mail automatically"),
        required=False,
        help_text=gettext_lazy("Once a day to each sender; never to lists and bulk mail."),
    )
    reply_subject = MailAccountForm.base_fields["reply_subject"]
    reply_text = MailAccountForm.base_fields["reply_text"]
    reply_until = MailAccountForm.base_fields["reply_until"]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if values.get("reply_enabled") and not values.get("reply_text"):
            self.add_error("reply_text", _("Write what the answer says."))
        return values


class ForwardForm(forms.Form):
    """Where mail of one's own account goes as well."""

    redirect_enabled = forms.BooleanField(
        label=gettext_lazy("Forward my mail"),
        required=False,
        help_text=gettext_lazy("A copy stays in the mailbox while there is one."),
    )
    redirect = LinesField(label=gettext_lazy("To these addresses"), help_text=gettext_lazy("One a line."))


class VirusForm(forms.Form):
    """Which mail is checked for viruses."""

    antivir = MailAccountForm.base_fields["antivir"]


def account(request: PanelRequest) -> tuple[int, AccountInfo]:
    """The visitor's own account, with the id of its site."""
    name = MailName.objects.filter(account_id=request.actor.account_id, kind=MailName.Kind.ACCOUNT).first()
    if name is None:
        raise Http404
    info = next(iter(account_infos(request.actor, name.site_id, [name.local_part], PARTS)))
    if not isinstance(info, AccountInfo):
        raise Http404
    return name.site_id, info


def _change(request: PanelRequest, site_id: int, change: AccountChange, mode: Mode = Mode.SET) -> None:
    outcome = update_accounts(request.actor, UpdateAccounts(site_id, mode, (change,)))[0]
    if outcome.error is not None:
        raise outcome.error


def _form_page(
    request: PanelRequest, form: forms.Form, title: str, template: str, more: tuple[str, str] | None = None
) -> HttpResponse:
    """A form on a page of its own, with a link to more of the same."""
    context = {"form": form, "title": title, "more": more}
    return render(request, template, context, status=422 if form.errors else 200)


@require_safe
@for_mail_users
def home(request: PanelRequest) -> HttpResponse:
    """What there is to do, and how the account stands."""
    _site, info = account(request)
    reply = initial_of(info)["reply_enabled"]
    return render(request, "panel/own_home.html", {"info": info, "replies": reply, "viruses": _may(info, VIRUSES)})


@require_http_methods(["GET", "HEAD", "POST"])
@for_mail_users
def password(request: PanelRequest) -> HttpResponse:
    """Change the mail password. The present one is asked: an open browser is not enough."""
    site_id, info = account(request)
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        visitor = request.visitor
        assert visitor is not None  # noqa: S101  (for_mail_users saw to it)
        try:
            try:
                actor = request.actor
                authenticate_mail_user(actor.login, form.cleaned_data["current"], actor.address, Door.PANEL)
            except Refused as refusal:
                raise Refused(refusal.message, field="current") from refusal
            _change(request, site_id, AccountChange(info.name, password=Password(form.cleaned_data["password"])))
            refresh_session(request, visitor)
            messages.success(request, _("Your password was changed. Enter the new one in your mail programs."))
            return redirect("panel:own")
        except Refused as refusal:
            if refusal.field == "current":
                form.add_error("current", refusal.message)
            else:
                add_refusal(form, refusal)
    return _form_page(request, form, _("Password"), "panel/own_password.html")


@require_http_methods(["GET", "HEAD", "POST"])
@for_mail_users
def reply(request: PanelRequest) -> HttpResponse:
    """Switch the automatic reply on or off, and write it."""
    site_id, info = account(request)
    form = ReplyForm(request.POST or None, initial=initial_of(info))
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        change = ReplyChange(
            enabled=values["reply_enabled"],
            subject=values["reply_subject"],
            text=values["reply_text"],
            end_date=values["reply_until"],
        )
        try:
            _change(request, site_id, AccountChange(info.name, autoresponder=change))
            messages.success(request, _("Saved."))
            return redirect("panel:own")
        except Refused as refusal:
            add_refusal(form, refusal)
    more = (reverse("panel:own-replies"), _("Several replies, by words in a message"))
    return _form_page(request, form, _("Automatic reply"), "panel/own_form.html", more)


@require_http_methods(["GET", "HEAD", "POST"])
@for_mail_users
def forwarding(request: PanelRequest) -> HttpResponse:
    """Where the mail goes as well."""
    site_id, info = account(request)
    form = ForwardForm(request.POST or None, initial=initial_of(info))
    if request.method == "POST" and form.is_valid():
        wanted = form.cleaned_data["redirect"]
        try:
            addresses = Addresses(form.cleaned_data["redirect_enabled"], wanted)
            _change(request, site_id, AccountChange(info.name, redirect=addresses))
            if info.redirect and not wanted:
                emptied = Addresses(UNSET, tuple(info.redirect))
                _change(request, site_id, AccountChange(info.name, redirect=emptied), Mode.REMOVE)
            messages.success(request, _("Saved."))
            return redirect("panel:own")
        except Refused as refusal:
            add_refusal(form, refusal)
    return _form_page(request, form, _("Forwarding"), "panel/own_form.html")


def _may(info: AccountInfo, permission: str) -> bool:
    """Whether the account's owner was given a permission. The operation asks again; this only decides what is shown."""
    return bool(json.loads(info.permissions).get(permission, False))


@require_http_methods(["GET", "HEAD", "POST"])
@for_mail_users
def viruses(request: PanelRequest) -> HttpResponse:
    """Which mail is checked for viruses, for those who may choose."""
    site_id, info = account(request)
    if not _may(info, VIRUSES):
        raise PermissionDenied
    form = VirusForm(request.POST or None, initial={"antivir": info.antivir})
    if request.method == "POST" and form.is_valid():
        _change(request, site_id, AccountChange(info.name, antivir=form.cleaned_data["antivir"]))
        messages.success(request, _("Saved."))
        return redirect("panel:own")
    return _form_page(request, form, _("Viruses"), "panel/own_form.html")


@require_http_methods(["GET", "HEAD", "POST"])
@for_mail_users
def look(request: PanelRequest) -> HttpResponse:
    """The colours of the panel, kept with the account."""
    site_id, info = account(request)
    form = LookForm(request.POST or None, initial={"color_scheme": info.color_scheme})
    if request.method == "POST" and form.is_valid():
        _change(request, site_id, AccountChange(info.name, color_scheme=form.cleaned_data["color_scheme"]))
        messages.success(request, _("Saved."))
        return redirect("panel:own")
    return _form_page(request, form, _("Colours"), "panel/own_form.html")
