"""One event handler: choose its event, create it, change it, test it, and its command from outside the panel."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from innkeeper.core.errors import Refused
from innkeeper.core.events import EventType
from innkeeper.core.operation import planning
from innkeeper.doors.panel.event_forms import HandlerForm, add_refusal, initial_of
from innkeeper.doors.panel.event_snippets import snippets
from innkeeper.doors.panel.views.event_list import searched
from innkeeper.doors.panel.views.mail_account import answer
from innkeeper.doors.panel.visitor import PanelRequest, for_administrator
from innkeeper.events.catalogue import EVENTS
from innkeeper.events.command import SIDES, parse
from innkeeper.events.models import EventHandler, HandlerKind
from innkeeper.events.operations import (
    HandlerChanges,
    Saved,
    create_handler,
    resume_handler,
    test_handler,
    update_handler,
)
from innkeeper.events.queries import catalogue_groups, deliveries, find_event, find_handler, handler_users, sample

# The fields that the operation's plan can judge alone.
CHECKED = ("command", "url")
LATEST = 5


@require_safe
@for_administrator
def pick(request: PanelRequest, number: int | None = None) -> HttpResponse:
    """All events by what they are about; each leads to the form of a handler, a new one or the one of that id."""
    search = searched(request)
    groups = [
        (title, [event for event in events if _matches(event, title, search)]) for title, events in catalogue_groups()
    ]
    count = sum(len(events) for _title, events in groups)
    handler = None if number is None else find_handler(request.actor, number)
    context = {
        "section": "events",
        "groups": [(title, events) for title, events in groups if events],
        "search": search,
        "total": ngettext("{n} event", "{n} events", count).format(n=count),
        "handler": handler,
        "here": request.path,
        "form_url": reverse("panel:event-create")
        if handler is None
        else reverse("panel:event-edit", args=[handler.pk]),
    }
    return render(request, "panel/event_pick.html", context)


def _matches(event: EventType, title: str, search: str) -> bool:
    """Whether every word of the search is found in an event's names, object or parameters."""
    text = " ".join(
        [event.name, *event.synonyms, event.description, title, event.object_type]
        + [f"{side}_{name}" for each in event.parameters for name in (each.name, *each.synonyms) for side in SIDES]
    ).lower()
    return all(word in text for word in search.lower().split())


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrator
def create(request: PanelRequest) -> HttpResponse:
    """Create a handler of the event that was picked."""
    name = request.POST.get("event") or request.GET.get("event")
    if not name:
        return redirect("panel:event-pick")
    event = find_event(name)
    form = _form(request)
    if request.method == "POST" and form.is_valid():
        try:
            saved = create_handler(request.actor, form.new_handler(event.name))
            text = _("The handler was created: {event}.").format(event=event.description)
            return _saved(request, saved, text, reverse("panel:events"))
        except Refused as refusal:
            add_refusal(form, refusal)
    return _show(request, "panel/event_create.html", event, form, {})


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrator
def edit(request: PanelRequest, number: int) -> HttpResponse:
    """Show and change one handler. Another event than the stored one comes from the page that picks it."""
    handler = find_handler(request.actor, number)
    event = find_event(request.POST.get("event") or request.GET.get("event") or handler.event)
    form = _form(request, handler)
    if request.method == "POST" and form.is_valid():
        try:
            saved = update_handler(request.actor, number, form.changes(event.name))
            return _saved(request, saved, _("The handler was saved."), request.path)
        except Refused as refusal:
            add_refusal(form, refusal)
    context = {"handler": handler, "latest": deliveries(request.actor, handler=number, limit=LATEST)}
    return _show(request, "panel/event_edit.html", event, form, context)


def _form(request: PanelRequest, handler: EventHandler | None = None) -> HandlerForm:
    data = request.POST if request.method == "POST" else None
    if handler is None:
        return HandlerForm(data, users=_users(request))
    return HandlerForm(data, users=_users(request), initial=initial_of(handler), fixed_kind=handler.kind)


def _users(request: PanelRequest) -> list[str]:
    """Whom a command may run as. If nobody can say, the form is shown all the same: saving it tells the reason."""
    try:
        return handler_users(request.actor)
    except Refused:
        return []


def _show(
    request: PanelRequest, template: str, event: EventType, form: HandlerForm, context: dict[str, Any]
) -> HttpResponse:
    values = sample(event)
    context |= {
        "section": "events",
        "event": event,
        "form": form,
        "parameters": [
            (each, name, [(f"{side}_{name}", values[f"{side}_{name}"]) for side in SIDES])
            for each in event.parameters
            for name in (each.name, *each.synonyms)
        ],
        "has_secrets": any(each.secret for each in event.parameters),
    }
    if not form.is_bound:
        text = str(form.initial.get("command", ""))
        context |= {"preview": _preview(text, event)} if text else {}
    return render(request, template, context, status=422 if form.errors else 200)


def _preview(text: str, event: EventType) -> list[tuple[str, str]]:
    """The arguments that a command passes: as they are written, and with sample values. Empty if it cannot be read."""
    try:
        command = parse(text, event)
    except Refused:
        return []
    return list(zip([command.path, *command.shown()], command.render(sample(event)), strict=True))


def _saved(request: PanelRequest, saved: Saved, text: str, target: str) -> HttpResponse:
    """On to the next page with what is to be said; a new secret is shown by this answer alone, and kept nowhere."""
    for warning in saved.warnings:
        messages.warning(request, warning)
    if not saved.secret_once:
        messages.success(request, text)
        return answer(request, target)
    context = {"section": "events", "handler": saved.handler, "secret": saved.secret_once, "text": text}
    response = render(request, "panel/event_secret.html", context)
    if request.htmx:
        # In the place of the whole page; and whoever reloads it must not send the form again.
        response["HX-Retarget"] = response["HX-Reselect"] = "#content"
        response["HX-Reswap"] = "outerHTML show:window:top"
        response["HX-Push-Url"] = reverse("panel:event-edit", args=[saved.handler.pk])
    return response


@require_POST
@for_administrator
def check(request: PanelRequest, field: str, number: int | None = None) -> HttpResponse:
    """Judge a command or an address by the plan of saving it; nothing is saved. Of a command also what it passes."""
    if field not in CHECKED:
        raise Http404
    handler = None if number is None else find_handler(request.actor, number)
    event = find_event(request.POST.get("event", ""))
    form = _form(request, handler)
    warnings: tuple[str, ...] = ()
    form.is_valid()
    if field not in form.errors:
        try:
            with planning():
                warnings = _plan(request, form, event, handler).warnings
        except Refused as refusal:
            add_refusal(form, refusal)
    bound = form[field]
    context = {"field": bound, "check": request.path.rpartition(field)[0]}
    template = "panel/field.html"
    if field == "command":
        template = "panel/event_command_result.html"
        context |= {"warnings": warnings, "preview": _preview(form.cleaned_data.get("command", ""), event)}
    return render(request, template, context, status=422 if bound.errors else 200)


def _plan(request: PanelRequest, form: HandlerForm, event: EventType, handler: EventHandler | None) -> Saved:
    """Save the handler with the values that can be read; the others are judged when they are sent."""
    for name, stored in form.fields.items():
        if name in form.errors:
            form.cleaned_data[name] = stored.initial if handler is None else form.initial.get(name)
    if handler is None:
        return create_handler(request.actor, form.new_handler(event.name))
    return update_handler(request.actor, handler.pk, form.changes(event.name))


@require_POST
@for_administrator
def test(request: PanelRequest, number: int) -> HttpResponse:
    """Give the handler the last real event, or sample values; the page of that delivery shows what comes of it."""
    return redirect("panel:event-delivery", test_handler(request.actor, number))


@require_POST
@for_administrator
def resume(request: PanelRequest, number: int) -> HttpResponse:
    """Let a paused handler go on."""
    resume_handler(request.actor, number)
    messages.success(request, _("The handler goes on with what waited for it."))
    return redirect("panel:event-edit", number)


@require_POST
@for_administrator
def new_secret(request: PanelRequest, number: int) -> HttpResponse:
    """Sign with a new secret from now on, and show it once."""
    handler = find_handler(request.actor, number)
    if handler.kind != HandlerKind.WEBHOOK:
        raise Http404
    saved = update_handler(request.actor, number, HandlerChanges(new_secret=True))
    return _saved(request, saved, _("The old secret signs nothing any more."), request.path)


@require_safe
@for_administrator
def api(request: PanelRequest, number: int) -> HttpResponse:
    """The commands that make this handler: a drawer, or a page of its own without a script."""
    handler = find_handler(request.actor, number)
    name = EVENTS[handler.event].description
    context = {
        "name": name,
        "crumbs": [
            (reverse("panel:events"), _("Event Manager")),
            (reverse("panel:event-edit", args=[handler.pk]), name),
        ],
        "section": "events",
        "snippets": snippets(handler),
        "note": _(
            "Commands run on this server, as root. Packets go by POST to /enterprise/control/agent.php with a secret"
            " key or a log-in."
        ),
    }
    return render(request, "panel/api_drawer.html" if request.htmx else "panel/api_page.html", context)
