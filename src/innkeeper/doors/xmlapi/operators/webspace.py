"""Operator `webspace`: subscriptions, each with its main site."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from lxml import etree

from innkeeper.accounts.models import Account
from innkeeper.accounts.queries import named as named_accounts
from innkeeper.accounts.queries import visible_accounts
from innkeeper.core import names
from innkeeper.core.actor import ActorKind
from innkeeper.core.errors import InvalidValue, NotAllowed, NotFound, NotSupported
from innkeeper.doors.xmlapi.call import Call, raw_text_of, text_of
from innkeeper.doors.xmlapi.descriptors import (
    answer_descriptors,
    describe_limits,
    describe_permissions,
    describe_properties,
)
from innkeeper.doors.xmlapi.hosting_answers import (
    addresses_of,
    write_disk_usage,
    write_hosting,
    write_limits,
    write_names,
    write_pairs,
    write_performance,
    write_preferences,
    write_statistics,
)
from innkeeper.doors.xmlapi.hosting_requests import (
    entitlements_of,
    hosting_of,
    mail_of,
    preferences_of,
    refuse_plans,
    status_of,
)
from innkeeper.doors.xmlapi.operators.customer import owner_of
from innkeeper.doors.xmlapi.selection import Key, Kinds, Selected, answer_data, answer_each, changing, number, select
from innkeeper.doors.xmlapi.versions import Dialect
from innkeeper.doors.xmlapi.writer import Writer
from innkeeper.hosting.models import Webspace
from innkeeper.hosting.operations import create_webspace, remove_webspace, update_webspace
from innkeeper.hosting.queries import (
    limits_of,
    permissions_of,
    php_settings_of,
    properties_of,
    visible_webspaces,
)
from innkeeper.hosting.requests import NewWebspace, WebspaceChanges
from innkeeper.hosting.statistics import Figures, figures_of_webspaces
from innkeeper.mail import queries as mail_queries
from innkeeper.mail.queries import SitePreferences

OPERATOR = "webspace"
DIALECTS = (Dialect.NEW,)
MISSING = "domain does not exist"

# Which limit bounds which figure.
USED = {
    "disk_space": "bytes",
    "max_site": "domains",
    "max_subdom": "subdomains",
    "max_box": "mailboxes",
    "max_redir": "redirects",
    "max_mg": "mail_groups",
    "max_resp": "autoresponders",
}


def add(call: Call) -> None:
    """Create a webspace."""
    refuse_plans(call.element)
    setup = call.element[0]
    _refuse_repeated(setup)
    owner = _owner(call)
    webspace = create_webspace(
        call.actor,
        NewWebspace(
            name=text_of(setup, "name") or "",
            owner_id=None if owner is None else owner.pk,
            status=status_of(text_of(setup, "status")),
            hosting=hosting_of(call.element, text_of(setup, "htype")),
            ip_addresses=_addresses(call),
            preferences=preferences_of(call.element, raw_text_of(setup, "description")),
            entitlements=entitlements_of(call.element),
            external_id=text_of(setup, "external-id") or "",
            admin_description=text_of(setup, "admin-description") or "",
            reseller_description=text_of(setup, "reseller-description") or "",
            mail=mail_of(call.element),
        ),
    )
    with call.result() as writer:
        writer.leaf("id", webspace.pk)
        writer.leaf("guid", webspace.guid)


def _owner(call: Call) -> Account | None:
    setup = call.element.find(".//gen_setup")
    if setup is None:
        return None
    return owner_of(
        call,
        text_of(setup, "owner-id"),
        text_of(setup, "owner-login"),
        text_of(setup, "owner-guid"),
        text_of(setup, "owner-external-id"),
    )


def _refuse_repeated(setup: etree._Element) -> None:
    """The schema takes the children in any order and so any number of times. Raises InvalidValue."""
    seen: set[str] = set()
    for child in setup:
        kind = "owner" if str(child.tag).startswith("owner-") else str(child.tag)
        if kind in seen and kind != "ip_address":
            raise InvalidValue(f"{child.tag}: the {kind} is given twice. Give it once.", field=str(child.tag))
        seen.add(kind)


def _addresses(call: Call) -> tuple[str, ...]:
    setup = call.element.find(".//gen_setup")
    found = [] if setup is None else setup.findall("ip_address")
    return tuple(" ".join((each.text or "").split()) for each in found if each.text)


def get(call: Call) -> None:
    """Webspaces, with the blocks that the dataset asks for."""
    answer_data(call, _selected(call), lambda webspaces: _blocks(call, webspaces), empty=True)


def set_(call: Call) -> None:
    """Change webspaces."""
    change = changing(lambda: _changes(call), lambda each, changes: update_webspace(call.actor, each.pk, changes))
    answer_each(call, _selected(call), change, empty=True)


def _changes(call: Call) -> WebspaceChanges:
    values = call.element[1]
    setup = values.find("gen_setup")
    if setup is not None:
        _refuse_repeated(setup)
    owner = _owner(call)
    if setup is not None and setup.find("admin-as-vendor") is not None:
        raise NotSupported("admin-as-vendor: the provider of a webspace is the owner's. Change the owner instead.")

    def given(tag: str) -> str | None:
        return None if setup is None else text_of(setup, tag)

    status = given("status")
    return WebspaceChanges(
        name=given("name"),
        owner_id=None if owner is None else owner.pk,
        status=None if status is None else status_of(status),
        hosting=hosting_of(values, None),
        ip_addresses=_addresses(call),
        preferences=preferences_of(values, None if setup is None else raw_text_of(setup, "description")),
        entitlements=entitlements_of(values),
        external_id=given("external-id"),
        admin_description=given("admin-description"),
        reseller_description=given("reseller-description"),
        new_guid=setup is not None and setup.find("guid") is not None,
        mail=mail_of(values),
    )


def delete(call: Call) -> None:
    """Remove webspaces with all their sites."""
    answer_each(call, _selected(call), lambda each: remove_webspace(call.actor, each.pk), empty=True)


def get_traffic(call: Call) -> None:
    """The traffic of each day: none, because none is counted yet."""
    answer_data(call, _selected(call), lambda _: lambda _writer, _webspace: None, empty=True)


def get_limit_descriptor(call: Call) -> None:
    """Which limits a webspace has."""
    answer_descriptors(call, _selected(call), describe_limits)


def get_permission_descriptor(call: Call) -> None:
    """Which permissions a webspace's owner has."""
    answer_descriptors(call, _selected(call), describe_permissions)


def get_physical_hosting_descriptor(call: Call) -> None:
    """Which hosting properties a webspace has."""
    answer_descriptors(call, _selected(call), lambda writer: describe_properties(writer, webspace=True))


def _selected(call: Call) -> Iterator[Selected[Webspace]]:
    """The webspaces of the filter. A customer's filter never names an owner."""
    webspaces = visible_webspaces(call.actor).select_related("site", "owner__owner", "ipv4", "ipv6").order_by("pk")
    accounts = visible_accounts(call.actor)

    def owned(owners: Iterable[Account]) -> Iterable[Webspace]:
        if call.actor.kind is ActorKind.CUSTOMER:
            raise NotAllowed("Permission denied: a customer sees its own webspaces. Use an empty filter.")
        owner = next(iter(owners), None)
        if owner is None:
            raise NotFound("Owner does not exist")
        return webspaces.filter(owner=owner)

    kinds: Kinds[Webspace] = {
        "id": Key(webspaces, "pk", number, lambda each: each.pk, MISSING),
        "name": Key(webspaces, "site__ascii_name", names.fold_domain, lambda each: each.site.ascii_name, MISSING),
        "guid": Key(webspaces, "guid", str.lower, lambda each: each.guid, MISSING),
        "external-id": Key(webspaces, "external_id", str, lambda each: each.external_id, MISSING),
        "owner-id": lambda text: owned(named_accounts(accounts, id=number(text))),
        "owner-login": lambda text: owned(named_accounts(accounts, login=text)),
        "owner-guid": lambda text: owned(named_accounts(accounts, guid=text)),
        "owner-external-id": lambda text: owned(named_accounts(accounts, external_id=text)),
    }
    return select(call.element.find("filter"), kinds, lambda: webspaces.iterator(500))


def _blocks(call: Call, webspaces: Sequence[Webspace]) -> Callable[[Writer, Webspace], None]:
    wanted = {str(child.tag) for child in call.element[1]}
    ids = [each.pk for each in webspaces]
    for each in webspaces:
        each.site.webspace = each
    counted = bool(wanted & {"stat", "resource-usage"})
    figures = figures_of_webspaces(ids, counted=counted)
    properties = properties_of(each.site for each in webspaces) if wanted & {"hosting", "hosting-basic"} else {}
    limits = limits_of(ids) if "limits" in wanted else {}
    permissions = permissions_of(ids) if "permissions" in wanted else {}
    php_settings = php_settings_of(ids) if "php-settings" in wanted else {}
    mail = {
        found.site_id: found
        for found in (mail_queries.preferences(call.actor, ids) if "mail" in wanted else ())
        if isinstance(found, SitePreferences)
    }

    def write(writer: Writer, webspace: Webspace) -> None:
        site, found = webspace.site, figures[webspace.pk]
        with writer.element("data"):
            with writer.element("gen_info"):
                _write_general(call, webspace, found)
            if "hosting" in wanted:
                write_hosting(writer, site, properties[site.pk])
            if "hosting-basic" in wanted:
                write_hosting(writer, site, properties[site.pk], "hosting-basic", basic=True)
            if "limits" in wanted:
                write_limits(writer, webspace, limits[webspace.pk])
            if "stat" in wanted:
                write_statistics(writer, found, domains=True)
            if "prefs" in wanted:
                write_preferences(writer, site, webspace.outgoing_limit)
            if "disk_usage" in wanted:
                write_disk_usage(writer, found)
            if "performance" in wanted:
                write_performance(writer, site)
            # There are no service plans yet: nothing is subscribed.
            if "subscriptions" in wanted:
                writer.leaf("subscriptions")
            if "permissions" in wanted:
                write_pairs(writer, "permissions", "permission", permissions[webspace.pk])
            if "plan-items" in wanted:
                writer.leaf("plan-items")
            if "php-settings" in wanted:
                write_pairs(writer, "php-settings", "setting", php_settings[webspace.pk])
            if "resource-usage" in wanted:
                _write_usage(writer, found)
            if "mail" in wanted and site.pk in mail:
                _write_mail(writer, mail[site.pk], webspace.outgoing_limit)
            if "aps-filter" in wanted:
                writer.leaf("aps-filter", False)
            if "packages" in wanted:
                writer.leaf("packages")

    return write


def _write_general(call: Call, webspace: Webspace, figures: Figures) -> None:
    writer, owner = call.writer, webspace.owner
    write_names(writer, webspace.site, figures.bytes)
    writer.leaf("owner-id", owner.pk)
    writer.leaf("owner-login", owner.login)
    for address in addresses_of(webspace):
        writer.leaf("dns_ip_address", address)
    writer.leaf("htype", webspace.site.hosting_type)
    writer.leaf("guid", webspace.guid)
    vendor = owner.owner if owner.kind == Account.Kind.CUSTOMER and owner.owner is not None else owner
    writer.leaf("vendor-guid", vendor.guid)
    writer.leaf("external-id", webspace.external_id)
    writer.leaf("description", webspace.site.description)
    # What one kind of provider noted is not for those below it.
    if call.actor.is_administrator:
        writer.leaf("admin-description", webspace.admin_description)
    if call.actor.kind is not ActorKind.CUSTOMER:
        writer.leaf("reseller-description", webspace.reseller_description)


def _write_usage(writer: Writer, figures: Figures) -> None:
    with writer.element("resource-usage"):
        for name, attribute in USED.items():
            with writer.element("resource"):
                writer.leaf("name", name)
                writer.leaf("value", getattr(figures, attribute))
        with writer.element("resource"):
            writer.leaf("name", "max_traffic")
            writer.leaf("value", 0)


def _write_mail(writer: Writer, found: SitePreferences, outgoing_limit: str) -> None:
    with writer.element("mail"):
        with writer.element("nonexistent-user"):
            writer.leaf(found.unknown_action, found.unknown_value)
        writer.leaf("webmail", found.webmail)
        writer.leaf("spam-protect-sign", bool(found.sign_outgoing))
        writer.leaf("greylisting", bool(found.greylisting))
        writer.leaf("mailservice", bool(found.enabled))
        if found.webmail_certificate:
            writer.leaf("webmail-certificate", found.webmail_certificate)
        writer.leaf("outgoing-messages-domain-limit", outgoing_limit)


OPERATIONS = {
    "add": add,
    "get": get,
    "set": set_,
    "del": delete,
    "get_traffic": get_traffic,
    "get-limit-descriptor": get_limit_descriptor,
    "get-permission-descriptor": get_permission_descriptor,
    "get-physical-hosting-descriptor": get_physical_hosting_descriptor,
}
