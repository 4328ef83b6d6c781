"""Carrying rules to another domain or server: loosed from one account, and bound to another."""

from __future__ import annotations

from typing import Any

from innkeeper.permissions import policies
from innkeeper.permissions.principals import Principals, UnknownAccountError
from innkeeper.permissions.rules import template
from innkeeper.permissions.rules.document import EMPTY, Document
from innkeeper.permissions.rules.entry import joined, names_below, read_rules
from innkeeper.permissions.rules.finding import Finding, RuleError, Severity
from innkeeper.permissions.rules.vocabulary import EntryFlag
from innkeeper.permissions.server import disk, hosting
from innkeeper.permissions.server.history import MetadataError
from innkeeper.permissions.server.layout import Layout

Entry = dict[str, str]


def of_disk(layout: Layout) -> Document:
    """The rules of all files of the disk policy but the shipped ones, which every server has."""
    shipped = {_identity(values) for values in _values(Document.load(policies.FOLDER / disk.SHIPPED))}
    entries = [values for file in disk.files(layout) for values in _values(file.document())]
    return Document(EMPTY).with_entries(values for values in entries if _identity(values) not in shipped)


def of_template(layout: Layout, name: str) -> Document:
    """A template, as it is.

    Raises: MetadataError when there is none of the name.
    """
    name = name if name.endswith(".xml") else f"{name}.xml"
    if "/" in name or name.startswith("."):
        raise MetadataError(f"{name!r} is not the name of a template")
    found = disk.template(layout, name)
    if found.read() is None:
        known = ", ".join(sorted(path.name for path in layout.etc.glob("*_template.xml")))
        raise MetadataError(f"{layout.etc} has no template {name}; there are: {known}")
    return found.document()


def of_domain(layout: Layout, domain: str) -> Document:
    """The rules of a domain as a template: for whatever account the tags stand for, in whatever folder."""
    found = hosting.instances(layout, domain)[0]
    last = found.metadata.last()
    users: dict[str, str] = last.account.get("users", {}) if last else {}
    by_tag = {tag.casefold(): name for tag, name in users.items()}
    entries = []
    for values in _values(found.metadata.document()):
        plain = {name: value for name, value in values.items() if name not in ("SidStr", template.TEMPLATE)}
        if by_tag.get(plain.get("Tag", "").casefold()) == plain.get("Account"):
            plain |= {"Account": "Null", "AccounType": "0"}
            plain.pop("Domain", None)
        below = names_below(plain)
        if below[:1] == (domain,):
            plain["SubPath"] = joined(below[1:], plain)
        entries.append(plain)
    return Document(EMPTY).with_entries(entries)


def resolved(source: Document, principals: Principals) -> tuple[Document, list[Finding]]:
    """Rules from elsewhere with their accounts found anew by name, and what is to be said about that.

    A SidStr says nothing on another server: its number may be anybody's here.

    Raises: RuleError when a rule cannot be read, or names an account that this server does not have and does not
    say to go on.
    """
    rules, errors = read_rules([source])
    findings: list[Finding] = []
    for rule in rules:
        if rule.account.casefold() == "null":
            continue
        try:
            principals.find(rule.account, rule.domain)
        except UnknownAccountError as error:
            severity = Severity.WARNING if rule.flags & EntryFlag.CONTINUE_ON_ERROR else Severity.ERROR
            finding = Finding("no-account", str(error), rule.file, rule.line, rule.column, severity)
            (findings if severity is Severity.WARNING else errors).append(finding)
    if errors:
        raise RuleError(errors)
    document = source
    for rule in rules:
        if rule.sid is None:
            continue
        element = document.entries[rule.number]
        try:
            sid = None if rule.account.casefold() == "null" else principals.find(rule.account, rule.domain)
        except UnknownAccountError:
            sid = None
        if sid != rule.sid:
            message = f"SidStr {rule.sid} is of another server and was {'replaced' if sid else 'dropped'}"
            findings.append(Finding("sid-disagrees", message, rule.file, rule.line, rule.column, Severity.WARNING))
        document = document.with_value(element, "SidStr", sid) if sid else document.without_value(element, "SidStr")
    return document, findings


def into_account(source: Document, name: str, principals: Principals) -> hosting.Change:
    """The change that adds rules from elsewhere to an account, but for those that it has already."""

    def edit(instance: hosting.Instance, document: Document, known: dict[str, Any]) -> tuple[Document, list[str]]:
        templates = list(known["templates"])
        if instance.kind != "domain":
            return document, templates
        users = hosting.identified(known["users"], principals)
        present = {_identity(values) for values in _values(document)}
        entries = template.instance_entries(source, users, "\\".join(known["folder"]), name)
        new = [values for values in entries if _identity(values) not in present]
        changed = template.add(document, new)
        return changed, [*templates, name] if new and name not in templates else templates

    return edit


def _values(document: Document) -> list[Entry]:
    return [element.values for element in document.entries]


def _identity(values: Entry) -> tuple[object, ...]:
    """What makes two rules the same wherever they come from."""
    left_out = ("SidStr", template.TEMPLATE, "Domain", "AccounType", "AccountType", "SubPath")
    said = {(name, value.strip().casefold()) for name, value in values.items() if name not in left_out}
    return frozenset(said), names_below(values)
