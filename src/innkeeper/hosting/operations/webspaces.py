"""Create and change webspaces."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError
from django.utils import timezone

from innkeeper.accounts.models import Account, new_guid
from innkeeper.accounts.queries import visible_accounts
from innkeeper.core import names, status
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import AlreadyExists, InvalidValue, IPAddressNotFound, NotAllowed, NotFound, OwnerNotFound
from innkeeper.core.operation import Operation
from innkeeper.hosting import catalogue, events
from innkeeper.hosting.models import PHPSetting, Site, Webspace, WebspaceLimit, WebspacePermission
from innkeeper.hosting.operations.api_access import settle_api_access
from innkeeper.hosting.operations.logins import require_free_login
from innkeeper.hosting.operations.records import (
    described,
    limit_values,
    record_created,
    record_guid,
    record_updated,
)
from innkeeper.hosting.operations.renaming import rename_site
from innkeeper.hosting.operations.settings import (
    apply_preferences,
    check_hosting,
    check_preferences,
    write_hosting,
)
from innkeeper.hosting.operations.status import EXPIRATION, inherit_status, record_status, with_expiration
from innkeeper.hosting.queries import find_webspace, permits, visible_sites
from innkeeper.hosting.requests import Entitlements, NewWebspace, WebspaceChanges
from innkeeper.mail.models import MailService
from innkeeper.mail.operations import set_preferences
from innkeeper.mail.requests import Preferences as MailPreferences
from innkeeper.network.models import IPAddress

EXTERNAL_ID_LENGTH = 255


def create_webspace(actor: Actor, request: NewWebspace) -> Webspace:
    """Create a webspace with its main site, which shares its id, and the site's mail service.

    Raises NotAllowed, OwnerNotFound, AlreadyExists, IPAddressNotFound, InvalidValue, WrongStatus.
    """
    if actor.kind not in (ActorKind.ADMINISTRATOR, ActorKind.RESELLER):
        raise NotAllowed("Permission denied: ask your provider for another webspace.")
    owner = require_owner(actor, request.owner_id)
    name, ascii_name = names.domain(request.name)
    checked = check_hosting(request.hosting, webspace=True, new=True)
    check_preferences(request.preferences)
    _check_texts(request.external_id, request.admin_description, request.reseller_description)
    entitlements = CheckedEntitlements(request.entitlements)
    hosted_on = (request.hosting.ip_addresses if request.hosting else ()) or request.ip_addresses
    site = Site(
        name=name,
        ascii_name=ascii_name,
        status=status.requested(actor, status.ACTIVE, request.status),
        created_at=timezone.now(),
    )
    if owner.status:
        site.status |= status.INHERITED
    apply_preferences(site, request.preferences)
    with Operation(actor, "webspace.create") as operation:
        require_free_name(actor, ascii_name, name)
        webspace = Webspace(
            site=site,
            owner=owner,
            external_id=request.external_id.strip() or None,
            admin_description=request.admin_description,
            reseller_description=request.reseller_description,
            outgoing_limit=request.preferences.outgoing_limit or "default",
        )
        webspace.ipv4, webspace.ipv6 = addresses_for(owner, hosted_on) if hosted_on else first_shared_addresses()
        try:
            site.save()
            webspace.site = site
            site.webspace = webspace
            if checked is not None:
                webspace.ftp_login, webspace.ftp_password = checked.ftp_login, checked.ftp_password or ""
            require_free_keys(webspace)
            webspace.save(force_insert=True)
            record_created(operation, site)
            write_hosting(operation, site, webspace, checked)
            site.save()
        except IntegrityError as error:
            raise AlreadyExists(f"Domain {name}, its external id or its system user already exists.") from error
        entitlements.write(webspace)
        settle_api_access([owner.pk])
        create_mail_service(site)
        _set_mail(actor, site, request.mail)
        operation.audit("webspace", site.pk, name)
    return webspace


def create_mail_service(site: Site, *, enabled: bool = True) -> None:
    """Every site has a mail service, on or off."""
    MailService.objects.create(
        site=site,
        domain_key=f"@{site.ascii_name}",
        bounce_address=f"site-{site.pk}@bounce.invalid",
        enabled=enabled,
    )


def _check_texts(external_id: str | None, *notes: str | None) -> None:
    """Raises InvalidValue for texts that no row can hold."""
    if external_id is not None and len(external_id) > EXTERNAL_ID_LENGTH:
        raise InvalidValue(f"external-id: use at most {EXTERNAL_ID_LENGTH} characters.", field="external-id")
    for text in (external_id, *notes):
        if text is not None and catalogue.CONTROL.search(text):
            raise InvalidValue("external-id, description: leave the control characters out.", field="description")


def _set_mail(actor: Actor, site: Site, wanted: MailPreferences) -> None:
    """Mail preferences of the main site, as part of the webspace's operation. Raises what mail refuses."""
    if wanted == MailPreferences():
        return
    for outcome in set_preferences(actor, [site.pk], wanted):
        if outcome.error is not None:
            raise outcome.error


def require_owner(actor: Actor, owner_id: int | None) -> Account:
    """The account that a webspace shall belong to; None is the caller. Raises OwnerNotFound."""
    owner = visible_accounts(actor).filter(pk=actor.account_id if owner_id is None else owner_id).first()
    if owner is None:
        raise OwnerNotFound("Owner does not exist")
    return owner


def require_free_name(actor: Actor, ascii_name: str, name: str, *, renamed: Site | None = None) -> None:
    """Raises AlreadyExists if a site has the name, or a domain above it belongs to somebody else.

    Who owns a domain owns the names below it: otherwise a neighbour could take mail for them. The administrator may
    give them to anybody.
    """
    others = Site.objects.all() if renamed is None else Site.objects.exclude(pk=renamed.pk)
    if others.filter(ascii_name=ascii_name).exists():
        raise AlreadyExists(f"Domain {name} already exists.", field="name")
    if actor.is_administrator:
        return
    labels = ascii_name.split(".")
    above = [".".join(labels[start:]) for start in range(1, len(labels) - 1)]
    if others.filter(ascii_name__in=above).exclude(pk__in=visible_sites(actor).values("pk")).exists():
        raise AlreadyExists(f"Unable to create the domain {name}: a domain above it exists already.", field="name")


def require_free_keys(webspace: Webspace) -> None:
    """Raises AlreadyExists if another webspace has the external id or the system user."""
    others = Webspace.objects.exclude(pk=webspace.pk)
    if webspace.external_id and others.filter(external_id=webspace.external_id).exists():
        raise AlreadyExists(
            f"A webspace with the external id {webspace.external_id} already exists.", field="external-id"
        )
    if webspace.ftp_login:
        require_free_login(webspace.ftp_login, field="ftp_login", kept_by=webspace)


def addresses_for(owner: Account, wanted: Iterable[str]) -> tuple[IPAddress | None, IPAddress | None]:
    """The IPv4 and the IPv6 address of that text. Raises IPAddressNotFound for one that the owner may not use."""
    found: dict[int, IPAddress] = {}
    for text in wanted:
        try:
            parsed = ipaddress.ip_address(text.strip())
        except ValueError:
            raise InvalidValue(f"ip_address: {text!r} is not an IP address.", field="ip_address") from None
        address = IPAddress.objects.filter(address=str(parsed)).first()
        taken = (
            address is not None
            and address.type == IPAddress.Type.EXCLUSIVE
            and Webspace.objects.filter(**{f"ipv{parsed.version}": address}).exclude(owner=owner).exists()
        )
        if address is None or taken:
            raise IPAddressNotFound(
                f"Unable to create hosting on ip {parsed}. Ip address does not exist in client's pool",
                field="ip_address",
            )
        if parsed.version in found:
            raise InvalidValue(
                f"ip_address: two IPv{parsed.version} addresses were given. Give one of each family.",
                field="ip_address",
            )
        found[parsed.version] = address
    return found.get(4), found.get(6)


def first_shared_addresses() -> tuple[IPAddress | None, IPAddress | None]:
    """The shared address of each family that new webspaces get, the default one first."""
    shared = IPAddress.objects.filter(type=IPAddress.Type.SHARED).order_by("-is_default", "pk")
    by_family: dict[int, IPAddress] = {}
    for address in shared:
        by_family.setdefault(ipaddress.ip_address(address.address).version, address)
    return by_family.get(4), by_family.get(6)


class CheckedEntitlements:
    """Limits, permissions and PHP settings, checked before the operation opens. Raises InvalidValue."""

    def __init__(self, request: Entitlements) -> None:
        self.limits = dict.fromkeys(catalogue.LIMITS, 0) if request.limits_to_zero else {}
        self.limits |= catalogue.clean_limits(request.limits)
        self.permissions = dict.fromkeys(catalogue.PERMISSIONS, False) if request.revoke_permissions else {}
        self.permissions |= catalogue.clean_permissions(request.permissions)
        self.php_settings = catalogue.clean_php_settings(request.php_settings)
        self.overuse = request.overuse
        if self.overuse is not None and self.overuse not in catalogue.OVERUSE:
            raise InvalidValue(
                f"overuse: {self.overuse!r} is unknown. Use one of {', '.join(catalogue.OVERUSE)}.", field="overuse"
            )

    def write(self, webspace: Webspace) -> None:
        """Store them for a stored webspace."""
        if self.overuse is not None:
            webspace.overuse = self.overuse
            webspace.save(update_fields=["overuse"])
        tables: tuple[tuple[Any, dict[str, Any]], ...] = (
            (WebspaceLimit, self.limits),
            (WebspacePermission, self.permissions),
            (PHPSetting, self.php_settings),
        )
        for model, values in tables:
            model.objects.bulk_create(
                [model(webspace=webspace, name=name, value=value) for name, value in values.items()],
                update_conflicts=True,
                unique_fields=["webspace", "name"],
                update_fields=["value"],
            )


def update_webspace(actor: Actor, webspace_id: int, changes: WebspaceChanges) -> Webspace:
    """Change a webspace and its main site. A customer changes hosting, small preferences and its own suspension.

    Raises NotFound, NotAllowed, OwnerNotFound, AlreadyExists, IPAddressNotFound, InvalidValue, WrongStatus.
    """
    webspace = find_webspace(actor, id=webspace_id)
    _require_rights(actor, webspace, changes)
    owner = None if changes.owner_id is None else require_owner(actor, changes.owner_id)
    was_virtual = webspace.site.hosting_type == Site.Hosting.VIRTUAL
    checked = check_hosting(changes.hosting, webspace=True, new=not was_virtual)
    check_preferences(changes.preferences)
    _check_texts(changes.external_id, changes.admin_description, changes.reseller_description)
    entitlements = CheckedEntitlements(changes.entitlements)
    wanted = (changes.hosting.ip_addresses if changes.hosting else ()) or changes.ip_addresses
    new_name = None if changes.name is None else names.domain(changes.name)
    with Operation(actor, "webspace.update") as operation:
        webspace = lock_webspace(webspace_id)
        site = webspace.site
        before, old_status = described(site), site.status
        if changes.status is not None:
            site.status = status.requested(actor, old_status, changes.status)
        for name in ("external_id", "admin_description", "reseller_description"):
            value = getattr(changes, name)
            if value is not None:
                setattr(webspace, name, (value.strip() or None) if name == "external_id" else value)
        owner_ids = {webspace.owner_id}
        if owner is not None:
            webspace.owner = owner
            owner_ids.add(owner.pk)
        old_guid = webspace.guid
        if changes.new_guid:
            webspace.guid = new_guid()
        if changes.preferences.outgoing_limit is not None:
            webspace.outgoing_limit = changes.preferences.outgoing_limit
        apply_preferences(site, changes.preferences)
        if wanted:
            webspace.ipv4, webspace.ipv6 = addresses_for(webspace.owner, wanted)
        write_hosting(operation, site, webspace, checked)
        require_free_keys(webspace)
        try:
            webspace.save()
            site.save()
        except IntegrityError as error:
            raise AlreadyExists(f"The external id or the system user of {site.name} already exists.") from error
        old_limits = limit_values(webspace) if entitlements.limits else {}
        entitlements.write(webspace)
        if owner is not None or entitlements.permissions:
            settle_api_access(owner_ids)
        if EXPIRATION in entitlements.limits or changes.status is not None:
            site.status = with_expiration(webspace)
            site.save(update_fields=["status"])
        _set_mail(actor, site, changes.mail)
        if new_name is not None:
            require_free_name(actor, new_name[1], new_name[0], renamed=site)
            rename_site(actor, site, *new_name)
        if changes != WebspaceChanges(status=changes.status):
            operation.audit("webspace", site.pk, site.name)
            record_updated(operation, site, before)
            record_guid(operation, site, old_guid, webspace.guid)
            if entitlements.limits:
                operation.event(
                    events.DOMAIN_LIMITS_UPDATE,
                    site.pk,
                    old=old_limits,
                    new=limit_values(webspace),
                )
        if site.status != old_status:
            record_status(operation, site, old_status)
        if site.status != old_status or owner is not None:
            inherit_status(operation, webspace_ids=[webspace.pk])
    webspace.site.refresh_from_db(fields=["status"])
    return webspace


def _require_rights(actor: Actor, webspace: Webspace, changes: WebspaceChanges) -> None:
    """Raises NotAllowed where a change is the provider's."""
    if actor.kind is ActorKind.RESELLER and changes.admin_description is not None:
        raise NotAllowed("Permission denied: admin-description belongs to the administrator.")
    if actor.kind is not ActorKind.CUSTOMER:
        return
    preferences = changes.preferences
    if (
        any(value is not None for value in (
            changes.owner_id, changes.external_id, changes.admin_description, changes.reseller_description,
            preferences.bandwidth, preferences.max_connections, preferences.outgoing_limit,
        ))
        or changes.new_guid
        or changes.ip_addresses
        or (changes.hosting and changes.hosting.ip_addresses)
        or not changes.entitlements.is_empty
    ):  # fmt: skip
        raise NotAllowed("Permission denied: ask your provider to change owner, addresses, limits or permissions.")
    if changes.name is not None and not permits(actor, webspace.pk, "create_domains"):
        raise NotAllowed("Permission denied: ask your provider to rename the webspace.")
    if changes.hosting is not None and not permits(actor, webspace.pk, "manage_phosting"):
        raise NotAllowed("Permission denied: ask your provider for the right to change hosting settings.")


def lock_webspace(webspace_id: int) -> Webspace:
    """The webspace and its main site, locked until the transaction ends. SQLite's one writer needs no lock."""
    found = Webspace.objects.select_for_update(of=("self",)).filter(pk=webspace_id).first()
    if found is None:
        raise NotFound("domain does not exist")
    return Webspace.objects.select_related("site", "owner", "ipv4", "ipv6").get(pk=webspace_id)
