"""What a visitor chooses for itself: the look of the panel, and the password to it."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from innkeeper.accounts.authentication import authenticate_password
from innkeeper.accounts.operations import change_own_password
from innkeeper.accounts.preferences import set_color_scheme
from innkeeper.core.actor import Door
from innkeeper.core.errors import Refused
from innkeeper.core.serversettings import read_setting
from innkeeper.doors.panel.forms import PasswordForm, refusal_text
from innkeeper.doors.panel.visitor import PanelRequest, for_administrator, for_owners, refresh_session
from innkeeper.hosting.operations import set_hosting_retention
from innkeeper.hosting.placement import RETENTION as HOSTING
from innkeeper.mail.operations import RETENTION as MAIL
from innkeeper.mail.operations import set_retention

SCHEMES = [
    ("auto", gettext_lazy("Like my system")),
    ("light", gettext_lazy("Light")),
    ("dark", gettext_lazy("Dark")),
]


DAYS = {"inputmode": "numeric", "autocomplete": "off", "maxlength": "4"}
SERVER = {MAIL: set_retention, HOSTING: set_hosting_retention}
"""What sets each setting of the server."""


class LookForm(forms.Form):
    """How the panel looks."""

    color_scheme = forms.ChoiceField(label=gettext_lazy("Colours"), choices=SCHEMES, widget=forms.RadioSelect)


class ServerForm(forms.Form):
    """Settings of the whole server."""

    mail_retention_days = forms.IntegerField(
        label=gettext_lazy("Days to keep the mail of removed accounts"),
        help_text=gettext_lazy("Until then an account can be brought back. Counts for what is removed from now on."),
        widget=forms.TextInput(attrs=DAYS),
    )
    hosting_retention_days = forms.IntegerField(
        label=gettext_lazy("Days to keep the files of removed sites"),
        help_text=gettext_lazy(
            "Until then they can be given back, those of subdomains and web users too. Counts for all that is kept now."
        ),
        widget=forms.TextInput(attrs=DAYS),
    )


def _page(request: PanelRequest, bound: forms.Form | None = None) -> HttpResponse:
    """The page with each of its forms, one of them as it was sent."""
    visitor = request.visitor
    assert visitor is not None  # noqa: S101  (for_owners saw to it)

    def form(kind: type[forms.Form], **initial: object) -> forms.Form:
        return bound if isinstance(bound, kind) else kind(initial=initial)

    context = {
        "section": "settings",
        "look": form(LookForm, color_scheme=visitor.color_scheme),
        "form": form(PasswordForm),
        "server": request.actor.is_administrator and form(ServerForm, **{name: read_setting(name) for name in SERVER}),
    }
    return render(request, "panel/settings.html", context, status=422 if bound is not None and bound.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def settings(request: PanelRequest) -> HttpResponse:
    """The visitor's settings; a POST changes the look, which is kept with the account."""
    if request.method != "POST":
        return _page(request)
    form = LookForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    set_color_scheme(request.actor, form.cleaned_data["color_scheme"])
    messages.success(request, _("Saved."))
    return redirect("panel:settings")


@require_POST
@for_owners
def password(request: PanelRequest) -> HttpResponse:
    """Change the visitor's own password. The present one is asked: an open browser is not enough."""
    actor, visitor = request.actor, request.visitor
    assert visitor is not None  # noqa: S101  (for_owners saw to it)
    form = PasswordForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    try:
        authenticate_password(actor.login, form.cleaned_data["current"], actor.address, Door.PANEL)
    except Refused as refusal:
        form.add_error("current", refusal.message)
        return _page(request, form)
    try:
        change_own_password(actor, form.cleaned_data["password"])
    except Refused as refusal:
        form.add_error("password", refusal_text(refusal))
        return _page(request, form)
    refresh_session(request, visitor)
    messages.success(request, _("Your password was changed. Everywhere else you are logged out."))
    return redirect("panel:settings")


@require_POST
@for_administrator
def server(request: PanelRequest) -> HttpResponse:
    """Change settings of the server, all or none."""
    form = ServerForm(request.POST)
    if form.is_valid():
        with transaction.atomic():
            for name, setting in SERVER.items():
                try:
                    if (days := str(form.cleaned_data[name])) != read_setting(name):
                        setting(request.actor, days)
                except Refused as refusal:
                    form.add_error(name, refusal_text(refusal))
            transaction.set_rollback(not form.is_valid())
    if form.errors:
        return _page(request, form)
    messages.success(request, _("Saved."))
    return redirect("panel:settings")
