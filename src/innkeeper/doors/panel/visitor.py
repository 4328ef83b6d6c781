"""Who looks at the panel: from the session to an actor, anew for each request."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from innkeeper.accounts.models import Account
from innkeeper.accounts.visits import is_latest
from innkeeper.core.actor import Actor, ActorKind, Door
from innkeeper.core.errors import Refused
from innkeeper.core.serversettings import session_idle_minutes
from innkeeper.doors.panel.views.errors import refused_page
from innkeeper.mail.authentication import allows_several_sessions, mail_user

WHO = "who"
SEEN = "seen"
MARK = "mark"
LOGIN, ADDRESS, STARTED = "login", "address", "started"
TOUCH_SECONDS = 60

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is logged in: the actor, and how the panel shows itself to them."""

    actor: Actor
    name: str
    color_scheme: str
    fingerprint: str
    several_sessions: bool
    """Whether sessions go on when the same visitor logs in again elsewhere."""

    @property
    def is_mail_user(self) -> bool:
        return self.actor.kind is ActorKind.MAIL_USER


class PanelRequest(HttpRequest):
    """A request behind `VisitorMiddleware`."""

    visitor: Visitor | None
    actor: Actor
    htmx: Any


def _fingerprint(stored: str) -> str:
    """A session ends with the password that opened it: this changes when the stored hash does."""
    return salted_hmac("innkeeper.panel.session", stored, algorithm="sha256").hexdigest()


def visitor_of(kind: ActorKind, account_id: int, address: str) -> Visitor | None:
    """The visitor that an account is now, or None if it may not be here any more."""
    if kind is ActorKind.MAIL_USER:
        found = mail_user(account_id)
        if found is None:
            return None
        mailbox, login = found
        actor = Actor(kind, account_id, login, address, Door.PANEL)
        return Visitor(
            actor, login, mailbox.color_scheme, _fingerprint(mailbox.password), allows_several_sessions(mailbox)
        )
    account = Account.objects.filter(pk=account_id, kind=kind.value, status=0).first()
    if account is None:
        return None
    actor = Actor(kind, account_id, account.login, address, Door.PANEL)
    name = account.contact_name or account.login
    return Visitor(actor, name, account.color_scheme, _fingerprint(account.password), account.multiple_sessions)


def client_address(request: HttpRequest) -> str:
    """The address of the browser."""
    return str(request.META.get("REMOTE_ADDR", ""))


def is_own_page(address: str) -> bool:
    """Whether an address is a path of this panel: no link leads visitors elsewhere."""
    return address.startswith("/") and url_has_allowed_host_and_scheme(address, allowed_hosts=None)


def open_session(request: HttpRequest, visitor: Visitor, mark: str) -> None:
    """Begin a new session for a visitor, with the mark of its log-in. Nothing of an earlier one is kept."""
    request.session.flush()
    request.session[WHO] = [visitor.actor.kind.value, visitor.actor.account_id, visitor.fingerprint]
    request.session[MARK] = mark
    request.session[LOGIN], request.session[ADDRESS] = visitor.actor.login, visitor.actor.address
    request.session[STARTED] = request.session[SEEN] = int(time.time())


def refresh_session(request: HttpRequest, visitor: Visitor) -> None:
    """Keep this session over a change of one's own password; every other session of the account ends."""
    now = visitor_of(visitor.actor.kind, visitor.actor.account_id, visitor.actor.address)
    if now is not None:
        request.session[WHO] = [now.actor.kind.value, now.actor.account_id, now.fingerprint]
        request.session.cycle_key()


class VisitorMiddleware:
    """Sets `request.visitor` (None for a stranger) and ends sessions that idled too long."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        panel_request = cast(PanelRequest, request)
        panel_request.visitor = self._visitor(request)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A refusal that no form took: a page with its sentence, and its status."""
        return refused_page(request, exception) if isinstance(exception, Refused) else None

    def _visitor(self, request: HttpRequest) -> Visitor | None:
        who = request.session.get(WHO)
        if not who:
            return None
        now = int(time.time())
        idle = session_idle_minutes() * 60
        seen = request.session.get(SEEN, 0)
        visitor = None
        if now - seen <= idle:
            visitor = visitor_of(ActorKind(who[0]), who[1], client_address(request))
        if (
            visitor is None
            or not constant_time_compare(visitor.fingerprint, who[2])
            or not (visitor.several_sessions or is_latest(visitor.actor, request.session.get(MARK, "")))
        ):
            request.session.flush()
            return None
        # One write a minute, not one a page.
        if now - seen >= min(TOUCH_SECONDS, idle // 4):
            request.session[SEEN] = now
        return visitor


def _turn_away(request: HttpRequest) -> HttpResponse:
    target = reverse("panel:login")
    if request.method == "GET" and request.path != reverse("panel:home"):
        target += "?" + urlencode({"next": request.get_full_path()})
    if request.headers.get("HX-Request"):
        # The form behind this request stays on the page, so that nothing is lost: its token outlives the session.
        response = render(request, "panel/session_over.html", status=422)
        response["HX-Retarget"] = "#toast"
        response["HX-Reswap"] = "innerHTML"
        response["HX-Reselect"] = ".note-box"
        return response
    return HttpResponseRedirect(target)


View = Callable[Concatenate[PanelRequest, P], HttpResponseBase]
Guarded = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def _requires(allowed: Callable[[Visitor], bool], view: View[P]) -> Guarded[P]:
    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        panel_request = cast(PanelRequest, request)
        visitor = panel_request.visitor
        if visitor is None:
            return _turn_away(request)
        if not allowed(visitor):
            raise PermissionDenied
        panel_request.actor = visitor.actor
        return view(panel_request, *args, **kwargs)

    return guarded


def for_owners(view: View[P]) -> Guarded[P]:
    """A page for the administrator, resellers and customers."""
    return _requires(lambda visitor: not visitor.is_mail_user, view)


def for_administrator(view: View[P]) -> Guarded[P]:
    """A page for the administrator alone."""
    return _requires(lambda visitor: visitor.actor.is_administrator, view)


def for_mail_users(view: View[P]) -> Guarded[P]:
    """A page for the owner of one mail account."""
    return _requires(lambda visitor: visitor.is_mail_user, view)


def for_everybody(view: View[P]) -> Guarded[P]:
    """A page for whoever is logged in."""
    return _requires(lambda visitor: True, view)
