"""The list of an owner's sites, as `customer` and `server` answer it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from innkeeper.accounts.models import Account
from innkeeper.doors.xmlapi.writer import Writer
from innkeeper.hosting.models import Site


def write_domains(owner_ids: Sequence[int], tag: str = "domains") -> Callable[[Writer, Account], None]:
    """Read the sites of these owners; the result writes one owner's list."""
    by_owner: dict[int, list[Site]] = {pk: [] for pk in owner_ids}
    for site in Site.objects.select_related("webspace").filter(webspace__owner__in=owner_ids).order_by("pk"):
        if site.webspace is not None:
            by_owner[site.webspace.owner_id].append(site)

    def write(writer: Writer, owner: Account) -> None:
        with writer.element(tag):
            for site in by_owner[owner.pk]:
                _write_domain(writer, site)

    return write


def _write_domain(writer: Writer, site: Site) -> None:
    is_main = site.webspace_id == site.pk
    with writer.element("domain"):
        writer.leaf("id", site.pk)
        writer.leaf("name", site.name)
        writer.leaf("ascii-name", site.ascii_name)
        writer.leaf("type", "domain" if site.parent_id is None else "subdomain")
        writer.leaf("main", is_main)
        writer.leaf("guid", site.guid)
        writer.leaf("external-id", site.webspace.external_id if is_main and site.webspace else "")
        if site.parent_id is not None:
            writer.leaf("parent-id", site.parent_id)
