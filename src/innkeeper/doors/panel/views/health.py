"""What needs the administrator: the entries of the health check, the worst first."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from innkeeper.doors.panel.visitor import PanelRequest, for_administrator
from innkeeper.upkeep.health import entries


@require_safe
@for_administrator
def health(request: PanelRequest) -> HttpResponse:
    """Everything that is watched; first what needs attention, with the way out."""
    found = sorted(entries(), key=lambda entry: entry.ok)
    context = {"section": "health", "entries": found, "problems": sum(not entry.ok for entry in found)}
    return render(request, "panel/health.html", context)
