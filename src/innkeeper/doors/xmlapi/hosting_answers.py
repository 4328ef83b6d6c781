"""Writes the blocks that webspaces and sites share in answers."""

from __future__ import annotations

from collections.abc import Mapping

from innkeeper.doors.xmlapi.writer import Writer
from innkeeper.hosting import catalogue
from innkeeper.hosting.models import Site, Webspace
from innkeeper.hosting.statistics import Figures

BASIC_PROPERTIES = ("ftp_login", "shell", "www_root", "ssl", "php")


def addresses_of(webspace: Webspace | None) -> list[str]:
    """The IPv4 and the IPv6 address of a webspace, as far as it has them."""
    if webspace is None:
        return []
    return [ip.address for ip in (webspace.ipv4, webspace.ipv6) if ip is not None]


def write_names(writer: Writer, site: Site, bytes_used: int) -> None:
    """The beginning of `gen_info`."""
    writer.leaf("cr_date", site.created_at.date().isoformat())
    writer.leaf("name", site.name)
    writer.leaf("ascii-name", site.ascii_name)
    writer.leaf("status", site.status)
    writer.leaf("real_size", bytes_used)


def write_hosting(
    writer: Writer, site: Site, properties: dict[str, str], tag: str = "hosting", *, basic: bool = False
) -> None:
    """The hosting of a site, in an element named as its type."""
    with writer.element(tag):
        if site.hosting_type == Site.Hosting.NONE:
            writer.leaf("none")
            return
        with writer.element(site.hosting_type):
            if site.hosting_type == Site.Hosting.VIRTUAL:
                for name in BASIC_PROPERTIES if basic else catalogue.PROPERTIES:
                    with writer.element("property"):
                        writer.leaf("name", name)
                        writer.leaf("value", properties[name])
            else:
                writer.leaf("dest_url", site.forwarding_url)
                if site.forwarding_code is not None:
                    writer.leaf("http_code", site.forwarding_code)
            for address in addresses_of(site.webspace):
                writer.leaf("ip_address", address)


def write_statistics(writer: Writer, figures: Figures, *, domains: bool) -> None:
    """`stat`. Traffic, databases and lists are not served yet, so there is nothing to count."""
    with writer.element("stat"):
        writer.leaf("traffic", 0)
        writer.leaf("subdom", figures.subdomains)
        writer.leaf("wu", figures.web_users)
        writer.leaf("box", figures.mailboxes)
        writer.leaf("redir", figures.redirects)
        writer.leaf("mg", figures.mail_groups)
        writer.leaf("resp", figures.autoresponders)
        for tag in ("maillists", "db", "mssql_db", "traffic_prevday"):
            writer.leaf(tag, 0)
        if domains:
            writer.leaf("domains", figures.domains)
            writer.leaf("sites", figures.domains)


def write_preferences(writer: Writer, site: Site, outgoing_limit: str | None) -> None:
    """`prefs`."""
    with writer.element("prefs"):
        writer.leaf("www", site.www)
        if site.statistics_months is not None:
            writer.leaf("stat_ttl", site.statistics_months)
        if outgoing_limit is not None:
            writer.leaf("outgoing-messages-domain-limit", outgoing_limit)


def write_disk_usage(writer: Writer, figures: Figures) -> None:
    """`disk_usage`: what is stored is mail."""
    with writer.element("disk_usage"):
        for tag in ("httpdocs", "httpsdocs", "subdomains", "web_users", "anonftp", "logs", "dbases"):
            writer.leaf(tag, 0)
        writer.leaf("mailboxes", figures.bytes)
        for tag in ("maillists", "domaindumps", "configs", "chroot"):
            writer.leaf(tag, 0)


def write_performance(writer: Writer, site: Site) -> None:
    """`performance`."""
    with writer.element("performance"):
        writer.leaf("bandwidth", site.bandwidth)
        writer.leaf("max_connections", site.max_connections)


def write_pairs(writer: Writer, wrapper: str, tag: str, values: Mapping[str, str | bool]) -> None:
    """A list of names and values; booleans become `true` and `false`."""
    with writer.element(wrapper):
        for name, value in values.items():
            with writer.element(tag):
                writer.leaf("name", name)
                writer.leaf("value", value)


def write_limits(writer: Writer, webspace: Webspace, values: Mapping[str, int]) -> None:
    """`limits`."""
    with writer.element("limits"):
        writer.leaf("overuse", webspace.overuse)
        for name, value in values.items():
            with writer.element("limit"):
                writer.leaf("name", name)
                writer.leaf("value", value)
