"""Which hosting accounts and system users the rows mean on the machine, as hostd is asked for them."""

from __future__ import annotations

from collections.abc import Iterable

from innkeeper.hostd.hosting_accounts import BIGGEST_ID, Hosting, Spec, document_root
from innkeeper.hosting.models import FTPAccount, HostingProperty, Site, SubdomainUser, WebUser

RETENTION = "hosting_retention_days"
"""The setting of how long the files of removed accounts are kept."""

_HOSTINGS: dict[str, Hosting] = {Site.Hosting.VIRTUAL: "virtual", Site.Hosting.FRAME_FORWARDING: "frame"}


def hosting_accounts(webspace_ids: Iterable[int] | None = None) -> list[Spec]:
    """The hosting accounts of these webspaces, or of all: each domain before what lies in it.

    A site without web hosting has none, and what lies in a domain has one only where the domain has virtual hosting.
    """
    sites = Site.objects.exclude(webspace=None).filter(pk__lte=BIGGEST_ID)
    users = WebUser.objects.filter(pk__lte=BIGGEST_ID)
    if webspace_ids is not None:
        wanted = list(webspace_ids)
        sites, users = sites.filter(webspace__in=wanted), users.filter(site__webspace__in=wanted)
    found = {site.pk: site for site in sites.only("webspace_id", "parent_id", "ascii_name", "hosting_type")}
    below = {} if webspace_ids is None else {"site__in": list(found)}
    properties = HostingProperty.objects.filter(**below)
    writable = frozenset(properties.filter(name="write_modify", value="true").values_list("site_id", flat=True))
    roots = dict(properties.filter(name="www_root").values_list("site_id", "value"))
    native = frozenset(SubdomainUser.objects.filter(**below).values_list("site_id", flat=True))
    specs = []
    for site in found.values():
        domain = _domain_of(site, found)
        hosting = _HOSTINGS.get(site.hosting_type)
        if hosting is None or domain is None or site.webspace_id is None:
            continue
        is_domain = domain is site
        if not is_domain and domain.hosting_type != Site.Hosting.VIRTUAL:
            continue
        specs.append(
            Spec(
                kind="domain" if is_domain else "subdomain",
                id=site.pk,
                webspace=site.webspace_id,
                site=domain.pk,
                domain=domain.ascii_name,
                name="" if is_domain else _label(site.ascii_name, domain.ascii_name),
                hosting=hosting,
                native=site.pk in native,
                writable=site.pk in writable,
                www_root=_document_root(roots.get(site.pk, "")) if hosting == "virtual" else "",
            )
        )
    for user in users.only("site_id", "login", "services"):
        home = found.get(user.site_id)
        if home is None or home.webspace_id is None or home.hosting_type != Site.Hosting.VIRTUAL:
            continue
        specs.append(
            Spec(
                kind="webuser",
                id=user.pk,
                webspace=home.webspace_id,
                site=home.pk,
                domain=home.ascii_name,
                name=user.login,
                writable=bool(user.services.get("write_modify")),
            )
        )
    return sorted(specs, key=lambda spec: (spec.domain, spec.kind != "domain", spec.kind, spec.name))


def beyond_reach() -> int:
    """How many accounts have ids for which there are no numbers of system users: they get none, and no folder."""
    beyond = {"pk__gt": BIGGEST_ID}
    sites = Site.objects.filter(**beyond, hosting_type__in=list(_HOSTINGS)).exclude(webspace=None)
    return sites.count() + WebUser.objects.filter(**beyond).count() + FTPAccount.objects.filter(**beyond).count()


def _document_root(stored: str) -> str:
    """What was stored before a name was refused stays a name in answers, and no folder."""
    try:
        return document_root(stored)
    except ValueError:
        return ""


def system_users(specs: Iterable[Spec], webspace_ids: Iterable[int]) -> dict[str, int]:
    """The system users that hosting accounts and FTP accounts act as, each with its webspace."""
    result = {key: spec.webspace for spec in specs for key in spec.user_keys.values()}
    accounts = FTPAccount.objects.filter(webspace__in=list(webspace_ids), pk__lte=BIGGEST_ID)
    result |= {f"f{pk}": webspace_id for pk, webspace_id in accounts.values_list("pk", "webspace_id")}
    return result


def folders_of(sites: Iterable[Site]) -> dict[int, str]:
    """Where each site's content lies below the folder of all hosting, if it has web hosting."""
    wanted = list(sites)
    known = {site.pk: site for site in wanted}
    while missing := {site.parent_id for site in known.values() if site.parent_id is not None} - known.keys():
        known |= Site.objects.in_bulk(missing)
    result = {}
    for site in wanted:
        domain = _domain_of(site, known)
        if domain is None or domain is site:
            result[site.pk] = site.ascii_name
        else:
            result[site.pk] = f"{domain.ascii_name}/subdomains/{_label(site.ascii_name, domain.ascii_name)}"
    return result


def _domain_of(site: Site, sites: dict[int, Site]) -> Site | None:
    """The domain that a subdomain lies in, at any depth; a domain itself."""
    found: Site | None = site
    while found is not None and found.parent_id is not None:
        found = sites.get(found.parent_id)
    return found


def _label(name: str, domain: str) -> str:
    """A subdomain's folder. One that was renamed away from its domain has a name that no other can have."""
    label = name.removesuffix(f".{domain}")
    return label if label != name else f"_{name}"
