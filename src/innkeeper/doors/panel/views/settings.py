"""What a visitor chooses for itself: the look of the panel, and the password to it."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from innkeeper.accounts.authentication import authenticate_password
from innkeeper.accounts.operations import (
    AdministratorChanges,
    CustomerChanges,
    update_administrator,
    update_customer,
)
from innkeeper.accounts.preferences import set_color_scheme
from innkeeper.core.actor import ActorKind, Door
from innkeeper.core.errors import Refused
from innkeeper.doors.panel.forms import PasswordForm, refusal_text
from innkeeper.doors.panel.visitor import PanelRequest, for_owners, refresh_session

SCHEMES = [
    ("auto", gettext_lazy("Like my system")),
    ("light", gettext_lazy("Light")),
    ("dark", gettext_lazy("Dark")),
]
CHANGES_OWN_PASSWORD = (ActorKind.ADMINISTRATOR, ActorKind.CUSTOMER)


class LookForm(forms.Form):
    """How the panel looks."""

    color_scheme = forms.ChoiceField(label=gettext_lazy("Colours"), choices=SCHEMES, widget=forms.RadioSelect)


def _page(request: PanelRequest, look: LookForm, password: PasswordForm) -> HttpResponse:
    context = {
        "section": "settings",
        "look": look,
        "form": password,
        "changes_password": request.actor.kind in CHANGES_OWN_PASSWORD,
    }
    return render(request, "panel/settings.html", context, status=422 if look.errors or password.errors else 200)


def _look_form(request: PanelRequest) -> LookForm:
    visitor = request.visitor
    assert visitor is not None  # noqa: S101  (for_owners saw to it)
    return LookForm(initial={"color_scheme": visitor.color_scheme})


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def settings(request: PanelRequest) -> HttpResponse:
    """The visitor's settings; a POST changes the look, which is kept with the account."""
    if request.method != "POST":
        return _page(request, _look_form(request), PasswordForm())
    form = LookForm(request.POST)
    if not form.is_valid():
        return _page(request, form, PasswordForm())
    set_color_scheme(request.actor, form.cleaned_data["color_scheme"])
    messages.success(request, _("Saved."))
    return redirect("panel:settings")


@require_POST
@for_owners
def password(request: PanelRequest) -> HttpResponse:
    """Change the visitor's own password. The present one is asked: an open browser is not enough."""
    actor, visitor = request.actor, request.visitor
    if visitor is None or actor.kind not in CHANGES_OWN_PASSWORD:
        raise Http404
    form = PasswordForm(request.POST)
    if form.is_valid():
        try:
            authenticate_password(actor.login, form.cleaned_data["current"], actor.address, Door.PANEL)
        except Refused as refusal:
            form.add_error("current", refusal.message)
            return _page(request, _look_form(request), form)
        new = form.cleaned_data["password"]
        try:
            if actor.is_administrator:
                update_administrator(actor, AdministratorChanges(password=new))
            else:
                update_customer(actor, actor.account_id, CustomerChanges(password=new))
        except Refused as refusal:
            form.add_error("password", refusal_text(refusal))
            return _page(request, _look_form(request), form)
        refresh_session(request, visitor)
        messages.success(request, _("Your password was changed. Everywhere else you are logged out."))
        return redirect("panel:settings")
    return _page(request, _look_form(request), form)
