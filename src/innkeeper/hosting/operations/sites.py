"""Create sites inside webspaces, and change any site."""

from __future__ import annotations

from django.db import IntegrityError
from django.utils import timezone

from innkeeper.accounts.models import new_guid
from innkeeper.core import names, status
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import AlreadyExists, InvalidValue, NotAllowed, NotFound
from innkeeper.core.operation import Operation
from innkeeper.hosting.models import Site, SubdomainUser
from innkeeper.hosting.operations.logins import check_password, check_quota, require_free_login, require_room
from innkeeper.hosting.operations.records import described, record_created, record_guid, record_updated
from innkeeper.hosting.operations.renaming import rename_site
from innkeeper.hosting.operations.settings import apply_preferences, check_hosting, check_preferences, write_hosting
from innkeeper.hosting.operations.status import inherit_status, record_status
from innkeeper.hosting.operations.webspaces import (
    create_mail_service,
    lock_webspace,
    require_free_keys,
    require_free_name,
)
from innkeeper.hosting.queries import find_site, find_webspace, permits
from innkeeper.hosting.requests import NewSite, SiteChanges


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
    own_user, own_password = request.own_user, ""
    if own_user is not None:
        if parent is None:
            raise InvalidValue("login: only a subdomain has a user of its own. Leave it out.", field="login")
        names.system_user(own_user.login, field="login")
        check_quota(own_user.quota_bytes, field="hard_quota")
        own_password = check_password(own_user.password, own_user.login, crypt=False)
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
        webspace = lock_webspace(webspace.pk)  # serialises the check of the limit
        main = webspace.site
        if status.is_suspended(main.status) or (parent is not None and status.is_suspended(parent.status)):
            site.status |= status.INHERITED
        require_free_name(actor, ascii_name, name)
        count = Site.objects.filter(webspace_id=webspace.pk, parent__isnull=parent is None).count()
        require_room(webspace.pk, "max_site" if parent is None else "max_subdom", count)
        try:
            site.save()
        except IntegrityError as error:
            raise AlreadyExists(f"Domain {name} already exists.", field="name") from error
        if parent is None:
            record_created(operation, site)
        write_hosting(operation, site, webspace, checked)
        site.save()
        if own_user is not None:
            require_free_login(own_user.login, field="login")
            SubdomainUser.objects.create(
                site=site, login=own_user.login, password=own_password, quota_bytes=own_user.quota_bytes
            )
        if parent is not None:
            record_created(operation, site, own_user)  # it tells of the hosting, too
        create_mail_service(site, enabled=request.mail_service)
        operation.audit("site", site.pk, name)
    return site


def update_site(actor: Actor, site_id: int, changes: SiteChanges) -> Site:
    """Change a site. On a main site, name and status are the webspace's.

    Raises NotFound, NotAllowed, AlreadyExists, InvalidValue, WrongStatus.
    """
    site = find_site(actor, id=site_id)
    webspace_id = site.webspace_id
    if webspace_id is None:
        raise NotFound("Site does not exist")
    if changes.name is not None and not permits(actor, webspace_id, "create_domains"):
        raise NotAllowed("Permission denied: ask your provider to rename the site.")
    if changes.hosting is not None and not permits(actor, webspace_id, "manage_phosting"):
        raise NotAllowed("Permission denied: ask your provider for the right to change hosting settings.")
    preferences = changes.preferences
    if actor.kind is ActorKind.CUSTOMER and (preferences.bandwidth, preferences.max_connections) != (None, None):
        raise NotAllowed("Permission denied: ask your provider to change bandwidth or connections.")
    if changes.turn_off_action not in (None, "disable", "suspend"):
        raise InvalidValue(
            f"turn-off-action: {changes.turn_off_action!r} is unknown. Use disable or suspend.", field="turn-off-action"
        )
    is_main = site.pk == webspace_id
    was_virtual = site.hosting_type == Site.Hosting.VIRTUAL
    checked = check_hosting(changes.hosting, webspace=is_main, new=not was_virtual)
    check_preferences(preferences)
    new_name = None if changes.name is None else names.domain(changes.name)
    with Operation(actor, "site.update") as operation:
        webspace = lock_webspace(webspace_id)
        site = webspace.site if is_main else find_site(actor, id=site_id)
        before, old_status = described(site), site.status
        if changes.status is not None:
            site.status = status.requested(actor, old_status, changes.status, web_only=True)
            if changes.status == status.ACTIVE:
                site.turn_off_action = ""
            elif changes.turn_off_action is not None:
                site.turn_off_action = changes.turn_off_action
        old_guid = site.guid
        if changes.new_guid:
            site.guid = new_guid()
        apply_preferences(site, preferences)
        write_hosting(operation, site, webspace, checked)
        if is_main:
            require_free_keys(webspace)
            webspace.save()
        site.save()
        if new_name is not None:
            require_free_name(actor, new_name[1], new_name[0], renamed=site)
            rename_site(actor, site, *new_name)
        if changes != SiteChanges(status=changes.status, turn_off_action=changes.turn_off_action):
            operation.audit("site", site.pk, site.name)
            record_updated(operation, site, before)
            record_guid(operation, site, old_guid, site.guid)
        if site.status != old_status:
            record_status(operation, site, old_status)
            inherit_status(operation, webspace_ids=[webspace_id])
    return site
