"""Operator `domain`: what sites, main ones and others, were called before the common names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from innkeeper.accounts.models import Account
from innkeeper.accounts.queries import named as named_accounts
from innkeeper.accounts.queries import visible_accounts
from innkeeper.core import names
from innkeeper.core.actor import ActorKind
from innkeeper.core.errors import NotAllowed, NotFound
from innkeeper.doors.xmlapi.call import Call
from innkeeper.doors.xmlapi.hosting_answers import (
    addresses_of,
    write_disk_usage,
    write_hosting,
    write_limits,
    write_names,
    write_performance,
    write_preferences,
    write_statistics,
)
from innkeeper.doors.xmlapi.selection import Key, Kinds, Selected, answer_data, number, select
from innkeeper.doors.xmlapi.versions import Dialect
from innkeeper.doors.xmlapi.writer import Writer
from innkeeper.hosting.models import Site
from innkeeper.hosting.queries import limits_of, properties_of, visible_sites
from innkeeper.hosting.statistics import figures_of

OPERATOR = "domain"
DIALECTS = (Dialect.OLD,)
MISSING = "domain does not exist"


def get(call: Call) -> None:
    """Sites of every kind, with the blocks that the dataset asks for."""
    answer_data(call, _selected(call), lambda sites: _blocks(call, sites), empty=True)


def _selected(call: Call) -> Iterator[Selected[Site]]:
    sites = visible_sites(call.actor).select_related(
        "webspace__site", "webspace__owner", "webspace__ipv4", "webspace__ipv6"
    )
    accounts = visible_accounts(call.actor)

    def owned(owners: Iterable[Account]) -> Iterable[Site]:
        if call.actor.kind is ActorKind.CUSTOMER:
            raise NotAllowed("Permission denied: a customer sees its own domains. Use an empty filter.")
        owner = next(iter(owners), None)
        if owner is None:
            raise NotFound("Owner does not exist")
        return sites.filter(webspace__owner=owner).order_by("pk")

    by_name = Key(sites, "ascii_name", names.fold_domain, lambda site: site.ascii_name, MISSING)

    def by_owner_id(text: str) -> Iterable[Site]:
        return owned(named_accounts(accounts, id=number(text)))

    def by_owner_login(text: str) -> Iterable[Site]:
        return owned(named_accounts(accounts, login=text))

    # The oldest clients write each key with an underscore.
    kinds: Kinds[Site] = {
        "id": Key(sites, "pk", number, lambda site: site.pk, MISSING),
        "guid": Key(sites, "guid", str.lower, lambda site: site.guid, MISSING),
        "domain-name": by_name,
        "domain_name": by_name,
        "name": by_name,
        "owner-id": by_owner_id,
        "client_id": by_owner_id,
        "owner-login": by_owner_login,
        "client_login": by_owner_login,
    }
    return select(call.element.find("filter"), kinds, lambda: sites.order_by("pk").iterator(500))


def _blocks(call: Call, sites: Sequence[Site]) -> Callable[[Writer, Site], None]:
    wanted = {str(child.tag) for child in call.element[1]}
    figures = figures_of(sites) if wanted & {"stat", "disk_usage"} else {}
    properties = properties_of(sites) if "hosting" in wanted else {}
    webspaces = {site.webspace_id for site in sites if site.webspace_id is not None}
    limits = limits_of(webspaces) if "limits" in wanted else {}

    def write(writer: Writer, site: Site) -> None:
        webspace = site.webspace
        with writer.element("data"):
            with writer.element("gen_info"):
                _write_general(writer, site)
            if "hosting" in wanted:
                write_hosting(writer, site, properties[site.pk])
            if "limits" in wanted and webspace is not None:
                write_limits(writer, webspace, limits[webspace.pk])
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
    if webspace is not None:
        writer.leaf("owner-id", webspace.owner.pk)
        writer.leaf("owner-login", webspace.owner.login)
    for address in addresses_of(webspace):
        writer.leaf("dns_ip_address", address)
    writer.leaf("htype", site.hosting_type)
    writer.leaf("guid", site.guid)


OPERATIONS = {"get": get}
