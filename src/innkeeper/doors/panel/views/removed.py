"""Removed mail accounts: what can still come back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from innkeeper.core.errors import Refused
from innkeeper.core.serversettings import read_setting
from innkeeper.doors.panel.forms import refusal_text
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.mail import listing
from innkeeper.mail.operations import RETENTION, RestoreAccount, restore_account

ROWS = 100


@require_safe
@for_owners
def removed_list(request: PanelRequest) -> HttpResponse:
    """The accounts removed last, with the day their mail is deleted."""
    rows = listing.removed(request.actor, ROWS)
    context = {"section": "removed", "rows": rows, "full": len(rows) == ROWS, "days": int(read_setting(RETENTION))}
    return render(request, "panel/removed.html", context)


@require_POST
@for_owners
def restore(request: PanelRequest) -> HttpResponse:
    """Bring one account back."""
    site, name = request.POST.get("site", ""), request.POST.get("name", "")[:100]
    number = int(site) if site.isascii() and site.isdigit() and len(site) < 19 else 0
    try:
        restore_account(request.actor, RestoreAccount(number, name))
        messages.success(request, _("{name} is back, with its mail and settings.").format(name=name))
    except Refused as refusal:
        messages.error(request, refusal_text(refusal))
    return redirect("panel:removed")
