"""The list of mail accounts: search, order, pages by key, actions on many, export."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.mail import listing
from innkeeper.mail.listing import ListRequest, Show, Sort

SEARCH_LENGTH = 100
PAGE_SIZE = 50


def read_request(query: QueryDict) -> ListRequest:
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


def _all_words(count: listing.Count) -> str:
    if not count.exact:
        return _("All that match")
    return _("All {n} that match").format(n=formats.number_format(count.number, force_grouping=True))


@require_safe
@for_owners
def account_list(request: PanelRequest) -> HttpResponse:
    """All mail accounts that the visitor may see, a page at a time."""
    wanted = read_request(request.GET)
    page = listing.page(request.actor, wanted)
    if not page.rows and (wanted.after or wanted.before):
        # What followed is gone, perhaps removed from that very page: start again.
        return redirect(f"{reverse('panel:mail')}{_query(wanted)}")
    count = listing.count(request.actor, wanted, page)
    context: dict[str, Any] = {
        "section": "mail",
        "wanted": wanted,
        "rows": page.rows,
        "columns": _columns(wanted),
        "filtered": bool(wanted.search or wanted.show or wanted.site_id),
        "total": _total(count),
        "all_words": _all_words(count),
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
