"""Subdomains, web users and additional FTP accounts, by their names or ids."""

from __future__ import annotations

from typing import Any

from innkeeper.core.errors import InvalidValue, NotFound
from innkeeper.doors.cli.handlers import Handler, Request, Result
from innkeeper.doors.cli.handlers.hosting import key, restored
from innkeeper.hosting import catalogue
from innkeeper.hosting import operations as hosting
from innkeeper.hosting.models import FTPAccount, Site, WebUser
from innkeeper.hosting.queries import (
    find_site,
    find_webspace,
    own_logins_of,
    properties_of,
    visible_ftp_accounts,
    visible_sites,
    visible_web_users,
)
from innkeeper.hosting.requests import (
    FTPAccountChanges,
    HostingSettings,
    NewFTPAccount,
    NewSite,
    NewWebUser,
    SiteChanges,
    SubdomainLogin,
    WebUserChanges,
)

CHUNK = 500


def _texts(request: Request, name: str) -> dict[str, str]:
    """An argument that is an object of texts."""
    return {str(word): str(text) for word, text in (request.optional_dict(name) or {}).items()}


def _password(request: Request) -> str:
    password = request.optional_text("password")
    if password is None:
        raise InvalidValue("passwd: it is missing. Give a password for the FTP account.", field="passwd")
    return password


def _quota(request: Request) -> int:
    quota = request.optional_int("quota")
    return catalogue.UNLIMITED if quota is None else quota


def _is(text: str) -> dict[str, Any]:
    """The rows of an id, or none of them where the text is a name."""
    return {"pk": int(text)} if text.isascii() and text.isdigit() and len(text) < 19 else {}


# ---- subdomains


def _subdomain(request: Request) -> Site:
    """By id or full name; with `domain`, by its label."""
    name, domain = request.text("name"), request.optional_text("domain")
    site = find_site(request.actor, **key(f"{name}.{domain}" if domain else name, "name"))
    if site.parent_id is None:
        raise NotFound("subdomain does not exist")
    return site


def create_subdomain(request: Request) -> Result:
    """Create a subdomain with web hosting, with a system user of its own if a login is given."""
    parent = find_site(request.actor, **key(request.text("domain"), "name"))
    login = request.optional_text("login")
    site = hosting.create_site(
        request.actor,
        NewSite(
            name=f"{request.text('name')}.{parent.name}",
            parent_id=parent.pk,
            hosting=HostingSettings(Site.Hosting.VIRTUAL, _texts(request, "properties")),
            own_user=SubdomainLogin(login, _password(request), _quota(request)) if login else None,
        ),
    )
    return {"name": site.name, "id": site.pk}


def update_subdomain(request: Request) -> Result:
    """Change the web hosting of a subdomain."""
    site = _subdomain(request)
    changes = SiteChanges(hosting=HostingSettings(Site.Hosting.VIRTUAL, _texts(request, "properties")))
    hosting.update_site(request.actor, site.pk, changes)
    return {"name": site.name}


def remove_subdomain(request: Request) -> Result:
    """Remove a subdomain with its mail."""
    site = _subdomain(request)
    hosting.remove_site(request.actor, site.pk)
    return {"name": site.name}


def list_subdomains(request: Request) -> Result:
    """The subdomains of a domain, or all, by name, as rows."""
    found = visible_sites(request.actor).exclude(parent=None).select_related("parent").order_by("ascii_name")
    if text := request.optional_text("domain"):
        found = found.filter(parent=find_site(request.actor, **key(text, "name")))
    request.send_rows(
        {"name": site.name, "id": site.pk, "domain": site.parent.name if site.parent else "", "status": site.status}
        for site in found.iterator(chunk_size=CHUNK)
    )
    return {}


def show_subdomain(request: Request) -> Result:
    """A subdomain with its hosting."""
    site = _subdomain(request)
    site = visible_sites(request.actor).select_related("parent", "webspace__site").get(pk=site.pk)
    return {
        "name": site.name,
        "id": site.pk,
        "domain": site.parent.name if site.parent else "",
        "status": site.status,
        "user": own_logins_of([site]).get(site.pk) or "of its domain",
        "hosting": properties_of([site])[site.pk] if site.hosting_type == Site.Hosting.VIRTUAL else {},
    }


# ---- web users


def _web_user(request: Request) -> WebUser:
    text = request.text("login")
    user = visible_web_users(request.actor).filter(**(_is(text) or {"login": text})).first()
    if user is None:
        raise NotFound("Web user does not exist")
    return user


def create_web_user(request: Request) -> Result:
    """Create a web user of a domain."""
    site = find_site(request.actor, **key(request.text("domain"), "name"))
    user = hosting.create_web_user(
        request.actor,
        NewWebUser(
            site_id=site.pk,
            login=request.text("login"),
            password=request.optional_text("password") or "",
            crypt=bool(request.optional_bool("crypt")),
            quota_bytes=_quota(request),
            services=_texts(request, "services"),
        ),
    )
    return {"login": user.login, "id": user.pk}


def update_web_user(request: Request) -> Result:
    """Change a web user."""
    user = _web_user(request)
    changes = WebUserChanges(
        password=request.optional_text("password"),
        crypt=bool(request.optional_bool("crypt")),
        quota_bytes=request.optional_int("quota"),
        services=_texts(request, "services"),
    )
    hosting.update_web_user(request.actor, user.pk, changes)
    return {"login": user.login}


def remove_web_user(request: Request) -> Result:
    """Remove a web user; his files are kept for some days."""
    user = _web_user(request)
    hosting.remove_web_user(request.actor, user.pk)
    return {"login": user.login}


def restore_web_user(request: Request) -> Result:
    """Bring the files of a removed web user back to the one of his name."""
    user = _web_user(request)
    site = find_site(request.actor, id=user.site_id)
    if site.webspace_id is None:
        raise NotFound("Web user does not exist")
    found = hosting.restore_files(request.actor, site.webspace_id, (f"u{user.pk}",), request.optional_text("grave"))
    return {"login": user.login, **restored(found)}


def list_web_users(request: Request) -> Result:
    """The web users of a domain, or all, by login, as rows."""
    found = visible_web_users(request.actor).order_by("login")
    if text := request.optional_text("domain"):
        found = found.filter(site=find_site(request.actor, **key(text, "name")))
    request.send_rows(_shown_web_user(user) for user in found.iterator(chunk_size=CHUNK))
    return {}


def show_web_user(request: Request) -> Result:
    """A web user with what he may use."""
    user = _web_user(request)
    return _shown_web_user(user) | {"services": [name for name, on in user.services.items() if on]}


def _shown_web_user(user: WebUser) -> Result:
    return {"login": user.login, "id": user.pk, "domain": user.site.name, "quota": user.quota_bytes}


# ---- FTP accounts


def _ftp_account(request: Request) -> FTPAccount:
    text = request.text("name")
    account = visible_ftp_accounts(request.actor).filter(**(_is(text) or {"name": text})).first()
    if account is None:
        raise NotFound("FTP account does not exist")
    return account


def create_ftp_account(request: Request) -> Result:
    """Create an additional FTP account of a webspace."""
    account = hosting.create_ftp_account(
        request.actor,
        NewFTPAccount(
            webspace_id=find_webspace(request.actor, **key(request.text("webspace"), "name")).pk,
            name=request.text("name"),
            password=_password(request),
            home=request.optional_text("home") or "",
            quota_bytes=_quota(request),
            may_read=request.optional_bool("read") is not False,
            may_write=request.optional_bool("write") is not False,
        ),
    )
    return {"name": account.name, "id": account.pk}


def update_ftp_account(request: Request) -> Result:
    """Change an FTP account."""
    account = _ftp_account(request)
    changes = FTPAccountChanges(
        password=request.optional_text("password"),
        home=request.optional_text("home"),
        quota_bytes=request.optional_int("quota"),
        may_read=request.optional_bool("read"),
        may_write=request.optional_bool("write"),
    )
    hosting.update_ftp_account(request.actor, account.pk, changes)
    return {"name": account.name}


def remove_ftp_account(request: Request) -> Result:
    """Remove an FTP account; what lies in its home stays."""
    account = _ftp_account(request)
    hosting.remove_ftp_account(request.actor, account.pk)
    return {"name": account.name}


def list_ftp_accounts(request: Request) -> Result:
    """The FTP accounts of a webspace, or all, by name, as rows."""
    found = visible_ftp_accounts(request.actor).order_by("name")
    if text := request.optional_text("webspace"):
        found = found.filter(webspace=find_webspace(request.actor, **key(text, "name")))
    request.send_rows(_shown_ftp_account(account) for account in found.iterator(chunk_size=CHUNK))
    return {}


def show_ftp_account(request: Request) -> Result:
    """An FTP account."""
    return _shown_ftp_account(_ftp_account(request))


def _shown_ftp_account(account: FTPAccount) -> Result:
    return {
        "name": account.name,
        "id": account.pk,
        "webspace": account.webspace.site.name,
        "home": f"/{account.home}",
        "quota": account.quota_bytes,
        "read": account.may_read,
        "write": account.may_write,
    }


HANDLERS: dict[str, Handler] = {
    "subdomain.create": create_subdomain,
    "subdomain.update": update_subdomain,
    "subdomain.remove": remove_subdomain,
    "subdomain.list": list_subdomains,
    "subdomain.info": show_subdomain,
    "webuser.create": create_web_user,
    "webuser.update": update_web_user,
    "webuser.remove": remove_web_user,
    "webuser.restore": restore_web_user,
    "webuser.list": list_web_users,
    "webuser.info": show_web_user,
    "ftp-account.create": create_ftp_account,
    "ftp-account.update": update_ftp_account,
    "ftp-account.remove": remove_ftp_account,
    "ftp-account.list": list_ftp_accounts,
    "ftp-account.info": show_ftp_account,
}
