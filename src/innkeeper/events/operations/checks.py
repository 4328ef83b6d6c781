"""What must hold for a handler that is saved, beside its event and command: values, web address, user and program."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from innkeeper.core.errors import InvalidValue
from innkeeper.core.events import EventType
from innkeeper.events import script
from innkeeper.events.command import Command, parse
from innkeeper.events.models import EventHandler, HandlerKind
from innkeeper.events.requests import LIMITS
from innkeeper.events.system import allowed_users, check_command
from innkeeper.events.webhook import is_private

PRIORITY_BOUND = 2**31 - 1
LONGEST_URL = 2_048
_URL = re.compile(r"[!-~]+")


def check_values(row: EventHandler) -> None:
    """The values alone. Raises InvalidValue."""
    if not -PRIORITY_BOUND <= row.priority <= PRIORITY_BOUND:
        raise InvalidValue(
            f"priority: {row.priority} is out of range. Give a whole number up to {PRIORITY_BOUND}; the higher runs"
            " first.",
            field="priority",
        )
    for name, limit in LIMITS.items():
        value = getattr(row, name)
        if not limit.least <= value <= limit.most:
            raise InvalidValue(
                f"{name}: {value} is out of range. Give {limit.least} to {limit.most} {limit.what}.", field=name
            )


def check_target(row: EventHandler, event: EventType) -> tuple[str, ...]:
    """The command or the web address; fills in the first user of the list if none is named. Returns warnings.

    Raises InvalidValue, and Failed if the server cannot be asked.
    """
    if row.kind == HandlerKind.WEBHOOK:
        _refuse(row, "user", "command")
        check_url(row.url, allow_private=row.allow_private)
        return ()
    _refuse(row, "url")
    if row.allow_private:
        raise InvalidValue("allow_private: it is of webhooks alone. Leave it out.", field="allow_private")
    command = parse(row.command, event)
    row.user = _user(row.user)
    return _program(row.user, command)


def _refuse(row: EventHandler, *names: str) -> None:
    for name in names:
        if getattr(row, name):
            raise InvalidValue(f"{name}: a {row.kind} handler has none. Leave it out.", field=name)


def _user(name: str) -> str:
    allowed = allowed_users()
    if not name and allowed:
        return allowed[0]
    if name in allowed:
        return name
    offered = f"Use one of {', '.join(allowed)}." if allowed else "None is allowed on this server yet."
    said = f"commands may not run as {name[:32]!r} here, or there is no such user" if name else "it is missing"
    raise InvalidValue(f"user: {said}. {offered}", field="user")


def _program(user: str, command: Command) -> tuple[str, ...]:
    found = check_command(user, command.path)
    if found.error is not None and found.error.startswith("user: "):
        raise InvalidValue(found.error + ".", field="user")
    if found.error is not None:
        why = found.error.removeprefix("command: ").removesuffix(".")
        if command.path not in why:
            why = f"{command.path}: {why}. Give the full path of a program that {user} can run"
        hint = ""
        if command.arguments and not re.match(r"<|-", command.shown()[0]):
            hint = " If its path has spaces, put the path in quotes."
        raise InvalidValue(f"command: {why}.{hint}", field="command")
    return tuple(script.warnings(found.script, command.shown())) if found.script is not None else ()


def check_url(url: str, *, allow_private: bool) -> None:
    """The form of a web address. What its name resolves to is checked at each delivery. Raises InvalidValue."""
    if not url:
        raise InvalidValue("url: it is missing. Give the address that events are sent to: https://...", field="url")
    if len(url) > LONGEST_URL or not _URL.fullmatch(url):
        raise InvalidValue(
            f"url: use at most {LONGEST_URL} characters of ASCII without spaces; encode others with %.", field="url"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or port == 0:
        raise InvalidValue("url: this is no web address. Write https://HOST/PATH.", field="url")
    if parts.scheme != "https":
        raise InvalidValue(
            "url: events are sent over https alone, since they hold customers' data. Write https://...", field="url"
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidValue(
            "url: it holds a name or a password. Leave them out; the receiver checks the signature instead.",
            field="url",
        )
    if parts.fragment:
        raise InvalidValue("url: what stands behind # is never sent. Leave it out.", field="url")
    address = _literal(host)
    if address is not None and is_private(str(address)) and not allow_private:
        raise InvalidValue(
            f"url: {address} is a private address. Allow private addresses for this handler if you mean it.",
            field="url",
        )


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is written as, in any of the forms that a resolver takes for one."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))  # 127.1, 0x7f000001 and the like
    except OSError:
        return None
