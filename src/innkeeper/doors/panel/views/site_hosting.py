"""Settings of a site's web hosting."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from innkeeper.core.errors import Refused
from innkeeper.doors.panel.views.file_places import folder_address, site_files
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.hosting import operations
from innkeeper.hosting.models import Site
from innkeeper.hosting.queries import permits, properties_of
from innkeeper.hosting.requests import HostingSettings, SiteChanges

WRITE_MODIFY = "write_modify"


def settings_of(request: PanelRequest, site: Site) -> dict[str, Any]:
    """What the page of a site's own folder shows of them, for who may change them."""
    if site.webspace_id is None or not permits(request.actor, site.webspace_id, "manage_phosting"):
        return {}
    return {"write_modify": properties_of([site])[site.pk].get(WRITE_MODIFY) == "true", "may_change_hosting": True}


@require_POST
@for_owners
def change(request: PanelRequest, number: int) -> HttpResponse:
    """Switch additional write and modify permissions."""
    # The page of the folder, on which a refusal stands, imports this module.
    from innkeeper.doors.panel.views.files import show_folder

    files = site_files(request, number)
    is_on = request.POST.get(WRITE_MODIFY) == "1"
    settings = HostingSettings(Site.Hosting.VIRTUAL, {WRITE_MODIFY: "true" if is_on else "false"})
    try:
        operations.update_site(request.actor, number, SiteChanges(hosting=settings))
    except Refused as refusal:
        return show_folder(request, files, (), status=422, refusal=refusal.message)
    text = _("Programs of the site may change its content now.") if is_on else _("Programs of the site only read now.")
    messages.success(request, text)
    return redirect(folder_address(files, ()))
