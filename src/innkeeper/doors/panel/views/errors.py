"""Pages for requests that lead nowhere."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from innkeeper.core.errors import Refused, codes


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 400, _("The browser sent something that the panel cannot read."), "")


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 403, _("This page is not for your account."), _("Go back to where you were."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(
        request,
        404,
        _("There is no such page."),
        _("What it showed may have been renamed or removed, or is not yours."),
    )


def broken(request: HttpRequest) -> HttpResponse:
    return _page(
        request, 500, _("The panel failed to answer."), _("Nothing was changed. The panel's log says what went wrong.")
    )


def refused_page(request: HttpRequest, refusal: Refused) -> HttpResponse:
    return _page(request, codes(refusal).http, _("This could not be done."), refusal.message)


def _page(request: HttpRequest, status: int, title: str, advice: str) -> HttpResponse:
    return render(request, "panel/error.html", {"title": title, "advice": advice}, status=status)
