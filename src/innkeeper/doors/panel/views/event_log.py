"""What became of events: the delivery log, one delivery with its attempts, and events that are given again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from innkeeper.core.errors import AlreadyExists, NotFound, Refused
from innkeeper.core.operation import planning
from innkeeper.core.serversettings import read_setting
from innkeeper.doors.panel.event_forms import RangeForm, RetentionForm, add_refusal
from innkeeper.doors.panel.forms import refusal_text
from innkeeper.doors.panel.templatetags.panel import delivery_words
from innkeeper.doors.panel.visitor import PanelRequest, for_administrator
from innkeeper.events.catalogue import EVENTS
from innkeeper.events.models import OPEN_STATES, DeliveryState
from innkeeper.events.operations import Replay, replay, set_retention
from innkeeper.events.queries import (
    attempts,
    catalogue_groups,
    deliveries,
    find_delivery,
    find_handler,
    visible_handlers,
)

PAGE_SIZE = 50
RETENTION = "event_retention_days"
HANDLERS_TO_CHOOSE = 200
SINCE = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7)}
STOP_POLLING = 286
# An open page asks for news this long; then it waits for the reader, so that it keeps no session alive.
FOLLOWED = timedelta(minutes=2)


def _read_filter(query: QueryDict) -> dict[str, Any]:
    """What a query string asks for. What cannot be read has its default: a link is never an error."""

    def number(name: str) -> int | None:
        text = query.get(name, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

    event, state, since = query.get("event", ""), query.get("state", ""), query.get("since", "")
    return {
        "handler": number("handler"),
        "event": event if event in EVENTS else "",
        "state": state if state in DeliveryState.values else "",
        "since": since if since in SINCE else "",
        "after": number("after"),
    }


def _link(wanted: dict[str, Any], **changes: Any) -> str:
    query = QueryDict(mutable=True)
    for name, value in (wanted | changes).items():
        if value not in (None, ""):
            query[name] = str(value)
    text = query.urlencode()
    return reverse("panel:event-log") + (f"?{text}" if text else "")


@require_safe
@for_administrator
def log(request: PanelRequest) -> HttpResponse:
    """The deliveries, the latest first, a page at a time by their ids."""
    return _log(request)


def _log(request: PanelRequest, form: RetentionForm | None = None) -> HttpResponse:
    days = int(read_setting(RETENTION))
    form = form or RetentionForm(initial={"days": days})
    wanted = _read_filter(request.GET)
    since = timezone.now() - SINCE[wanted["since"]] if wanted["since"] else None
    found = deliveries(request.actor, **wanted | {"since": since}, limit=PAGE_SIZE + 1)
    rows = found[:PAGE_SIZE]
    handlers = list(visible_handlers(request.actor)[:HANDLERS_TO_CHOOSE])
    if wanted["handler"] is not None and all(each.pk != wanted["handler"] for each in handlers):
        handlers += list(visible_handlers(request.actor).filter(pk=wanted["handler"]))
    context = {
        "section": "event-log",
        "wanted": wanted,
        "rows": rows,
        "handlers": handlers,
        "groups": catalogue_groups(),
        "states": [(state.value, delivery_words(state)) for state in DeliveryState],
        "times": [("1h", _("The last hour")), ("24h", _("The last 24 hours")), ("7d", _("The last 7 days"))],
        "is_filtered": any(wanted[name] not in (None, "") for name in ("handler", "event", "state", "since")),
        "total": ngettext("{n} delivery on this page", "{n} deliveries on this page", len(rows)).format(n=len(rows)),
        "older": _link(wanted, after=rows[-1].pk) if len(found) > PAGE_SIZE else "",
        "newest": _link(wanted, after=None) if wanted["after"] is not None else "",
        "days": days,
        "form": form,
    }
    return render(request, "panel/event_log.html", context, status=422 if form.errors else 200)


@require_POST
@for_administrator
def retention(request: PanelRequest) -> HttpResponse:
    """Set for how many days events and deliveries are kept."""
    form = RetentionForm(request.POST)
    if form.is_valid():
        try:
            set_retention(request.actor, str(form.cleaned_data["days"]))
            text = ngettext("The log is kept for {n} day.", "The log is kept for {n} days.", form.cleaned_data["days"])
            messages.success(request, text.format(n=form.cleaned_data["days"]))
            return redirect("panel:event-log")
        except Refused as refusal:
            form.add_error("days", refusal_text(refusal))
    return _log(request, form)


@require_safe
@for_administrator
def delivery(request: PanelRequest, number: int) -> HttpResponse:
    """One delivery with its attempts. While it is under way, the page follows it."""
    try:
        found = find_delivery(request.actor, number)
    except NotFound:
        if not request.htmx:
            raise
        # Removed while a page followed it: that page stops asking.
        messages.warning(request, _("The delivery was removed, perhaps with its handler."))
        return HttpResponse(status=STOP_POLLING, headers={"HX-Redirect": reverse("panel:event-log")})
    is_open = found.state in OPEN_STATES
    context = {
        "section": "event-log",
        "delivery": found,
        "handler": found.handler,
        "attempts": attempts(found),
        "said": delivery_words(found.state),
        "is_open": is_open,
        "is_followed": is_open and timezone.now() - found.created_at < FOLLOWED,
    }
    return render(request, "panel/event_delivery.html", context)


@require_POST
@for_administrator
def again(request: PanelRequest, number: int) -> HttpResponse:
    """Give the event of one delivery to its handler again: first what that would do, then it."""
    found = find_delivery(request.actor, number)
    return _planned(request, Replay(delivery_id=number), found.handler_id, {"delivery": found})


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrator
def replay_range(request: PanelRequest, number: int) -> HttpResponse:
    """Give a handler all its events of a time again: first how many they are, then it."""
    handler = find_handler(request.actor, number)
    initial = {"since": timezone.now() - timedelta(days=1)}
    form = RangeForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        wanted = form.request(number)
        try:
            return _planned(request, wanted, number, {"since": wanted.since, "until": wanted.until})
        except Refused as refusal:
            add_refusal(form, refusal)
    context = {"section": "events", "handler": handler, "form": form}
    return render(request, "panel/event_replay.html", context, status=422 if form.errors else 200)


def _planned(request: PanelRequest, wanted: Replay, handler: int, context: dict[str, Any]) -> HttpResponse:
    """Show the plan, or do it if it is what was shown: with another number of events it is shown again.

    A second click on the same plan does nothing: the repetition that the first one made is newer than the plan.
    """
    with planning():
        planned = replay(request.actor, wanted)
    if not planned.count or request.POST.get("confirmed") != str(planned.count):
        context |= {"section": "events", "handler": planned.handler, "planned": planned, "here": request.path}
        return render(request, "panel/event_replay_plan.html", context)
    known = request.POST.get("known", "")
    try:
        done = replay(request.actor, replace(wanted, known=int(known) if known.isascii() and known.isdigit() else -1))
    except AlreadyExists:
        messages.info(request, _("The events of this handler were given again already. Nothing was added."))
    else:
        text = ngettext("{n} event is on its way again.", "{n} events are on their way again.", done.count)
        messages.success(request, text.format(n=done.count))
    return redirect(_link({"handler": handler}))
