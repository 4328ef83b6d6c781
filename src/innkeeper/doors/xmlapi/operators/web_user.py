"""Operator `webuser`: people with a home page below a domain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from lxml import etree

from innkeeper.core.errors import NotFound, NotSupported
from innkeeper.doors.xmlapi.call import Call, boolean_of, number_of, raw_text_of, text_of
from innkeeper.doors.xmlapi.hosting_requests import pairs_of
from innkeeper.doors.xmlapi.selection import Key, Kinds, Selected, answer_data, answer_each, changing, number, select
from innkeeper.doors.xmlapi.versions import Dialect
from innkeeper.doors.xmlapi.writer import Writer
from innkeeper.hosting import catalogue
from innkeeper.hosting.models import Site, WebUser
from innkeeper.hosting.operations import create_web_user, remove_web_user, set_web_user_scripts, update_web_user
from innkeeper.hosting.queries import find_site, properties_of, visible_sites, visible_web_users
from innkeeper.hosting.requests import NewWebUser, WebUserChanges

OPERATOR = "webuser"
DIALECTS = (Dialect.NEW,)
MISSING = "Web user does not exist"


def add(call: Call) -> None:
    """Create a web user."""
    user = create_web_user(
        call.actor,
        NewWebUser(
            site_id=find_site(call.actor, id=number(text_of(call.element, "site-id") or "")).pk,
            login=text_of(call.element, "login") or "",
            password=raw_text_of(call.element, "password") or "",
            crypt=_is_crypt(call.element),
            quota_bytes=_quota(call.element),
            services=pairs_of(call.element.find("services"), "service"),
        ),
    )
    with call.result() as writer:
        writer.leaf("id", user.pk)


def get(call: Call) -> None:
    """Web users. Passwords are never returned."""
    answer_data(call, _selected(call), _data, empty=False)


def delete(call: Call) -> None:
    """Remove web users."""
    answer_each(call, _selected(call), lambda each: remove_web_user(call.actor, each.pk), empty=False)


def set_(call: Call) -> None:
    """Change web users."""
    change = changing(lambda: _changes(call.element[1]), lambda each, new: update_web_user(call.actor, each.pk, new))
    answer_each(call, _selected(call), change, empty=False)


def _changes(values: etree._Element) -> WebUserChanges:
    return WebUserChanges(
        password=raw_text_of(values, "password"),
        crypt=_is_crypt(values),
        quota_bytes=number_of(values, "ftp-quota"),
        services=pairs_of(values.find("services"), "service"),
    )


def set_prefs(call: Call) -> None:
    """Whether the web users of sites may run scripts."""
    allowed = bool(boolean_of(call.element[1], "wuscripts"))
    answer_each(call, _sites(call), lambda each: set_web_user_scripts(call.actor, each.pk, allowed), empty=False)


def get_prefs(call: Call) -> None:
    """Whether the web users of sites may run scripts."""

    def prepare(sites: Sequence[Site]) -> Callable[[Writer, Site], None]:
        properties = properties_of(sites)
        return lambda writer, site: writer.leaf("wuscripts", properties[site.pk]["wu_script"])

    answer_data(call, _sites(call), prepare, empty=False)


def _is_crypt(element: etree._Element) -> bool:
    kind = text_of(element, "password-type")
    if kind == "sym":
        raise NotSupported("password-type: sym is not served. Use plain or crypt.")
    return kind == "crypt"


def _quota(element: etree._Element) -> int:
    quota = number_of(element, "ftp-quota")
    return catalogue.UNLIMITED if quota is None else quota


def _narrowing(call: Call) -> Site | None:
    """The site that narrows the filter, if the operation names one."""
    id_, name = text_of(call.element, "site-id"), text_of(call.element, "site-name")
    if id_ is None and name is None:
        return None
    return find_site(call.actor, id=None if id_ is None else number(id_), name=name)


def _selected(call: Call) -> Iterator[Selected[WebUser]]:
    users = visible_web_users(call.actor).order_by("pk")
    if (narrowing := _narrowing(call)) is not None:
        users = users.filter(site=narrowing)

    def of_site(**key: int | str) -> Iterable[WebUser]:
        return users.filter(site=find_site(call.actor, **key))  # type: ignore[arg-type]

    kinds: Kinds[WebUser] = {
        "id": Key(users, "pk", number, lambda user: user.pk, MISSING),
        "login": Key(users, "login", str, lambda user: user.login, MISSING),
        "site-id": lambda text: of_site(id=number(text)),
        "site-name": lambda text: of_site(name=text),
    }
    return select(call.element.find("filter"), kinds, lambda: users.iterator(500))


def _sites(call: Call) -> Iterator[Selected[Site]]:
    narrowing = _narrowing(call)
    sites = visible_sites(call.actor).select_related("webspace__site")

    def one(**key: int | str) -> Iterable[Site]:
        site = find_site(call.actor, **key)  # type: ignore[arg-type]
        if narrowing is not None and site.pk != narrowing.pk:
            raise NotFound("Site does not exist")
        return sites.filter(pk=site.pk)

    kinds: Kinds[Site] = {"site-id": lambda text: one(id=number(text)), "site-name": lambda text: one(name=text)}
    return select(call.element.find("filter"), kinds, lambda: sites.iterator(500))


def _data(_users: Sequence[WebUser]) -> Callable[[Writer, WebUser], None]:
    def write(writer: Writer, user: WebUser) -> None:
        writer.leaf("login", user.login)
        writer.leaf("ftp-quota", user.quota_bytes)
        with writer.element("services"):
            for name in catalogue.SERVICES:
                with writer.element("service"):
                    writer.leaf("name", name)
                    writer.leaf("value", bool(user.services.get(name)))

    return write


OPERATIONS = {
    "add": add,
    "del": delete,
    "set": set_,
    "get": get,
    "set-prefs": set_prefs,
    "get-prefs": get_prefs,
}
