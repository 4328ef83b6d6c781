"""Create sites inside webspaces."""

from __future__ import annotations

from django.db import IntegrityError
from django.utils import timezone

from innkeeper.core import names, status
from innkeeper.core.actor import Actor
from innkeeper.core.errors import AlreadyExists, InvalidValue, LimitReached, NotAllowed
from innkeeper.core.operation import Operation
from innkeeper.hosting import catalogue, events
from innkeeper.hosting.models import Site, Webspace
from innkeeper.hosting.operations.settings import apply_preferences, check_hosting, check_preferences, write_hosting
from innkeeper.hosting.operations.webspaces import create_mail_service, require_free_name
from innkeeper.hosting.queries import find_site, find_webspace, limit, permits
from innkeeper.hosting.requests import NewSite


def create_site(actor: Actor, request: NewSite) -> Site:
    """Create a site in a webspace, or a subdomain of another site, with its mail service.

    Raises NotFound, NotAllowed, AlreadyExists, LimitReached, InvalidValue, WrongStatus.
    """
    parent = None if request.parent_id is None else find_site(actor, id=request.parent_id)
    webspace_id = request.webspace_id
    if parent is not None and webspace_id is None:
        webspace_id = parent.webspace_id
    if webspace_id is None:
        raise InvalidValue(
            "webspace-id: it is missing. Name the webspace that the site belongs to.", field="webspace-id"
        )
    webspace = find_webspace(actor, id=webspace_id)
    if parent is not None and parent.webspace_id != webspace.pk:
        raise InvalidValue(
            f"parent-site-id: {parent.name} lies in another webspace. Name a site of this one.", field="parent-site-id"
        )
    if not permits(actor, webspace.pk, "create_domains" if parent is None else "manage_subdomains"):
        raise NotAllowed("Permission denied: ask your provider for the right to create sites.")
    text = request.name.strip().rstrip(".")
    if parent is not None and not text.lower().endswith((f".{parent.name}", f".{parent.ascii_name}")):
        text = f"{text}.{parent.name}"
    name, ascii_name = names.domain(text)
    checked = check_hosting(request.hosting, webspace=False, new=True)
    check_preferences(request.preferences)
    site = Site(
        webspace=webspace,
        parent=parent,
        name=name,
        ascii_name=ascii_name,
        status=status.requested(actor, status.ACTIVE, request.status, web_only=True),
        created_at=timezone.now(),
    )
    apply_preferences(site, request.preferences)
    with Operation(actor, "site.create") as operation:
        # The lock serialises the check of the limit; SQLite's one writer needs none.
        main = Webspace.objects.select_for_update().select_related("site").get(pk=webspace.pk).site
        if status.is_suspended(main.status) or (parent is not None and status.is_suspended(parent.status)):
            site.status |= status.INHERITED
        require_free_name(ascii_name, name)
        _require_room(webspace.pk, "max_site" if parent is None else "max_subdom")
        try:
            site.save()
        except IntegrityError as error:
            raise AlreadyExists(f"Domain {name} already exists.", field="name") from error
        operation.event(events.DOMAIN_CREATE, site.pk, new={"domain_name": name})
        write_hosting(operation, site, webspace, checked)
        site.save()
        create_mail_service(site, enabled=request.mail_service)
        operation.audit("site", site.pk, name)
    return site


def _require_room(webspace_id: int, name: str) -> None:
    allowed = limit(webspace_id, name)
    count = Site.objects.filter(webspace_id=webspace_id, parent__isnull=name == "max_site").count()
    if allowed != catalogue.UNLIMITED and count >= allowed:
        raise LimitReached(
            f"The limit {name} of this webspace is reached ({count} of {allowed} in use). Ask your provider for more."
        )
