"""Customers, webspaces and sites, by their names or ids."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from django.db import transaction

from innkeeper.accounts import operations as accounts
from innkeeper.accounts.contact import LENGTHS
from innkeeper.accounts.models import Account
from innkeeper.accounts.queries import find_customer, find_owner, visible_customers
from innkeeper.core import status
from innkeeper.core.actor import Actor
from innkeeper.core.errors import InvalidValue, Malformed
from innkeeper.core.serversettings import read_setting
from innkeeper.doors.cli.handlers import Handler, Request, Result
from innkeeper.hosting import operations as hosting
from innkeeper.hosting.catalogue import LIMITS
from innkeeper.hosting.models import Site, Webspace
from innkeeper.hosting.placement import RETENTION
from innkeeper.hosting.queries import find_site, find_webspace, limits_of, visible_sites, visible_webspaces
from innkeeper.hosting.requests import (
    NO_MAIL_CHANGES,
    Entitlements,
    HostingSettings,
    NewSite,
    NewWebspace,
    SiteChanges,
    WebspaceChanges,
)
from innkeeper.mail.operations import Preferences as MailPreferences
from innkeeper.mail.operations import set_service_enabled

CHUNK = 500


def key(text: str, name: str) -> dict[str, Any]:
    """How the finders are asked for an id or a name."""
    return {"id": int(text)} if text.isascii() and text.isdigit() else {name: text}


def _suspended(request: Request) -> int:
    return status.BY_ADMINISTRATOR if request.optional_bool("suspended") else status.ACTIVE


# ---- customers


def _customer(request: Request, argument: str = "login") -> Account:
    return find_customer(request.actor, **key(request.text(argument), "login"))


def _contact(request: Request) -> dict[str, str]:
    return {name: value for name in LENGTHS if (value := request.optional_text(name)) is not None}


def create_customer(request: Request) -> Result:
    """Create a customer of the administrator, or of the owner that is named."""
    owner = request.optional_text("owner")
    password = request.optional_text("password")
    if password is None:
        raise InvalidValue("passwd: it is missing. Give a password for the panel.", field="passwd")
    account = accounts.create_customer(
        request.actor,
        accounts.NewCustomer(
            login=request.text("login"),
            password=password,
            contact=_contact(request),
            owner_id=find_owner(request.actor, **key(owner, "login")).pk if owner else None,
        ),
    )
    return {"login": account.login, "id": account.pk}


def suspend_customer(request: Request) -> Result:
    """Suspend a customer with everything below, or activate it again."""
    customer = _customer(request)
    accounts.update_customer(request.actor, customer.pk, accounts.CustomerChanges(status=_suspended(request)))
    return {"login": customer.login}


def update_customer(request: Request) -> Result:
    """Change a customer's contact data, login and password."""
    customer = _customer(request)
    changes = accounts.CustomerChanges(
        contact=_contact(request), login=request.optional_text("new_login"), password=request.optional_text("password")
    )
    return {"login": accounts.update_customer(request.actor, customer.pk, changes).login}


def customer_info(request: Request) -> Result:
    """A customer, without its password."""
    account = _customer(request)
    return {
        "login": account.login,
        "id": account.pk,
        "guid": account.guid,
        "owner": account.owner.login if account.owner else None,
        "status": account.status,
        "created": account.created_at.date().isoformat(),
    } | {name: getattr(account, name) or "" for name in LENGTHS}


def remove_customer(request: Request) -> Result:
    """Remove a customer with everything below."""
    customer = _customer(request)
    accounts.remove_customer(request.actor, customer.pk)
    return {"login": customer.login}


def list_customers(request: Request) -> Result:
    """All customers by login, as rows."""
    found = visible_customers(request.actor).order_by("login")
    request.send_rows(
        {"login": account.login, "id": account.pk, "name": account.contact_name, "status": account.status}
        for account in found.iterator(chunk_size=CHUNK)
    )
    return {}


# ---- webspaces


def _webspace(actor: Actor, text: str) -> Webspace:
    return find_webspace(actor, **key(text, "name"))


def _hosting(request: Request) -> HostingSettings | None:
    """Virtual hosting, if a system user is given."""
    login, password = request.optional_text("login"), request.optional_text("password")
    if login is None and password is None:
        return None
    return HostingSettings(Site.Hosting.VIRTUAL, {"ftp_login": login or "", "ftp_password": password or ""})


def create_webspace(request: Request) -> Result:
    """Create a webspace with its main site."""
    owner = request.optional_text("owner")
    webspace = hosting.create_webspace(
        request.actor,
        NewWebspace(
            name=request.text("name"),
            owner_id=find_owner(request.actor, **key(owner, "login")).pk if owner else None,
            hosting=_hosting(request),
        ),
    )
    return {"name": webspace.site.name, "id": webspace.pk}


def suspend_webspace(request: Request) -> Result:
    """Suspend a webspace with its sites, or activate it again."""
    webspace = _webspace(request.actor, request.text("name"))
    hosting.update_webspace(request.actor, webspace.pk, WebspaceChanges(status=_suspended(request)))
    return {"name": webspace.site.name}


def update_webspace(request: Request) -> Result:
    """Change a webspace and its main site."""
    webspace = _webspace(request.actor, request.text("name"))
    owner, limits = request.optional_text("new_owner"), request.optional_dict("limits") or {}
    login, password, quota = (request.optional_text(name) for name in ("login", "password", "hard_quota"))
    given = {"ftp_login": login, "ftp_password": password, "ftp_quota": quota}
    properties = {name: value for name, value in given.items() if value is not None}
    service = request.optional_bool("mail_service")
    changes = WebspaceChanges(
        name=request.optional_text("new_name"),
        owner_id=find_owner(request.actor, **key(owner, "login")).pk if owner else None,
        hosting=HostingSettings(Site.Hosting.VIRTUAL, properties) if properties else None,
        entitlements=Entitlements(limits={name: str(value) for name, value in limits.items()}),
        mail=NO_MAIL_CHANGES if service is None else MailPreferences(enabled=service),
    )
    return {"name": hosting.update_webspace(request.actor, webspace.pk, changes).site.name}


def webspace_info(request: Request) -> Result:
    """A webspace with its limits; what is not limited is -1."""
    webspace = _webspace(request.actor, request.text("name"))
    limits = limits_of([webspace.pk])[webspace.pk]
    return {
        "name": webspace.site.name,
        "id": webspace.pk,
        "guid": webspace.guid,
        "owner": webspace.owner.login,
        "status": webspace.site.status,
        "hosting": webspace.site.hosting_type,
        "used_bytes": webspace.site.used_bytes,
        "sites": list(
            Site.objects.filter(webspace=webspace).order_by("ascii_name").values_list("name", flat=True)[:CHUNK]
        ),
        "ip_addresses": [row.address for row in (webspace.ipv4, webspace.ipv6) if row],
        "limits": {name: limits.get(name, -1) for name in LIMITS},
    }


def remove_webspace(request: Request) -> Result:
    """Remove a webspace with its sites and their mail."""
    webspace = _webspace(request.actor, request.text("name"))
    hosting.remove_webspace(request.actor, webspace.pk)
    return {"name": webspace.site.name}


def list_webspaces(request: Request) -> Result:
    """All webspaces by name, as rows."""
    found = visible_webspaces(request.actor).select_related("site", "owner").order_by("site__ascii_name")
    request.send_rows(
        {
            "name": webspace.site.name,
            "id": webspace.pk,
            "owner": webspace.owner.login,
            "status": webspace.site.status,
            "used_bytes": webspace.site.used_bytes,
        }
        for webspace in found.iterator(chunk_size=CHUNK)
    )
    return {}


# ---- sites


def _site(request: Request) -> Site:
    return find_site(request.actor, **key(request.text("name"), "name"))


def create_site(request: Request) -> Result:
    """Create a site in a webspace."""
    webspace = _webspace(request.actor, request.text("webspace"))
    site = hosting.create_site(request.actor, NewSite(name=request.text("name"), webspace_id=webspace.pk))
    return {"name": site.name, "id": site.pk}


def change_site_hosting(request: Request) -> Result:
    """Change additional write and modify permissions, or the document root, of a site or subdomain."""
    site = _site(request)
    if site.hosting_type != Site.Hosting.VIRTUAL:
        raise InvalidValue(f"{site.name} has no web hosting whose permissions could be changed.", field="name")
    properties = {}
    if (writable := request.optional_bool("write_modify")) is not None:
        properties["write_modify"] = "true" if writable else "false"
    if (root := request.optional_text("www_root")) is not None:
        properties["www_root"] = root
    if not properties:
        raise Malformed("Nothing to change: give --write-modify or --www-root.")
    settings = HostingSettings(Site.Hosting.VIRTUAL, properties)
    hosting.update_site(request.actor, site.pk, SiteChanges(hosting=settings))
    return {"name": site.name}


def restore_site(request: Request) -> Result:
    """Bring the files of a removed site or subdomain back into the one of its name."""
    site = _site(request)
    if site.webspace_id is None:
        raise InvalidValue(f"{site.name} has no webspace, so it has no files.", field="name")
    grave = request.optional_text("grave")
    found = hosting.restore_files(request.actor, site.webspace_id, (f"s{site.pk}", f"d{site.pk}"), grave)
    return {"name": site.name, **restored(found)}


def restored(found: hosting.Restored) -> Result:
    """What comes back, and what could."""
    return {
        "grave": found.tree.grave,
        "removed_at": found.tree.removed_at.isoformat(),
        "along": [{"folder": tree.folder, "grave": tree.grave} for tree in found.along],
        "waiting": [{"folder": tree.folder, "grave": tree.grave} for tree in found.waiting],
    }


def removed_sites(request: Request) -> Result:
    """List what was taken away of hosting accounts and can be brought back."""
    request.send_rows(
        [
            {
                "grave": tree.grave,
                "kind": tree.account.kind,
                "folder": tree.folder,
                "removed_at": tree.removed_at.isoformat(),
                "kept_until": tree.kept_until.isoformat(),
            }
            for tree in hosting.removed_trees(request.actor)
        ]
    )
    return {}


def site_retention(request: Request) -> Result:
    """Show or set for how many days the files of removed hosting accounts are kept."""
    days = request.optional_text("days")
    if days is not None:
        hosting.set_hosting_retention(request.actor, days)
    return {"days": int(read_setting(RETENTION))}


def suspend_site(request: Request) -> Result:
    """Suspend a site, or activate it again."""
    site = _site(request)
    hosting.update_site(request.actor, site.pk, SiteChanges(status=_suspended(request)))
    return {"name": site.name}


def update_site(request: Request) -> Result:
    """Change a site, everything or nothing."""
    site = _site(request)
    suspended, service = request.optional_bool("suspended"), request.optional_bool("mail_service")
    changes = SiteChanges(
        name=request.optional_text("new_name"), status=None if suspended is None else _suspended(request)
    )
    both = changes != SiteChanges() and service is not None
    with transaction.atomic() if both else nullcontext():
        if service is not None:
            set_service_enabled(request.actor, site.pk, service)
        if changes != SiteChanges():
            site = hosting.update_site(request.actor, site.pk, changes)
    return {"name": site.name}


def site_info(request: Request) -> Result:
    """A site."""
    site = _site(request)
    return {
        "name": site.name,
        "id": site.pk,
        "guid": site.guid,
        "webspace": site.webspace.site.name if site.webspace else None,
        "status": site.status,
        "hosting": site.hosting_type,
        "used_bytes": site.used_bytes,
    }


def remove_site(request: Request) -> Result:
    """Remove a site with its mail."""
    site = _site(request)
    hosting.remove_site(request.actor, site.pk)
    return {"name": site.name}


def list_sites(request: Request) -> Result:
    """The sites of a webspace, or all, by name, as rows."""
    found = visible_sites(request.actor).select_related("webspace__site").order_by("ascii_name")
    if text := request.optional_text("webspace"):
        found = found.filter(webspace=_webspace(request.actor, text))
    request.send_rows(
        {
            "name": site.name,
            "id": site.pk,
            "webspace": site.webspace.site.name if site.webspace else None,
            "status": site.status,
            "used_bytes": site.used_bytes,
        }
        for site in found.iterator(chunk_size=CHUNK)
    )
    return {}


def _handlers(kind: str, *functions: Callable[[Request], Result]) -> dict[str, Handler]:
    names = ("create", "status", "remove", "list")
    return {f"{kind}.{name}": function for name, function in zip(names, functions, strict=True)}


HANDLERS: dict[str, Handler] = {
    **_handlers("customer", create_customer, suspend_customer, remove_customer, list_customers),
    **_handlers("webspace", create_webspace, suspend_webspace, remove_webspace, list_webspaces),
    **_handlers("site", create_site, suspend_site, remove_site, list_sites),
    "customer.update": update_customer,
    "customer.info": customer_info,
    "webspace.update": update_webspace,
    "webspace.info": webspace_info,
    "site.update": update_site,
    "site.info": site_info,
    "site.hosting": change_site_hosting,
    "site.restore": restore_site,
    "site.removed": removed_sites,
    "site.retention": site_retention,
}
