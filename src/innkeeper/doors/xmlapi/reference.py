"""Writes `docs/xml-api.md` from the schemas and the handlers: `python -m innkeeper.doors.xmlapi.reference`.

The page names every operator of the protocol, and every element of those that are described here, with what the
server makes of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from lxml import etree

from innkeeper.doors.xmlapi import schema
from innkeeper.doors.xmlapi.schema import FOLDER, XS, OperatorType
from innkeeper.doors.xmlapi.versions import VERSIONS, Dialect

# Elements that are read and do less than their name says. Everything else acts as the guide says.
REMARKS: dict[tuple[str, str], str] = {
    ("mail", "prefs/ip_address"): "read, ignored: internal to another product",
    ("mail", "mail-provider/aps"): "answers 1017",
    ("mail", "autoresponder/attachment/tmp-name"): "a handle of an uploaded file",
    ("mail", "password/type"): "sym answers 1019",
    ("server", "certificates"): "in set answers 1017: there is no certificate repository yet",
    ("server", "admin/uid"): "answers 1017: another product's log-in service",
    ("server", "admin/global-login"): "answers 1017: another product's log-in service",
    ("server", "prefs/smtp_password"): "answers 1017: this server sends through itself",
    ("server", "create_session/data"): "user_ip and starting_url count, the rest is read over",
    ("server", "services_state"): "what no program of the instance serves is `none`",
    ("session", "get/result/session/id"): "never what a browser sends",
    ("event_log", "get/options"): "left out: nothing is emptied",
    ("event_log", "get_events/lastId"): "events after this number",
    ("ip", "service-node"): "answers 1017: this server is the only node",
    ("ip", "certificate_name"): "answers 1013: there are no certificates yet",
    ("webspace", "get_traffic/since_date"): "no traffic is counted yet, so no day is listed",
    ("site", "get_traffic/since_date"): "no traffic is counted yet, so no day is listed",
    ("webspace", "gen_setup/admin-as-vendor"): "answers 1017: the provider follows from the owner",
    ("webspace", "prefs/icp-status"): "true answers 1017",
    ("webspace", "prefs/icp-permit"): "text answers 1017",
    ("site", "prefs/icp-status"): "true answers 1017",
    ("site", "prefs/icp-permit"): "text answers 1017",
    ("site", "prefs/outgoing-messages-domain-limit"): "other than default answers 1017: it belongs to the webspace",
    ("webspace", "plan-id"): "answers 1013: there are no service plans yet",
    ("webspace", "plan-name"): "answers 1013: there are no service plans yet",
    ("webspace", "plan-guid"): "answers 1013: there are no service plans yet",
    ("webspace", "plan-external-id"): "answers 1013: there are no service plans yet",
    ("webspace", "disk_usage/mailboxes"): "in set read, ignored: use is counted by itself",
    ("webspace", "disk_usage/maillists"): "in set read, ignored: use is counted by itself",
    ("site", "disk_usage/mailboxes"): "in set read, ignored: use is counted by itself",
    ("site", "disk_usage/maillists"): "in set read, ignored: use is counted by itself",
}


@dataclass(frozen=True, slots=True)
class Described:
    """One element of a schema: where it stands, how often, and of which type."""

    path: tuple[str, ...]
    occurs: str
    type: str
    values: tuple[str, ...] = ()
    default: str | None = None

    @property
    def name(self) -> str:
        return self.path[-1]


def elements(folder: str, kind: OperatorType) -> Iterator[Described]:
    """Every element below an operator, in the schema's order. `folder` is `requests` or `answers`."""
    types = _types(folder, kind.file)
    yield from _walk(types[kind.request if folder == "requests" else kind.answer], types, ())


@cache
def _types(folder: str, file: str) -> dict[str, etree._Element]:
    found: dict[str, etree._Element] = {}
    for path in (FOLDER / "types.xsd", FOLDER / folder / "shared.xsd", FOLDER / folder / f"{file}.xsd"):
        for element in etree.parse(path).getroot().iterchildren(f"{XS}*"):
            found[element.get("name", "")] = element
    return found


def _walk(
    node: etree._Element, types: dict[str, etree._Element], path: tuple[str, ...], group: str = ""
) -> Iterator[Described]:
    for child in node.iterchildren(f"{XS}*"):
        kind = str(child.tag).removeprefix(XS)
        if kind == "element":
            yield from _element(child, types, path, group)
        elif kind == "group":
            yield from _walk(types[child.get("ref", "")], types, path, group or _occurs(child))
        elif kind in ("complexType", "sequence", "choice", "all"):
            inner = "?" if kind == "choice" and len(child) > 1 else ""
            yield from _walk(child, types, path, _wider(group, _wider(_occurs(child), inner)))


def _element(
    element: etree._Element, types: dict[str, etree._Element], path: tuple[str, ...], group: str
) -> Iterator[Described]:
    here = (*path, element.get("name", ""))
    type_name = element.get("type", "")
    declared = types.get(type_name)
    inline = element.find(f"{XS}complexType")
    values = tuple(value.get("value", "") for value in element.iterfind(f"{XS}simpleType//{XS}enumeration"))
    if declared is not None and declared.tag == f"{XS}simpleType":
        values = tuple(value.get("value", "") for value in declared.iter(f"{XS}enumeration"))
    has_children = inline is not None or (declared is not None and declared.tag == f"{XS}complexType")
    shown = "" if has_children and type_name != "NoneType" else type_name or "string"
    if shown == "NoneType":
        shown = "empty"
    yield Described(here, _wider(_occurs(element), group), shown.removeprefix("xs:"), values, element.get("default"))
    if inline is not None:
        yield from _walk(inline, types, here)
    elif declared is not None and has_children and type_name not in path:
        yield from _walk(declared, types, here)


def _occurs(node: etree._Element) -> str:
    least, most = node.get("minOccurs", "1"), node.get("maxOccurs", "1")
    if most != "1":
        return "*" if least == "0" else "+"
    return "?" if least == "0" else ""


def _wider(one: str, other: str) -> str:
    """How often an element may occur that may occur `one` times in a group that may occur `other` times."""
    if "*" in (one, other) or {one, other} == {"?", "+"}:
        return "*"
    return one or other if "+" not in (one, other) else "+"


def page() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# The XML API"
    yield ""
    yield "Generated from the schemas by `python -m innkeeper.doors.xmlapi.reference`; do not edit."
    yield ""
    yield "Packets are sent by `POST` to `https://HOST:8443/enterprise/control/agent.php`, with the headers"
    yield "`HTTP_AUTH_LOGIN` and `HTTP_AUTH_PASSWD`, or `KEY`. `HTTP_PRETTY_PRINT: TRUE` indents the answer."
    yield "Customers need the permission `remote_access_interface` on one of their webspaces; owners of mail accounts"
    yield "are never admitted. A document that does not declare its encoding is UTF-8, or ISO-8859-1 where the"
    yield "`Content-Type` says so."
    yield "Files are sent by a multipart `POST` to the same address; the answer, `upload/result` with `status`, `name`"
    yield "and `file`, gives each a handle for `tmp-name`."
    yield "`server/create_session` answers a token. A browser that is sent to"
    yield "`https://HOST:8443/enterprise/rsession_init.php` with it as `PLESKSESSID`, from `user_ip` (left out: the"
    yield "address that sent the packet) and within five minutes, is logged in, once."
    yield "Protocol versions: " + ", ".join(map(str, VERSIONS)) + "; before 1.6.3.0 the old dialect is spoken, and"
    yield "versions before 1.4.0.0 are for packets to `mail` alone. Without a version the newest is meant."
    yield ""
    yield "In the trees `?` is 0 or 1, `*` any number, `+` at least 1; children come in the order shown. Operations"
    yield "without `served`, and operators that are only listed, answer 1017 for each operation."
    for dialect, title in ((Dialect.NEW, "from 1.6.3.0"), (Dialect.OLD, "before 1.6.3.0")):
        yield ""
        yield f"## Operators {title}"
        described = schema.types(dialect)
        every = schema.NEW_OPERATORS + schema.GONE_IN_1_6_9_1 if dialect is Dialect.NEW else schema.OLD_OPERATORS
        yield ""
        yield "Not served: " + ", ".join(f"`{name}`" for name in every if name not in described) + "."
        if dialect is Dialect.NEW:
            yield "Of these " + ", ".join(f"`{name}`" for name in schema.GONE_IN_1_6_9_1) + " end with 1.6.9.0."
        for name in every:
            if name in described:
                yield from _operator(dialect, name, described[name])


def _operator(dialect: Dialect, name: str, kind: OperatorType) -> Iterator[str]:
    from innkeeper.doors.xmlapi.operators import handlers

    served = handlers().get((dialect, name), {})
    yield ""
    yield f"### `{name}`"
    for folder, title in (("requests", "Request"), ("answers", "Answer")):
        yield ""
        yield f"{title}:"
        yield ""
        yield "```"
        for element in elements(folder, kind):
            line = "  " * (len(element.path) - 1) + element.name + element.occurs
            notes = [element.type] if element.type else []
            if element.values:
                notes = [" | ".join(element.values)]
            if element.default is not None:
                notes.append(f"empty means {element.default}")
            if len(element.path) == 1:
                notes = ["served"] if element.name in served else ["answers 1017"]
            elif folder == "requests":
                path = "/".join(element.path)
                notes += [remark for (op, end), remark in REMARKS.items() if op == name and path.endswith(end)]
            yield f"{line:<48}{'; '.join(notes)}".rstrip()
        yield "```"


if __name__ == "__main__":
    import django

    django.setup()
    sys.stdout.write(page())
