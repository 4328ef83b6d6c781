"""The Event Manager: the list of handlers, and what is done with several of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from innkeeper.doors.panel.forms import refusal_text
from innkeeper.doors.panel.views.mail_account import tell_refusals
from innkeeper.doors.panel.visitor import PanelRequest, for_administrator
from innkeeper.events.catalogue import EVENTS
from innkeeper.events.models import FAILING_AFTER, EventHandler
from innkeeper.events.operations import remove_handlers, set_enabled
from innkeeper.events.queries import visible_handlers

if TYPE_CHECKING:
    from django.db.models import QuerySet

SEARCH_LENGTH = 100
# A server has a handful of handlers; whoever has more than this finds one by the search.
SHOWN = 300
ACTIONS = ("enable", "disable", "remove")


@require_safe
@for_administrator
def handler_list(request: PanelRequest) -> HttpResponse:
    """All handlers by event, in the order in which they run; above them those that fail or are paused."""
    search = searched(request)
    handlers = visible_handlers(request.actor)
    rows = list(_matching(handlers, search)[: SHOWN + 1])
    context = {
        "section": "events",
        "rows": rows[:SHOWN],
        "is_cut": len(rows) > SHOWN,
        "search": search,
        "total": ngettext("{n} handler", "{n} handlers", len(rows[:SHOWN])).format(n=len(rows[:SHOWN])),
        "paused": handlers.filter(paused_at__isnull=False)[:SHOWN],
        "failing": handlers.filter(enabled=True, paused_at=None, failures__gte=FAILING_AFTER)[:SHOWN],
    }
    return render(request, "panel/event_list.html", context)


def searched(request: PanelRequest) -> str:
    """What the page is searched for."""
    return request.GET.get("q", "").strip()[:SEARCH_LENGTH].replace("\0", "")


def _matching(handlers: QuerySet[EventHandler], search: str) -> QuerySet[EventHandler]:
    """Handlers whose event, command, address or user holds the text."""
    if not search:
        return handlers
    named = [event.name for event in EVENTS.values() if search.lower() in event.description.lower()]
    return handlers.filter(
        Q(event__icontains=search)
        | Q(event__in=named)
        | Q(command__icontains=search)
        | Q(url__icontains=search)
        | Q(user__icontains=search)
    )


@require_POST
@for_administrator
def bulk(request: PanelRequest) -> HttpResponse:
    """Switch the picked handlers on or off, or remove them after a look at what goes with them."""
    do = request.POST.get("do", "")
    ids = [int(text) for text in request.POST.getlist("id")[:SHOWN] if text.isascii() and text.isdigit()]
    rows = list(visible_handlers(request.actor).filter(pk__in=[number for number in ids if number < 2**63]))
    if do not in ACTIONS:
        messages.warning(request, _("Choose what to do with the handlers."))
    elif not rows:
        messages.warning(request, _("No handler was selected. Tick the handlers first."))
    elif do != "remove":
        _switch(request, rows, do == "enable")
    elif request.POST.get("confirmed"):
        _remove(request, rows)
    else:
        return render(request, "panel/event_remove.html", {"section": "events", "rows": rows})
    return redirect("panel:events")


def _switch(request: PanelRequest, rows: Sequence[EventHandler], enabled: bool) -> None:
    outcomes = set_enabled(request.actor, [row.pk for row in rows], enabled)
    done = sum(outcome.error is None for outcome in outcomes)
    if enabled:
        text = ngettext("{n} handler is on.", "{n} handlers are on.", done)
    else:
        text = ngettext(
            "{n} handler is off: events of now on do not reach it.",
            "{n} handlers are off: events of now on do not reach them.",
            done,
        )
    if done:
        messages.success(request, text.format(n=done))
    tell_refusals(request, [refusal_text(outcome.error) for outcome in outcomes if outcome.error is not None])


def _remove(request: PanelRequest, rows: Sequence[EventHandler]) -> None:
    outcomes = remove_handlers(request.actor, [row.pk for row in rows])
    if done := sum(outcome.error is None for outcome in outcomes):
        text = ngettext("{n} handler was removed.", "{n} handlers were removed.", done)
        messages.success(request, text.format(n=done))
    tell_refusals(request, [refusal_text(outcome.error) for outcome in outcomes if outcome.error is not None])
