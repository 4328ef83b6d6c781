"""Create, change and remove web users."""

from __future__ import annotations

from django.utils import timezone

from innkeeper.core import names
from innkeeper.core.actor import Actor
from innkeeper.core.errors import InvalidValue, NotAllowed, NotFound
from innkeeper.core.operation import Operation
from innkeeper.hosting import catalogue, events
from innkeeper.hosting.models import HostingProperty, Site, WebUser
from innkeeper.hosting.operations.logins import check_password, check_quota, require_free_login, require_room
from innkeeper.hosting.operations.webspaces import lock_webspace
from innkeeper.hosting.queries import find_site, find_web_user, permits
from innkeeper.hosting.requests import NewWebUser, WebUserChanges
from innkeeper.jobs.effects import place_hosting

_SUPPORTS = ("ssi", "php", "cgi", "perl", "python")


def create_web_user(actor: Actor, request: NewWebUser) -> WebUser:
    """Create a web user of a domain with virtual hosting.

    Raises NotFound, NotAllowed, AlreadyExists, LimitReached, InvalidValue.
    """
    site = find_site(actor, id=request.site_id)
    webspace_id = _webspace_of(actor, site)
    login = names.system_user(request.login, field="login")
    check_quota(request.quota_bytes, field="ftp-quota")
    services = catalogue.clean_services(request.services)
    password = check_password(request.password, login, crypt=request.crypt) if request.password else ""
    with Operation(actor, "webuser.create") as operation:
        lock_webspace(webspace_id)
        site = find_site(actor, id=site.pk)
        _require_hosting(site)
        require_free_login(login, field="login")
        require_room(webspace_id, "max_wu", WebUser.objects.filter(site__webspace_id=webspace_id).count())
        user = WebUser.objects.create(
            site=site,
            login=login,
            password=password,
            quota_bytes=request.quota_bytes,
            services=services,
            created_at=timezone.now(),
        )
        operation.audit("webuser", user.pk, login)
        secrets = {} if request.crypt or not request.password else {"webuser_password": request.password}
        operation.event(events.WEBUSER_CREATE, user.pk, new=_described(user), secrets=secrets)
        place_hosting(webspace_id)
    return user


def update_web_user(actor: Actor, user_id: int, changes: WebUserChanges) -> WebUser:
    """Change password, quota or services. Raises NotFound, NotAllowed, InvalidValue."""
    user = find_web_user(actor, user_id)
    webspace_id = _webspace_of(actor, user.site)
    check_quota(changes.quota_bytes, field="ftp-quota")
    services = catalogue.clean_services(changes.services)
    password = None
    if changes.password is not None:
        password = check_password(changes.password, user.login, crypt=changes.crypt)
    with Operation(actor, "webuser.update") as operation:
        lock_webspace(webspace_id)
        user = find_web_user(actor, user_id)
        before = _described(user)
        if password is not None:
            user.password = password
        if changes.quota_bytes is not None:
            user.quota_bytes = changes.quota_bytes
        user.services = {**user.services, **services}
        user.save()
        operation.audit("webuser", user.pk, user.login)
        secrets = {} if changes.crypt or not changes.password else {"webuser_password": changes.password}
        operation.event(events.WEBUSER_UPDATE, user.pk, old=before, new=_described(user), secrets=secrets)
        place_hosting(webspace_id)
    return user


def remove_web_user(actor: Actor, user_id: int) -> None:
    """Remove a web user. His files lie in a grave for a while. Raises NotFound, NotAllowed."""
    user = find_web_user(actor, user_id)
    webspace_id = _webspace_of(actor, user.site)
    with Operation(actor, "webuser.remove") as operation:
        lock_webspace(webspace_id)
        user = find_web_user(actor, user_id)
        record_web_users_end(operation, [user])
        user.delete()
        place_hosting(webspace_id)


def record_web_users_end(operation: Operation, users: list[WebUser]) -> None:
    """Audit and events of web users that go. Call it before their rows go."""
    for user in users:
        operation.audit("webuser", user.pk, user.login)
        operation.event(events.WEBUSER_DELETE, user.pk, old={"domain_name": user.site.name, "webuser_name": user.login})


def set_web_user_scripts(actor: Actor, site_id: int, allowed: bool) -> None:
    """Whether the web users of a site may run scripts. Raises NotFound, NotAllowed, InvalidValue."""
    site = find_site(actor, id=site_id)
    webspace_id = _webspace_of(actor, site)
    with Operation(actor, "webuser.scripts") as operation:
        lock_webspace(webspace_id)
        site = find_site(actor, id=site_id)
        _require_hosting(site)
        HostingProperty.objects.update_or_create(
            site=site, name="wu_script", defaults={"value": "true" if allowed else "false"}
        )
        operation.audit("site", site.pk, site.name, "wu_script")


def _webspace_of(actor: Actor, site: Site) -> int:
    if site.webspace_id is None:
        raise NotFound("Site does not exist")
    if not permits(actor, site.webspace_id, "manage_phosting"):
        raise NotAllowed("Permission denied: ask your provider for the right to change hosting settings.")
    webspace_id: int = site.webspace_id
    return webspace_id


def _require_hosting(site: Site) -> None:
    if site.parent_id is not None or site.hosting_type != Site.Hosting.VIRTUAL:
        raise InvalidValue(
            f"site-id: {site.name} has no virtual hosting of its own. Name a domain that has, no subdomain.",
            field="site-id",
        )


def _described(user: WebUser) -> dict[str, object]:
    return {
        "domain_name": user.site.name,
        "webuser_name": user.login,
        **{f"{name}_support": "true" if user.services.get(name) else "false" for name in _SUPPORTS},
        "hard_disk_quota": user.quota_bytes,
    }
