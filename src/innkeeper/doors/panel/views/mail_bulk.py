"""Actions on many mail accounts: those picked on a page, or all that a list matches."""

from __future__ import annotations

from itertools import islice
from urllib.parse import urlsplit

from django.contrib import messages
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import formats
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from innkeeper.core.errors import Refused
from innkeeper.doors.panel.forms import refusal_text
from innkeeper.doors.panel.views.mail_account import by_site, remove_all, tell_refusals
from innkeeper.doors.panel.views.mail_export import csv_file
from innkeeper.doors.panel.views.mail_list import PAGE_SIZE, read_request
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.mail import listing
from innkeeper.mail.listing import ListedAccount
from innkeeper.mail.operations import AccountChange, Mode, UpdateAccounts, update_accounts

# What one request may change: more would keep the page waiting for minutes.
ALL_AT_ONCE = 5_000
ACTIONS = ("suspend", "resume", "remove", "export")


@require_POST
@for_owners
def bulk(request: PanelRequest) -> HttpResponse | StreamingHttpResponse:
    """Suspend, resume, remove or export the picked accounts, or all that the list matches after a review."""
    do = request.POST.get("do", "")
    if do not in ACTIONS:
        messages.warning(request, _("Choose what to do with the accounts."))
        return _back(request)
    if request.POST.get("all"):
        return _all(request, do)
    ids = [int(text) for text in request.POST.getlist("id")[: PAGE_SIZE * 4] if text.isascii() and text.isdigit()]
    rows = listing.some(request.actor, [number for number in ids if number < 2**63])
    if not rows:
        messages.warning(request, _("No account was selected. Tick the accounts first."))
        return _back(request)
    return _act(request, do, rows)


def _all(request: PanelRequest, do: str) -> HttpResponse | StreamingHttpResponse:
    wanted = read_request(QueryDict(urlsplit(request.POST.get("back", "")).query))
    if do == "export":
        return csv_file(listing.every(request.actor, wanted))
    rows = list(islice(listing.every(request.actor, wanted), ALL_AT_ONCE + 1))
    if not rows or len(rows) > ALL_AT_ONCE:
        text = (
            _("More than {n} accounts match. Search for fewer, or send a packet.") if rows else _("No account matches.")
        )
        messages.warning(request, text.format(n=formats.number_format(ALL_AT_ONCE, force_grouping=True)))
        return _back(request)
    # What is done is what was seen: if the number has changed since, it is shown again.
    if request.POST.get("confirmed") == str(len(rows)):
        return _act(request, do, rows)
    context = {"section": "mail", "do": do, "number": len(rows), "some": rows[:10], "back": _target(request)}
    return render(request, "panel/mail_review.html", context)


def _act(request: PanelRequest, do: str, rows: list[ListedAccount]) -> HttpResponse | StreamingHttpResponse:
    if do == "export":
        return csv_file(rows)
    if do == "remove":
        remove_all(request, rows)
    else:
        _switch(request, rows, do == "resume")
    return _back(request)


def _target(request: PanelRequest) -> str:
    target = request.POST.get("back", "")
    return target if url_has_allowed_host_and_scheme(target, allowed_hosts=None) else reverse("panel:mail")


def _back(request: PanelRequest) -> HttpResponse:
    """The list as the visitor left it."""
    return redirect(_target(request))


def _switch(request: PanelRequest, rows: list[ListedAccount], enabled: bool) -> None:
    """Open or close mailboxes, site by site. What is stored in them stays."""
    done, refusals = 0, []
    for site_id, names in by_site(rows).items():
        changes = tuple(AccountChange(name=name, mailbox_enabled=enabled) for name in names)
        try:
            outcomes = update_accounts(request.actor, UpdateAccounts(site_id, Mode.SET, changes))
        except Refused as refusal:
            refusals.append(refusal_text(refusal))
            continue
        done += sum(outcome.error is None for outcome in outcomes)
        refusals += [f"{o.value.name}: {refusal_text(o.error)}" for o in outcomes if o.error is not None]
    if done:
        if enabled:
            text = ngettext("{n} mailbox is open again.", "{n} mailboxes are open again.", done)
        else:
            text = ngettext(
                "{n} mailbox is suspended: mail to it is refused, what is stored stays.",
                "{n} mailboxes are suspended: mail to them is refused, what is stored stays.",
                done,
            )
        messages.success(request, text.format(n=done))
    tell_refusals(request, refusals)
