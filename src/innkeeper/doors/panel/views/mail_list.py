"""The list of mail accounts: search, order, pages by key, actions on many, export."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import formats
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from innkeeper.core.errors import Refused
from innkeeper.doors.panel.forms import refusal_text
from innkeeper.doors.panel.views.mail_account import by_site, remove_all, tell_refusals
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.mail import listing
from innkeeper.mail.listing import ListedAccount, ListRequest, Show, Sort
from innkeeper.mail.operations import AccountChange, Mode, UpdateAccounts, update_accounts

SEARCH_LENGTH = 100
PAGE_SIZE = 50


def _read(query: QueryDict) -> ListRequest:
    """The list that a query string asks for. What cannot be read has its default: a link is never an error."""
    order = query.get("sort", "")
    sort = order.removeprefix("-")
    show = query.get("show", "")
    site = query.get("site", "")
    return ListRequest(
        sort=Sort(sort) if sort in set(Sort) else Sort.NAME,
        descending=order.startswith("-"),
        search=query.get("q", "").strip()[:SEARCH_LENGTH].replace("\0", ""),
        site_id=int(site) if site.isascii() and site.isdigit() and len(site) < 19 else None,
        show=Show(show) if show in set(Show) else Show.ALL,
        after=query.get("after", "")[:1000],
        before=query.get("before", "")[:1000],
        size=PAGE_SIZE,
    )


def _query(wanted: ListRequest, **changes: str) -> str:
    """The query string of this list with some parts changed; empty parts are left out."""
    query = QueryDict(mutable=True)
    order = f"{'-' if wanted.descending else ''}{wanted.sort.value}"
    parts = {
        "q": wanted.search,
        "show": wanted.show.value,
        "site": str(wanted.site_id or ""),
        "sort": "" if order == Sort.NAME.value else order,
    }
    for name, value in (parts | changes).items():
        if value:
            query[name] = value
    text = query.urlencode()
    return f"?{text}" if text else ""


def _link(wanted: ListRequest, **changes: str) -> str:
    """The address of this list with some parts changed."""
    return f"{reverse('panel:mail')}{_query(wanted, **changes)}"


def _columns(wanted: ListRequest) -> list[dict[str, str]]:
    columns = []
    for words, sort, descending_first in (
        (_("Address"), Sort.NAME, False),
        (_("State"), None, False),
        (_("Used space"), Sort.USED, True),
        (_("Last login"), Sort.LOGIN, True),
    ):
        column = {"words": words, "order": "", "link": ""}
        if sort is not None:
            here = sort is wanted.sort
            descending = not wanted.descending if here else descending_first
            if here:
                column["order"] = "descending" if wanted.descending else "ascending"
            order = f"{'-' if descending else ''}{sort.value}"
            column["link"] = _link(wanted, sort="" if order == Sort.NAME.value else order)
        columns.append(column)
    return columns


def _total(count: listing.Count) -> str:
    number = formats.number_format(count.number, use_l10n=True, force_grouping=True)
    if not count.exact:
        return _("More than {n} accounts").format(n=number)
    return ngettext("{n} account", "{n} accounts", count.number).format(n=number)


@require_safe
@for_owners
def account_list(request: PanelRequest) -> HttpResponse:
    """All mail accounts that the visitor may see, a page at a time."""
    wanted = _read(request.GET)
    page = listing.page(request.actor, wanted)
    if not page.rows and (wanted.after or wanted.before):
        # What followed is gone, perhaps removed from that very page: start again.
        return redirect(f"{reverse('panel:mail')}{_query(wanted)}")
    context: dict[str, Any] = {
        "section": "mail",
        "wanted": wanted,
        "rows": page.rows,
        "columns": _columns(wanted),
        "filtered": bool(wanted.search or wanted.show or wanted.site_id),
        "total": _total(listing.count(request.actor, wanted)),
        "shows": [
            (Show.ALL.value, _("All accounts")),
            (Show.OVER_QUOTA.value, _("Mailbox full")),
            (Show.SUSPENDED.value, _("Suspended")),
            (Show.NEVER_USED.value, _("Never logged in")),
        ],
        "links": {
            "here": request.get_full_path(),
            "filters": _query(wanted),
            "later": _link(wanted, after=page.after) if page.after else "",
            "earlier": _link(wanted, before=page.before) if page.before else "",
        },
    }
    return render(request, "panel/mail_list.html", context)


class _Echo:
    """What csv writes into: hands each line back to be streamed."""

    def write(self, line: str) -> str:
        return line


def _safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _csv(rows: Iterator[ListedAccount] | list[ListedAccount]) -> StreamingHttpResponse:
    writer = csv.writer(_Echo())

    def lines() -> Iterator[str]:
        yield "\ufeff"
        yield writer.writerow(["id", "address", "state", "mailbox", "quota_bytes", "used_bytes", "last_login"])
        for row in rows:
            yield writer.writerow(
                [
                    row.id,
                    _safe(row.address),
                    row.state.value,
                    "on" if row.mailbox_enabled else "off",
                    row.quota,
                    row.used_bytes,
                    row.last_login_at.isoformat(timespec="seconds") if row.last_login_at else "",
                ]
            )

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="mail-accounts.csv"'
    return response


@require_safe
@for_owners
def export(request: PanelRequest) -> StreamingHttpResponse:
    """The whole list, with its filters and in its order, as CSV."""
    return _csv(listing.every(request.actor, _read(request.GET)))


def back_to_list(request: PanelRequest) -> HttpResponse:
    """The list as the visitor left it."""
    target = request.POST.get("back", "")
    if not url_has_allowed_host_and_scheme(target, allowed_hosts=None):
        target = reverse("panel:mail")
    return redirect(target)


@require_POST
@for_owners
def bulk(request: PanelRequest) -> HttpResponse | StreamingHttpResponse:
    """Suspend, resume, remove or export the picked accounts."""
    ids = [int(text) for text in request.POST.getlist("id")[: PAGE_SIZE * 4] if text.isascii() and text.isdigit()]
    rows = listing.some(request.actor, [number for number in ids if number < 2**63])
    if not rows:
        messages.warning(request, _("No account was selected. Tick the accounts first."))
        return back_to_list(request)
    do = request.POST.get("do")
    if do == "export":
        return _csv(rows)
    if do == "remove":
        remove_all(request, rows)
    elif do in {"suspend", "resume"}:
        _switch(request, rows, do == "resume")
    return back_to_list(request)


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
