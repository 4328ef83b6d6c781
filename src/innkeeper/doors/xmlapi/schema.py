"""The schemas of packets and answers, assembled from one file per operator.

A request is validated in the dialect of its version before anything runs. Operators that the protocol has and that
are not served here are known by name, so that they answer 1017 and not "unknown element".
"""

from __future__ import annotations

import threading
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from lxml import etree

from innkeeper.core.errors import Malformed
from innkeeper.doors.xmlapi.versions import Dialect, Version

FOLDER = Path(__file__).parent / "schema"
XS = "{http://www.w3.org/2001/XMLSchema}"

# The order matters for error texts alone: libxml2 lists the first ten.
NEW_OPERATORS = [
    "server", "customer", "webspace", "subdomain", "dns", "db_server", "mail", "certificate", "site-alias",
    "ip", "event_log", "secret_key", "ui", "service-plan", "virtdir", "database", "ftp-user", "session",
    "locale", "log-rotation", "protected-dir", "reseller", "reseller-plan", "aps", "service-plan-addon",
    "site", "business-logic-upgrade", "php-handler", "extension",
]  # fmt: skip
GONE_IN_1_6_9_1 = [
    "migration", "spamfilter", "webuser", "maillist", "updater", "backup-manager", "sso", "user", "role",
    "webmail", "plan-item", "sitebuilder", "service-node", "ip-ban",
]  # fmt: skip
OLD_OPERATORS = [
    "server", "client", "domain", "subdomain", "dns", "db_server", "mail", "certificate", "domain-alias",
    "ip", "event_log", "secret_key", "custom-buttons", "client-template", "domain-template",
    "domain-addon-template", "virtdir", "database", "ftp-user", "session", "locale", "log-rotation",
    "protected-dir", "reseller", "reseller-template", "aps", "migration", "spamfilter", "webuser", "maillist",
    "updater", "backup-manager", "sso", "user", "role", "webmail", "plan-item", "sitebuilder", "service-node",
    "desktop", "dashboard", "site-alias",
]  # fmt: skip
EVERY_OPERATOR = sorted({*NEW_OPERATORS, *GONE_IN_1_6_9_1, *OLD_OPERATORS})
FIRST_WITHOUT_GONE = Version.parse("1.6.9.1")


class OperatorType(NamedTuple):
    """Where an operator's type is declared."""

    file: str
    request: str
    answer: str


NEW_TYPES = {
    "server": OperatorType("server", "ServerOperatorType", "ServerOperatorType"),
    "secret_key": OperatorType("secret_key", "SecretKeyInputType", "SecretKeyResponseType"),
    "ip": OperatorType("ip", "IpInputType", "IpResponseType"),
    "event_log": OperatorType("event_log", "EventLogInputType", "EventLogResponseType"),
    "session": OperatorType("session", "SessionInputType", "SessionOutputType"),
    "customer": OperatorType("customer", "ClientTypeRequest", "ClientResponseType"),
    "webspace": OperatorType("webspace", "DomainTypeRequest", "DomainResponseType"),
    "site": OperatorType("site", "SiteTypeRequest", "SiteResponseType"),
    "subdomain": OperatorType("subdomain", "SubdomainInputType", "SubdomainOutputType"),
    "ftp-user": OperatorType("ftp-user", "FtpUserInputType", "FtpUserOutputType"),
    "webuser": OperatorType("webuser", "WebUserInputType", "WebUserOutputType"),
    "mail": OperatorType("mail", "MailTypeRequest", "MailResponseType"),
}
OLD_TYPES = {
    "server": NEW_TYPES["server"],
    "secret_key": NEW_TYPES["secret_key"],
    "ip": NEW_TYPES["ip"],
    "event_log": NEW_TYPES["event_log"],
    "client": NEW_TYPES["customer"],
    "domain": OperatorType("domain", "OldDomainTypeRequest", "OldDomainResponseType"),
    "mail": OperatorType("mail-old", "OldMailTypeRequest", "OldMailResponseType"),
}


def operators(version: Version) -> list[str]:
    """Every operator that the protocol has in this version."""
    if version.is_mail_only:
        return ["mail"]
    if version.dialect is Dialect.OLD:
        return OLD_OPERATORS
    return NEW_OPERATORS if version >= FIRST_WITHOUT_GONE else NEW_OPERATORS + GONE_IN_1_6_9_1


def types(dialect: Dialect) -> dict[str, OperatorType]:
    """The operators of a dialect whose content is described here."""
    return OLD_TYPES if dialect is Dialect.OLD else NEW_TYPES


def validate(packet: etree._Element, version: Version) -> None:
    """Raise Malformed, in libxml2's words, if the packet is not valid in its version."""
    schema = for_version(version)
    with _one_log:
        if not schema.validate(packet):
            raise invalid(cast(Any, schema.error_log)[0])


def for_version(version: Version) -> etree.XMLSchema:
    """The schema of packets in this version. Parsers may use it in any number of threads at once."""
    key = _kind(version)
    schema = _compiled.get(key)
    if schema is None:
        with _one_log:
            schema = _compiled.setdefault(key, request_schema(operators(version), version.dialect))
    return schema


@lru_cache(maxsize=64)
def _kind(version: Version) -> tuple[Dialect, bool, bool]:
    return version.dialect, version >= FIRST_WITHOUT_GONE, version.is_mail_only


def invalid(error: Any) -> Malformed:
    """The refusal for an entry of a schema's error log."""
    return Malformed(f"Parser error: Request is invalid. Error in line {error.line}: {error.message[:500]}")


# By dialect and set of operators. One takes more than a megabyte, so threads share it, and take turns where the schema
# keeps what it found: a packet that is validated this way has at most 1 MiB.
_compiled: dict[tuple[Dialect, bool, bool], etree.XMLSchema] = {}
_one_log = threading.Lock()


def request_schema(names: list[str], dialect: Dialect) -> etree.XMLSchema:
    """The schema of packets."""
    known = types(dialect)
    members = [
        f'<xs:element name="{name}" type="{known[name].request if name in known else "UnservedOperator"}"/>'
        for name in names
    ]
    return _assembled(
        "requests",
        {kind.file for name, kind in known.items() if name in names},
        f"""<xs:sequence>
          <xs:element name="request-settings" type="RequestSettings" minOccurs="0"/>
          <xs:choice maxOccurs="unbounded">{"".join(members)}</xs:choice>
        </xs:sequence>""",
    )


@cache
def answer_schema(dialect: Dialect) -> etree.XMLSchema:
    """The schema of answers. The server never runs it; the tests validate every answer with it."""
    known = types(dialect)
    every = NEW_OPERATORS + GONE_IN_1_6_9_1 if dialect is Dialect.NEW else OLD_OPERATORS
    members = [
        f'<xs:element name="{name}" type="{known[name].answer if name in known else "UnservedOperator"}"/>'
        for name in every
    ]
    return _assembled(
        "answers",
        {kind.file for kind in known.values()},
        f"""<xs:choice>
          <xs:choice maxOccurs="unbounded">{"".join(members)}</xs:choice>
          <xs:element name="system" type="SystemResult"/>
          <xs:element name="upload" type="UploadOutputType"/>
        </xs:choice>""",
    )


def _assembled(folder: str, files: set[str], content: str) -> etree.XMLSchema:
    includes = ["types.xsd", f"{folder}/shared.xsd", *(f"{folder}/{file}.xsd" for file in sorted(files))]
    text = f"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
      {"".join(f'<xs:include schemaLocation="{include}"/>' for include in includes)}
      <xs:element name="packet">
        <xs:complexType>
          {content}
          <xs:attribute name="version" type="xs:string"/>
        </xs:complexType>
      </xs:element>
    </xs:schema>"""
    # Our own files, read from the package: the parser's restrictions are for packets.
    root = etree.fromstring(text, base_url=f"{FOLDER}/packet.xsd")
    return etree.XMLSchema(root)


@cache
def defaults(dialect: Dialect, operator: str) -> dict[tuple[str, str], str]:
    """The defaults of an operator's elements, by (parent, element).

    `default` in a schema acts on an element that is present and empty. Validators do not fill it in.
    """
    found: dict[tuple[str, str], str] = {}
    kind = types(dialect).get(operator)
    if kind is not None:
        for element in etree.parse(FOLDER / "requests" / f"{kind.file}.xsd").iter(f"{XS}element"):
            default = element.get("default")
            if default is not None:
                parent = next((a.get("name", "") for a in element.iterancestors(f"{XS}element")), "")
                # The top of a named type has no parent element in the file: its users are told apart by name alone.
                key = (parent, element.get("name", ""))
                if found.setdefault(key, default) != default:
                    raise ValueError(f"two defaults for {key} in {kind.file}.xsd")
    return found


def fill_defaults(operation: etree._Element, dialect: Dialect, operator: str) -> None:
    """Write the schema's defaults into the empty elements of a valid operation."""
    found = defaults(dialect, operator)
    if not found:
        return
    # By name first: of ten thousand elements hardly any can have a default.
    for element in operation.iter({name for _, name in found}):
        if element is operation or element.text is not None or len(element):
            continue
        parent = element.getparent()
        key = (parent.tag if parent is not None else "", element.tag)
        default = found.get(key, found.get(("", element.tag)))
        if default is not None:
            element.text = default
