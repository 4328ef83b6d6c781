"""Operator `server`: the server itself."""

from __future__ import annotations

import base64
import ipaddress
import time
from collections.abc import Callable, Mapping

import psutil

from innkeeper import __version__
from innkeeper.accounts.models import Account
from innkeeper.accounts.operations import AdministratorChanges, update_administrator
from innkeeper.core import machine
from innkeeper.core.errors import InvalidValue, NotSupported, Refused
from innkeeper.core.serversettings import PREFERENCES, ensure_server_guid, read_settings
from innkeeper.doors.panel.open_sessions import offer_session
from innkeeper.doors.panel.visitor import is_own_page
from innkeeper.doors.xmlapi.call import Call, boolean_of, in_packet_words, raw_text_of, text_of
from innkeeper.doors.xmlapi.domain_list import write_domains
from innkeeper.doors.xmlapi.versions import VERSIONS, Dialect
from innkeeper.hosting.models import Site, WebUser
from innkeeper.jobs.services import services
from innkeeper.mail.models import Autoresponder, MailAccount
from innkeeper.network.machine import interface_names
from innkeeper.upkeep.services import SERVICES, control_service

OPERATOR = "server"
DIALECTS = (Dialect.NEW, Dialect.OLD)
COUNTS_SECONDS = 60.0
RUNNING = ("running", "starting")
"""Supervisor's states of a program that is there; for its first second it is starting."""

ADMIN = {
    "admin_cname": "company_name",
    "admin_pname": "contact_name",
    "admin_phone": "phone",
    "admin_fax": "fax",
    "admin_email": "email",
    "admin_address": "street_address",
    "admin_city": "city",
    "admin_state": "state",
    "admin_pcode": "postal_code",
    "admin_country": "country",
    "admin_locale": "locale",
}
# A licence that bounds nothing: clients show its properties and plan by its limits.
UNLIMITED = ("lim_cl", "lim_dom", "lim_domsub", "lim_dom_aliases", "lim_wu", "lim_mn", "lim_db", "lim_lang_packs")
_counts: tuple[float, dict[str, int]] = (0.0, {})


def get_protos(call: Call) -> None:
    """The versions that are served. Clients take the highest that they know."""
    with call.result() as writer, writer.element("protos"):
        for version in VERSIONS:
            if not version.is_mail_only:
                writer.leaf("proto", str(version))


def get(call: Call) -> None:
    """The blocks that are asked for, in the order of the request."""
    with call.result():
        for flag in call.element:
            BLOCKS[str(flag.tag)](call)


def _key(call: Call) -> None:
    asked = call.element.find("key/filter")
    key_id = f"INN.{ensure_server_guid()}"
    if asked is not None and len(asked):
        kinds = {str(child.tag) for child in asked}
        texts = {(child.text or "").strip() for child in asked}
        if kinds == {"all-additional"} or (kinds == {"key-id"} and key_id not in texts) or kinds == {"name"}:
            return
    writer = call.writer
    with writer.element("key"):
        for name, value in (
            ("plesk_key_id", key_id),
            ("product_version", __version__),
            ("lim_date", "-1"),
            *((name, "-1") for name in UNLIMITED),
        ):
            with writer.element("property"):
                writer.leaf("name", name)
                writer.leaf("value", value)
        writer.leaf("content")


def _gen_info(call: Call) -> None:
    settings, writer = read_settings(), call.writer
    with writer.element("gen_info"):
        writer.leaf("server_name", machine.host_name())
        writer.leaf("server_guid", ensure_server_guid())
        if settings["external-id"]:
            writer.leaf("external-id", settings["external-id"])
        writer.leaf("mode", settings["mode"])


def _components(call: Call) -> None:
    with call.writer.element("components"):
        for name, version in [("innkeeper", __version__), *machine.components()]:
            with call.writer.element("component"):
                call.writer.leaf("name", name)
                call.writer.leaf("version", version)


def _stat(call: Call) -> None:
    writer = call.writer
    system, system_version = machine.operating_system()
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    loads = machine.load_average()
    with writer.element("stat"):
        _block(call, "objects", counts())
        _block(
            call,
            "version",
            {
                "plesk_name": "innkeeper",
                "plesk_version": __version__,
                "plesk_os": system,
                "plesk_os_version": system_version,
                "plesk_build": __version__.replace(".", ""),
                "os_release": machine.kernel(),
            },
        )
        with writer.element("other"):
            writer.leaf("cpu", machine.processor())
            writer.leaf("uptime", machine.uptime_s())
            writer.leaf("inside_vz", False)
        # Clients divide by 100.
        _block(call, "load_avg", {tag: round(load * 100) for tag, load in zip(("l1", "l5", "l15"), loads, strict=True)})
        _block(
            call,
            "mem",
            {
                "total": memory.total,
                "used": memory.used,
                "free": memory.free,
                "shared": memory.shared,
                "buffer": memory.buffers,
                "cached": memory.cached,
            },
        )
        _block(call, "swap", {"total": swap.total, "used": swap.used, "free": swap.free})
        with writer.element("diskspace"):
            for disk in machine.disks():
                _block(
                    call,
                    "device",
                    {"name": disk.device, "total": disk.total, "used": disk.used, "free": disk.free},
                )


def _block(call: Call, tag: str, values: Mapping[str, int | str]) -> None:
    with call.writer.element(tag):
        for name, value in values.items():
            call.writer.leaf(name, value)


def counts() -> dict[str, int]:
    """How many objects of each kind the server has, at most a minute old: counting a million takes a while."""
    global _counts  # noqa: PLW0603
    now = time.monotonic()
    if _counts[1] and now - _counts[0] < COUNTS_SECONDS:
        return _counts[1]
    domains = Site.objects.filter(parent=None)
    customers = Account.objects.filter(kind=Account.Kind.CUSTOMER)
    found = {
        "clients": customers.count(),
        "domains": domains.count(),
        "active_domains": domains.filter(status__in=(0, 8)).count(),
        "mail_boxes": MailAccount.objects.filter(mailbox_enabled=True).count(),
        "mail_redirects": MailAccount.objects.filter(redirect_enabled=True).count(),
        "mail_groups": MailAccount.objects.filter(group_enabled=True).count(),
        "mail_responders": Autoresponder.objects.count(),
        "web_users": WebUser.objects.count(),
        "databases": 0,
        "database_users": 0,
        "problem_clients": customers.exclude(status=0).count(),
        "problem_domains": domains.exclude(status__in=(0, 8)).count(),
    }
    _counts = (now, found)
    return found


def _admin(call: Call) -> None:
    writer = call.writer
    account = Account.objects.get(pk=call.actor.account_id)
    with writer.element("admin"):
        for tag in list(ADMIN)[:-1]:
            # An account from before this element was required may have none.
            writer.leaf(tag, getattr(account, ADMIN[tag]) or ("admin@localhost" if tag == "admin_email" else ""))
        writer.leaf("send_announce", account.send_announce)
        writer.leaf("admin_locale", account.locale)
        writer.leaf("admin_multiple_sessions", account.multiple_sessions)


def _interfaces(call: Call) -> None:
    with call.writer.element("interfaces"):
        for name in interface_names():
            call.writer.leaf("interface", name)


def _services_state(call: Call) -> None:
    programs: dict[str, str] = {}
    problem = ""
    try:
        programs = {name: str(info["state"]) for name, info in services().programs().items()}
    except (OSError, RuntimeError) as error:
        problem = f"The state of the services cannot be told: {error}"[:255]
    writer = call.writer
    with writer.element("services_state"):
        for service in SERVICES.values():
            with writer.element("srv"):
                writer.leaf("id", service.id)
                writer.leaf("title", service.title)
                if service.program not in programs:
                    writer.leaf("state", "none")
                    if service.program and problem:
                        writer.leaf("error", problem)
                else:
                    writer.leaf("state", "running" if programs[service.program] in RUNNING else "stopped")


def _prefs(call: Call) -> None:
    settings = read_settings()
    with call.writer.element("prefs"):
        for name in PREFERENCES:
            call.writer.leaf(name, settings[name])


def _shells(call: Call) -> None:
    with call.writer.element("shells"):
        for name, path in machine.shells():
            with call.writer.element("shell"):
                call.writer.leaf("name", name)
                call.writer.leaf("path", path)


def _session_setup(call: Call) -> None:
    with call.writer.element("session_setup"):
        call.writer.leaf("login_timeout", read_settings()["login_timeout"])


def _site_isolation_config(call: Call) -> None:
    with call.writer.element("site-isolation-config"):
        for name in ("php", "cgi", "ssi", "perl", "python", "fastcgi"):
            with call.writer.element("property"):
                call.writer.leaf("name", name)
                call.writer.leaf("value", "any")


def _updates(call: Call) -> None:
    with call.writer.element("updates"):
        for tag in ("available_update", "available_update_type", "security_updates"):
            call.writer.leaf(tag)
        call.writer.leaf("last_installed_update", __version__)
        for tag in (
            "install_updates_automatically",
            "install_third_party_updates",
            "install_system_package_updates_automatically",
        ):
            call.writer.leaf(tag, False)


def _admin_domain_list(call: Call) -> None:
    account = Account.objects.get(pk=call.actor.account_id)
    write_domains([account.pk], "admin-domain-list")(call.writer, account)


def _certificates(call: Call) -> None:
    call.writer.leaf("certificates")


def set_(call: Call) -> None:
    """The administrator's data and password, preferences, session idle time: all of the request or nothing."""
    given = call.element
    if given.find("certificates") is not None:
        raise NotSupported("certificates: this server has no certificate repository yet. Leave it out.")
    admin = given.find("admin")
    settings: dict[str, str] = {}
    contact: dict[str, str] = {}
    if admin is not None:
        for tag in ("uid", "global-login"):
            if text_of(admin, tag):
                raise NotSupported(f"{tag}: it belongs to another product's log-in service. Leave it out.")
        contact = {name: text for tag, name in ADMIN.items() if (text := text_of(admin, tag)) is not None}
    for block in (given.find("prefs"), given.find("session_setup")):
        if block is not None:
            settings |= {str(child.tag): child.text or "" for child in block}
    for tag in ("external-id", "mode"):
        text = text_of(given, tag)
        if text is not None:
            settings[tag] = text
    changes = AdministratorChanges(
        contact=contact,
        password=raw_text_of(given, "password"),
        send_announce=None if admin is None else boolean_of(admin, "send_announce"),
        multiple_sessions=None if admin is None else boolean_of(admin, "admin_multiple_sessions"),
    )
    with in_packet_words(ADMIN):
        update_administrator(call.actor, changes, settings)
    with call.result():
        pass


def srv_man(call: Call) -> None:
    """Start, stop or restart a service."""
    id_, action = text_of(call.element, "id") or "", text_of(call.element, "operation") or ""
    error: Refused | None = None
    try:
        control_service(call.actor, id_, action)
    except Refused as refused:
        error = refused
    with call.result(error) as writer:
        writer.leaf("id", id_)


def create_session(call: Call) -> None:
    """A token by which a browser enters the panel as the account of that login."""
    data = call.element.find("data")
    address = target = ""
    if data is not None:
        address, target = _plain(text_of(data, "user_ip") or ""), _plain(text_of(data, "starting_url") or "")
    address = address or call.actor.address
    try:
        address = str(ipaddress.ip_address(address))
    except ValueError as error:
        raise InvalidValue(f"user_ip: {address!r} is not an IP address.", field="user_ip") from error
    if target and not is_own_page(target):
        raise InvalidValue(
            f"starting_url: {target!r} lies elsewhere. Give a path of this panel, such as /mail/.", field="starting_url"
        )
    token = offer_session(call.actor, text_of(call.element, "login") or "", address, target)
    with call.result() as writer:
        writer.leaf("id", token)


def _plain(text: str) -> str:
    """What a text says that may be written in base64."""
    try:
        plain = base64.b64decode(text, validate=True).decode()
    except ValueError:
        return text
    return plain if plain.isprintable() else text


BLOCKS: dict[str, Callable[[Call], None]] = {
    "key": _key,
    "gen_info": _gen_info,
    "components": _components,
    "stat": _stat,
    "admin": _admin,
    "interfaces": _interfaces,
    "services_state": _services_state,
    "prefs": _prefs,
    "shells": _shells,
    "session_setup": _session_setup,
    "site-isolation-config": _site_isolation_config,
    "updates": _updates,
    "admin-domain-list": _admin_domain_list,
    "certificates": _certificates,
}
OPERATIONS = {
    "get_protos": get_protos,
    "get": get,
    "set": set_,
    "srv_man": srv_man,
    "create_session": create_session,
}
