"""The mail of a site as a whole: its service, and what becomes of mail to unknown addresses."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from innkeeper.core.errors import Refused
from innkeeper.doors.panel.forms import refusal_text
from innkeeper.doors.panel.snippets import read_site_packet, site_commands, site_packet
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.hosting.models import Site
from innkeeper.hosting.queries import visible_sites
from innkeeper.mail.operations import set_preferences
from innkeeper.mail.queries import SitePreferences, preferences
from innkeeper.mail.requests import Preferences

ROWS = 100
REJECT, BOUNCE, FORWARD = "reject", "bounce", "forward"
FIELDS = {"nonexistent-user/bounce": BOUNCE, "nonexistent-user/forward": FORWARD, "forwarding": FORWARD}
"""The field of the form in which a refusal's field stands."""


class SiteMailForm(forms.Form):
    """What a site does with its mail."""

    enabled = forms.BooleanField(
        label=gettext_lazy("Mail service"),
        required=False,
        help_text=gettext_lazy("Switched off, mail is refused and nobody logs in. Accounts and their mail stay."),
    )
    unknown_action = forms.ChoiceField(
        label=gettext_lazy("Mail to addresses that do not exist"),
        widget=forms.RadioSelect,
        choices=[
            (REJECT, gettext_lazy("Refuse it at once")),
            (BOUNCE, gettext_lazy("Take it, and return it to the sender with a text")),
            (FORWARD, gettext_lazy("Pass it on to one address")),
        ],
    )
    bounce = forms.CharField(
        label=gettext_lazy("Text"), required=False, help_text=gettext_lazy("Empty: a standard text in English.")
    )
    forward = forms.CharField(
        label=gettext_lazy("Address"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )

    def changes(self) -> Preferences:
        """The request that this form makes."""
        values = self.cleaned_data
        action = values["unknown_action"]
        return Preferences(unknown_action=action, unknown_value=values.get(action, ""), enabled=values["enabled"])


@require_safe
@for_owners
def site_list(request: PanelRequest) -> HttpResponse:
    """The sites, to choose one."""
    search = request.GET.get("q", "").strip()[:100].replace("\0", "")
    found = visible_sites(request.actor).filter(mail_service__isnull=False).order_by("ascii_name")
    if search:
        found = found.filter(name__icontains=search)
    sites = list(found[: ROWS + 1])
    stored = preferences(request.actor, [site.pk for site in sites[:ROWS]])
    rows = [(site.name, each) for site, each in zip(sites, stored, strict=False) if isinstance(each, SitePreferences)]
    context = {"section": "mail-sites", "rows": rows, "search": search, "has_more": len(sites) > ROWS}
    return render(request, "panel/mail_sites.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def edit(request: PanelRequest, number: int) -> HttpResponse:
    """Show and change the mail of one site."""
    site, stored = _find(request, number)
    if request.method != "POST":
        form = SiteMailForm(
            initial={
                "enabled": stored.enabled,
                "unknown_action": stored.unknown_action,
                stored.unknown_action: stored.unknown_value,
            }
        )
        return _show(request, site, form)
    form = SiteMailForm(request.POST)
    if form.is_valid():
        try:
            _change(request, number, form.changes())
        except Refused as refusal:
            form.add_error(FIELDS.get(refusal.field or ""), refusal_text(refusal))
        else:
            messages.success(request, _("Saved."))
            return redirect("panel:mail-sites")
    return _show(request, site, form)


@require_safe
@for_owners
def api(request: PanelRequest, number: int) -> HttpResponse:
    """The packet and the commands that describe this mail: a drawer, or a page of its own without a script."""
    site, stored = _find(request, number)
    context = {
        "name": site.name,
        "crumbs": [
            (reverse("panel:mail-sites"), _("Mail of sites")),
            (reverse("panel:mail-site", args=[number]), site.name),
        ],
        "section": "mail-sites",
        "snippets": [
            (_("Packet that makes it what it is"), site_packet(stored)),
            (_("Packet that reads it"), read_site_packet(number)),
            (_("Commands"), site_commands(site.name, stored)),
        ],
        "note": _("Send packets by POST to /enterprise/control/agent.php with a secret key or a log-in."),
    }
    return render(request, "panel/api_drawer.html" if request.htmx else "panel/api_page.html", context)


def _find(request: PanelRequest, number: int) -> tuple[Site, SitePreferences]:
    """One site by its id. What is missing and what is somebody else's is the same 404."""
    site = visible_sites(request.actor).filter(pk=number).first() if number < 2**63 else None
    stored = next(preferences(request.actor, [number])) if site is not None else None
    if site is None or not isinstance(stored, SitePreferences):
        raise Http404
    return site, stored


def _show(request: PanelRequest, site: Site, form: SiteMailForm) -> HttpResponse:
    context: dict[str, Any] = {"section": "mail-sites", "site": site, "form": form}
    return render(request, "panel/mail_site.html", context, status=422 if form.errors else 200)


def _change(request: PanelRequest, number: int, changes: Preferences) -> None:
    (outcome,) = set_preferences(request.actor, [number], changes)
    if outcome.error is not None:
        raise outcome.error
