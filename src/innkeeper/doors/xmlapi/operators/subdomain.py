"""Operator `subdomain`: the older way to the subdomains that `site` serves, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from django.db.models import QuerySet
from lxml import etree

from innkeeper.core import names
from innkeeper.core.errors import NotFound
from innkeeper.doors.xmlapi.call import Call, text_of
from innkeeper.doors.xmlapi.hosting_requests import pairs_of
from innkeeper.doors.xmlapi.selection import Key, Kinds, Selected, answer_data, answer_each, number, select
from innkeeper.doors.xmlapi.versions import Dialect
from innkeeper.doors.xmlapi.writer import Writer
from innkeeper.hosting.models import Site
from innkeeper.hosting.operations import create_site, remove_site, update_site
from innkeeper.hosting.queries import find_site, own_logins_of, properties_of, visible_sites
from innkeeper.hosting.requests import HostingSettings, NewSite, SiteChanges, SubdomainLogin

OPERATOR = "subdomain"
DIALECTS = (Dialect.NEW,)
MISSING = "subdomain does not exist"


def add(call: Call) -> None:
    """Create a subdomain with web hosting. `ftp_login` and `ftp_password` give it a system user of its own."""
    parent = find_site(call.actor, name=text_of(call.element, "parent") or "")
    properties = pairs_of(call.element, "property")
    if home := text_of(call.element, "home"):
        properties.setdefault("www_root", home)
    login, password = properties.pop("ftp_login", ""), properties.pop("ftp_password", "")
    site = create_site(
        call.actor,
        NewSite(
            name=f"{text_of(call.element, 'name')}.{parent.name}",
            parent_id=parent.pk,
            hosting=HostingSettings(Site.Hosting.VIRTUAL, properties),
            own_user=SubdomainLogin(login, password) if login or password else None,
        ),
    )
    with call.result() as writer:
        writer.leaf("id", site.pk)


def get(call: Call) -> None:
    """Subdomains with their hosting."""
    answer_data(call, _selected(call), _data, empty=False)


def delete(call: Call) -> None:
    """Remove subdomains."""
    answer_each(call, _selected(call), lambda each: remove_site(call.actor, each.pk), empty=False)


def set_(call: Call) -> None:
    """Change the hosting of subdomains."""
    changes = SiteChanges(hosting=HostingSettings(Site.Hosting.VIRTUAL, pairs_of(call.element, "property")))
    answer_each(call, _selected(call), lambda each: update_site(call.actor, each.pk, changes), empty=False)


def rename(call: Call) -> None:
    """Give one subdomain another name below its domain."""
    site = _subdomains(call).filter(pk=number(text_of(call.element, "id") or "")).first()
    if site is None or site.parent is None:
        raise NotFound(MISSING)
    name = text_of(call.element, "name") or ""
    update_site(call.actor, site.pk, SiteChanges(name=f"{name}.{site.parent.name}"))
    with call.result():
        pass


def _subdomains(call: Call) -> QuerySet[Site]:
    return visible_sites(call.actor).exclude(parent=None).select_related("parent", "webspace__site").order_by("pk")


def _selected(call: Call) -> Iterator[Selected[Site]]:
    sites = _subdomains(call)

    def below(text: str) -> Iterable[Site]:
        return sites.filter(parent=find_site(call.actor, name=text))

    kinds: Kinds[Site] = {
        "id": Key(sites, "pk", number, lambda site: site.pk, MISSING),
        "name": Key(sites, "ascii_name", names.fold_domain, lambda site: site.ascii_name, MISSING),
        "parent-name": below,
    }
    found: etree._Element | None = call.element.find("filter")
    return select(found, kinds, lambda: sites.iterator(500))


def _data(sites: Sequence[Site]) -> Callable[[Writer, Site], None]:
    properties, logins = properties_of(sites), own_logins_of(sites)

    def write(writer: Writer, site: Site) -> None:
        with writer.element("data"):
            writer.leaf("parent", site.parent.name if site.parent else "")
            writer.leaf("name", site.name)
            if site.hosting_type != Site.Hosting.VIRTUAL:
                return
            for name, value in properties[site.pk].items():
                with writer.element("property"):
                    writer.leaf("name", name)
                    writer.leaf("value", logins.get(site.pk, value) if name == "ftp_login" else value)

    return write


OPERATIONS = {"add": add, "get": get, "del": delete, "set": set_, "rename": rename}
