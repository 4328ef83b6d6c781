"""Operator `site`: sites inside webspaces, and their subdomains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from django.db.models import F
from lxml import etree

from innkeeper.core import names
from innkeeper.core.errors import NotFound, NotSupported
from innkeeper.doors.xmlapi.call import Call, boolean_of, raw_text_of, text_of
from innkeeper.doors.xmlapi.descriptors import answer_descriptors, describe_properties
from innkeeper.doors.xmlapi.hosting_answers import (
    addresses_of,
    write_disk_usage,
    write_hosting,
    write_names,
    write_performance,
    write_preferences,
    write_statistics,
)
from innkeeper.doors.xmlapi.hosting_requests import hosting_of, preferences_of, status_of
from innkeeper.doors.xmlapi.selection import Key, Kinds, Selected, answer_data, answer_each, changing, number, select
from innkeeper.doors.xmlapi.versions import Dialect
from innkeeper.doors.xmlapi.writer import Writer
from innkeeper.hosting.models import Site, Webspace
from innkeeper.hosting.operations import create_site, remove_site, update_site
from innkeeper.hosting.queries import find_site, find_webspace, properties_of, visible_sites, visible_webspaces
from innkeeper.hosting.requests import NewSite, Preferences, SiteChanges
from innkeeper.hosting.statistics import figures_of

OPERATOR = "site"
DIALECTS = (Dialect.NEW,)
MISSING = "Site does not exist"


def add(call: Call) -> None:
    """Create a site or a subdomain."""
    setup = call.element[0]
    mail = call.element.find("mail")
    site = create_site(
        call.actor,
        NewSite(
            name=text_of(setup, "name") or "",
            webspace_id=_webspace_id(call),
            parent_id=_parent_id(call),
            status=status_of(text_of(setup, "status")),
            hosting=hosting_of(call.element, text_of(setup, "htype")),
            preferences=_preferences(call.element, raw_text_of(setup, "description")),
            mail_service=mail is None or boolean_of(mail, "mailservice") is not False,
        ),
    )
    with call.result() as writer:
        writer.leaf("id", site.pk)
        writer.leaf("guid", site.guid)


def _preferences(operation: etree._Element, description: str | None) -> Preferences:
    found = preferences_of(operation, description)
    if found.outgoing_limit not in (None, "default"):
        raise NotSupported("outgoing-messages-domain-limit: it belongs to the webspace. Set it there.")
    return found


def _webspace_id(call: Call) -> int | None:
    setup = call.element[0]
    for tag in ("webspace-id", "webspace-name", "webspace-guid"):
        text = text_of(setup, tag)
        if text is not None:
            id_, name, guid = _key(tag.removeprefix("webspace-"), text)
            return int(find_webspace(call.actor, id=id_, name=name, guid=guid).pk)
    return None


def _parent_id(call: Call) -> int | None:
    setup = call.element[0]
    for tag in ("parent-site-id", "parent-site-name", "parent-site-guid"):
        text = text_of(setup, tag)
        if text is not None:
            id_, name, guid = _key(tag.removeprefix("parent-site-"), text)
            return find_site(call.actor, id=id_, name=name, guid=guid).pk
    return None


def _key(kind: str, text: str) -> tuple[int | None, str | None, str | None]:
    """Id, name and GUID, of which the reference gives one."""
    return (
        number(text) if kind == "id" else None,
        text if kind == "name" else None,
        text if kind == "guid" else None,
    )


def get(call: Call) -> None:
    """Sites, with the blocks that the dataset asks for."""
    answer_data(call, _selected(call), lambda sites: _blocks(call, sites), empty=True)


def set_(call: Call) -> None:
    """Change sites."""
    change = changing(lambda: _changes(call), lambda each, changes: update_site(call.actor, each.pk, changes))
    answer_each(call, _selected(call), change, empty=True)


def _changes(call: Call) -> SiteChanges:
    values = call.element[1]
    setup = values.find("gen_setup")
    status = None if setup is None else text_of(setup, "status")
    return SiteChanges(
        name=None if setup is None else text_of(setup, "name"),
        status=None if status is None else status_of(status),
        turn_off_action=None if setup is None else text_of(setup, "turn-off-action"),
        hosting=hosting_of(values, None),
        preferences=_preferences(values, None if setup is None else raw_text_of(setup, "description")),
        new_guid=setup is not None and setup.find("guid") is not None,
    )


def delete(call: Call) -> None:
    """Remove sites."""
    answer_each(call, _selected(call), lambda each: remove_site(call.actor, each.pk), empty=True)


def get_traffic(call: Call) -> None:
    """The traffic of each day: none, because none is counted yet."""
    answer_data(call, _selected(call), lambda _: lambda _writer, _site: None, empty=True)


def get_physical_hosting_descriptor(call: Call) -> None:
    """Which hosting properties a site has."""
    answer_descriptors(call, _selected(call), lambda writer: describe_properties(writer, webspace=False))


def _selected(call: Call) -> Iterator[Selected[Site]]:
    """The sites of the filter. An own key finds any site; parents and the empty filter leave main sites out."""
    sites = visible_sites(call.actor).select_related("webspace__site", "webspace__ipv4", "webspace__ipv6")
    addons = sites.exclude(pk=F("webspace_id")).order_by("pk")
    webspaces = visible_webspaces(call.actor)

    def of_webspace(found: Webspace | None) -> Iterable[Site]:
        if found is None:
            raise NotFound("Webspace does not exist")
        return addons.filter(webspace=found)

    def of_site(found: Site | None) -> Iterable[Site]:
        if found is None:
            raise NotFound(MISSING)
        return addons.filter(parent=found)

    def named(text: str) -> str:
        return names.fold_domain(text) or ""

    kinds: Kinds[Site] = {
        "id": Key(sites, "pk", number, lambda site: site.pk, MISSING),
        "name": Key(sites, "ascii_name", names.fold_domain, lambda site: site.ascii_name, MISSING),
        "guid": Key(sites, "guid", str.lower, lambda site: site.guid, MISSING),
        "parent-id": lambda text: of_webspace(webspaces.filter(pk=number(text)).first()),
        "parent-name": lambda text: of_webspace(webspaces.filter(site__ascii_name=named(text)).first()),
        "parent-guid": lambda text: of_webspace(webspaces.filter(guid=text.lower()).first()),
        "parent-site-id": lambda text: of_site(sites.filter(pk=number(text)).first()),
        "parent-site-name": lambda text: of_site(sites.filter(ascii_name=named(text)).first()),
        "parent-site-guid": lambda text: of_site(sites.filter(guid=text.lower()).first()),
    }
    return select(call.element.find("filter"), kinds, lambda: addons.iterator(500))


def _blocks(call: Call, sites: Sequence[Site]) -> Callable[[Writer, Site], None]:
    wanted = {str(child.tag) for child in call.element[1]}
    figures = figures_of(sites) if wanted & {"stat", "disk_usage"} else {}
    properties = properties_of(sites) if "hosting" in wanted else {}

    def write(writer: Writer, site: Site) -> None:
        with writer.element("data"):
            with writer.element("gen_info"):
                _write_general(writer, site)
            if "hosting" in wanted:
                write_hosting(writer, site, properties[site.pk])
            if "stat" in wanted:
                write_statistics(writer, figures[site.pk], domains=False)
            if "prefs" in wanted:
                write_preferences(writer, site, None)
            if "disk_usage" in wanted:
                write_disk_usage(writer, figures[site.pk])
            if "performance" in wanted:
                write_performance(writer, site)

    return write


def _write_general(writer: Writer, site: Site) -> None:
    webspace = site.webspace
    write_names(writer, site, site.used_bytes)
    for address in addresses_of(webspace):
        writer.leaf("dns_ip_address", address)
    writer.leaf("htype", site.hosting_type)
    writer.leaf("guid", site.guid)
    if webspace is not None:
        writer.leaf("webspace-guid", webspace.guid)
        writer.leaf("webspace-id", webspace.pk)
    writer.leaf("description", site.description)
    if site.turn_off_action:
        writer.leaf("turn-off-action", site.turn_off_action)


OPERATIONS = {
    "add": add,
    "get": get,
    "set": set_,
    "del": delete,
    "get_traffic": get_traffic,
    "get-physical-hosting-descriptor": get_physical_hosting_descriptor,
}
