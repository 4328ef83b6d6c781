"""Log-in, log-out, and the page that a visitor starts from."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from innkeeper.accounts.authentication import authenticate_password
from innkeeper.accounts.visits import record_login, record_logout
from innkeeper.core.actor import Actor, Door
from innkeeper.core.errors import Refused, codes
from innkeeper.doors.panel.open_sessions import take_offer
from innkeeper.doors.panel.visitor import (
    PanelRequest,
    client_address,
    for_everybody,
    is_own_page,
    open_session,
    visitor_of,
)
from innkeeper.mail.authentication import authenticate_mail_user

LOGIN_LENGTH = 320
PASSWORD_LENGTH = 255


class LoginForm(forms.Form):
    """User name or mail address, and password."""

    login = forms.CharField(
        label=gettext_lazy("User name or mail address"),
        max_length=LOGIN_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=PASSWORD_LENGTH,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


def _authenticate(login: str, password: str, address: str) -> Actor:
    if "@" in login:
        return authenticate_mail_user(login, password, address, Door.PANEL)
    return authenticate_password(login.strip(), password, address, Door.PANEL)


@require_http_methods(["GET", "HEAD", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """The log-in form. What is wrong is said in one sentence that tells a stranger nothing."""
    if cast(PanelRequest, request).visitor is not None and request.method != "POST":
        return redirect("panel:home")
    form = LoginForm(request.POST or None)
    target = request.POST.get("next") or request.GET.get("next") or ""
    if not is_own_page(target):
        target = ""
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            address = client_address(request)
            try:
                actor = _authenticate(form.cleaned_data["login"], form.cleaned_data["password"], address)
                visitor = visitor_of(actor.kind, actor.account_id, address)
                if visitor is not None:
                    open_session(request, visitor, record_login(actor, visitor.name))
                    return redirect(target or "panel:home")
            except Refused as refusal:
                status = codes(refusal).http
                form.add_error(None, refusal.message)
    return render(request, "panel/login.html", {"form": form, "next": target}, status=status)


@csrf_exempt
@require_http_methods(["GET", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    """Where a program sends a browser with the token of a session that it was offered by the XML API.

    The token is what a form's own would protect: it works once, and from one address.
    """
    given = request.POST if request.method == "POST" else request.GET
    token = given.get("PLESKSESSID") or given.get("PHPSESSID") or ""
    target = take_offer(request, token)
    if target is None:
        messages.error(request, _("This link was used already, is too old, or is for another address. Log in here."))
        return render(request, "panel/login.html", {"form": LoginForm(), "next": ""}, status=403)
    target = target or given.get("success_redirect_url", "")
    if not is_own_page(target):
        target = ""
    return redirect(target or "panel:home")


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    """End the session and come back to the log-in form."""
    visitor = cast(PanelRequest, request).visitor
    if visitor is not None:
        record_logout(visitor.actor, visitor.name)
    request.session.flush()
    messages.success(request, _("You have logged out."))
    return redirect("panel:login")


@for_everybody
def home(request: PanelRequest) -> HttpResponse:
    """Where a visitor starts: the list of mail accounts, or one's own mail account."""
    visitor = request.visitor
    return redirect("panel:own" if visitor is not None and visitor.is_mail_user else "panel:mail")


def form_expired(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form whose token does not fit: opened before a log-in elsewhere, or sent by another site."""
    context = {
        "title": _("This form is no longer valid."),
        "advice": _(
            "It was opened before you logged in or out, or cookies are off. Go back, reload the page, try again."
        ),
        "back": reverse("panel:home"),
    }
    return render(request, "panel/error.html", context, status=403)
