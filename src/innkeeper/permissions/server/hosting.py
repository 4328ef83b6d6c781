"""The policy of hosted content: an instance of rules for each hosting account, made from a template.

A domain, its web users and its subdomains are one tree with an instance each, and are applied together, for what is
inherited in one of them comes from another. A run has the domain's folder as its root and never leaves it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from innkeeper.permissions.apply import INTERRUPTED
from innkeeper.permissions.places import Places
from innkeeper.permissions.policy import Policy
from innkeeper.permissions.principals import Principals, UnknownAccountError
from innkeeper.permissions.report import Report
from innkeeper.permissions.rules import template
from innkeeper.permissions.rules.document import EMPTY, Document, decode
from innkeeper.permissions.rules.entry import Rule, names_below, naming, read_rules
from innkeeper.permissions.rules.finding import Finding, RuleError
from innkeeper.permissions.rules.vocabulary import EntryFlag
from innkeeper.permissions.server import running
from innkeeper.permissions.server.disk import template as template_file
from innkeeper.permissions.server.history import Metadata, MetadataError
from innkeeper.permissions.server.layout import INSTANCE, Layout
from innkeeper.permissions.server.running import How, Outcome
from innkeeper.permissions.walk import FOLDER

Kind = Literal["domain", "subdomain", "webuser"]
SUBDOMAINS, WEB_USERS = "subdomains", "web_users"
# The history of an instance that somebody has put there without a command.
UNKNOWN = "unknown"

TEMPLATES = {"domain": "hosting_template.xml", "subdomain": "subdomain_template.xml", "webuser": "webuser_template.xml"}
FRAME = "frame_forwarding_template.xml"
WRITE = {
    "domain": "hosting_write_template.xml",
    "subdomain": "subdomain_write_template.xml",
    "webuser": "webuser_write_template.xml",
}
# The templates that come and go with an account's settings; any other stays until it is taken out.
SETTINGS = frozenset({*TEMPLATES.values(), *WRITE.values(), FRAME})
# A document root of another name gets the rules of ``httpdocs``, as if from two templates: the visitors' go with the
# setting, the owner's stay with the folder.
DOCUMENTS = "httpdocs"
SHOWN, OWNED = "www_root:", "folder:"
_VISITORS = ("anonymousdomainuser", "anonymousparentuser")


@dataclass(frozen=True, slots=True)
class Hosted:
    """A hosting account, as its rules need it.

    ``key`` names it for ever, whatever it is called. ``folder`` lies below the folder of all hosting. ``users`` are
    the system's accounts by the tags of rules. ``writable`` is the setting of additional write and modify permissions,
    ``www_root`` the document root below the folder if it is not ``httpdocs``.
    """

    key: str
    kind: Kind
    folder: tuple[str, ...]
    users: Mapping[str, str]
    is_frame: bool = False
    writable: bool = False
    www_root: str = ""

    @property
    def domain(self) -> str:
        """The folder of the domain that it belongs to."""
        return self.folder[0]

    @property
    def templates(self) -> list[str]:
        """The templates that its settings ask for."""
        if self.is_frame and self.kind == "domain":
            return [FRAME]
        wanted = [TEMPLATES[self.kind]]
        if self.writable:
            wanted.append(WRITE[self.kind])
        if self.www_root:
            wanted += [f"{OWNED}{self.www_root.split('/')[0]}", f"{SHOWN}{self.www_root}"]
        return wanted


@dataclass(frozen=True, slots=True)
class Instance:
    """The instance of one account: its file, and the account's folder below that of the domain."""

    metadata: Metadata
    kind: Kind
    folder: tuple[str, ...]


def metadata(layout: Layout, account: Hosted) -> Metadata:
    """The instance of an account."""
    return Metadata(layout.vhosts.joinpath(*instance_path(account.kind, account.folder)), records(layout, account.key))


def records(layout: Layout, key: str) -> Path:
    """The versions of an account's instance."""
    return layout.records / "history" / "hosting" / key


def instance_path(kind: Kind, folder: tuple[str, ...]) -> tuple[str, ...]:
    """Where the instance of an account lies: in its root, and a web user's in that of the domain."""
    if kind == "webuser":
        return (folder[0], f".Web.{folder[-1]}{INSTANCE}")
    return (*folder, INSTANCE)


# ---- making and changing instances


def instantiate(
    layout: Layout,
    accounts: Iterable[Hosted],
    who: str,
    why: str,
    progress: Callable[[Report], None] | None = None,
) -> list[Outcome]:
    """Bring instances in line with the accounts' settings, and apply them.

    A missing instance is made from its template. One that is there keeps everything that was changed in it; only
    what has changed of the account is changed in it: its folder, its users, and which templates its settings ask for.

    Raises: MetadataError, RuleError, UnknownAccountError.
    """
    outcomes = []
    by_domain: dict[str, list[Hosted]] = {}
    for account in accounts:
        by_domain.setdefault(account.domain, []).append(account)
    principals = layout.principals()
    for domain, own in by_domain.items():
        with running.locked(layout, lock_of(domain)):
            for account in own:
                update(layout, account, principals, who, why)
            compiled = policy(layout, domain)
            for account in own:
                how = How(start=account.folder[1:], way=True, progress=progress)
                outcomes.append(apply_to(layout, compiled, domain, how))
                if outcomes[-1].run.report.stopped == INTERRUPTED:
                    return outcomes
    return outcomes


def update(layout: Layout, account: Hosted, principals: Principals, who: str, why: str) -> bool:
    """Bring one instance in line with its account, without applying it; tell whether it changed."""
    found = metadata(layout, account)
    found.notice()
    last = found.last()
    known = last.account if last else {}
    data = found.read()
    file = str(found.path)
    document = Document(decode(data, file), file) if data is not None else Document(EMPTY, file)
    have: list[str] = list(known.get("templates", [])) if data is not None else []
    users = identified(account.users, principals)
    if data is not None and known:
        old = "\\".join(known["folder"])
        if known["folder"] != list(account.folder):
            document = template.move(document, old, "\\".join(account.folder))
        changed = {
            (tag, name): users[tag] for tag, name in known["users"].items() if tag in users and name != users[tag].name
        }
        document = template.rename_accounts(document, changed)
    wanted = account.templates
    comes_and_goes = {name for name in have if name in SETTINGS or name.startswith(SHOWN)}
    for name in sorted(comes_and_goes - set(wanted)):
        document = template.remove_template(document, name)
        have.remove(name)
    made_from = known.get("versions", {})
    for name in have:
        document = _renewed(document, account, users, template_file(layout, name), made_from.get(name, 1))
    for name in [name for name in wanted if name not in have]:
        document = with_template(document, _source(layout, account.kind, name), users, account.folder, name)
        have.append(name)
    versions = {name: last.number for name in have if (last := template_file(layout, name).last())}
    _note_place(layout, account, tuple(known["folder"]) if known else None)
    return found.write(document.encoded(), who, why, about(account, have, versions))


def _renewed(
    document: Document, account: Hosted, users: Mapping[str, template.Account], source: Metadata, made_from: int
) -> Document:
    """An instance with what a new version of its template brought or took out; what was changed in it stays."""
    last = source.last()
    if last is None or last.number == made_from or not source.has(made_from):
        return document
    name, folder = source.path.name, "\\".join(account.folder)
    old, new = (
        template.instance_entries(Document(decode(data, name), name), users, folder, name)
        for data in (source.content(made_from), source.content(last.number))
    )
    document = template.remove(document, [entry for entry in old if entry not in new])
    return template.add(document, [entry for entry in new if entry not in old])


def _source(layout: Layout, kind: Kind, name: str) -> Document:
    """The rules that the name of a template stands for."""
    if not name.startswith((SHOWN, OWNED)):
        return template_file(layout, name).document()
    prefix, _, folder = name.partition(":")
    is_shown = f"{prefix}:" == SHOWN
    entries = []
    for element in template_file(layout, TEMPLATES[kind]).document().entries:
        below = names_below(element.values)
        if below[:1] != (DOCUMENTS,) or (element.get("Tag").casefold() in _VISITORS) != is_shown:
            continue
        # The folder is made while it is shown, and what an owner puts in its place stops no other rule.
        flags = int(element.get("EntryFlags"), 16) & ~EntryFlag.CREATE_FOLDERS | EntryFlag.CONTINUE_ON_ERROR
        flags |= EntryFlag.CREATE_FOLDERS if is_shown else 0
        entries.append(element.values | {"EntryFlags": f"0x{flags:x}"} | naming((*folder.split("/"), *below[1:])))
    return Document(EMPTY).with_entries(entries)


def about(account: Hosted, templates: list[str], versions: Mapping[str, int]) -> dict[str, Any]:
    """What is remembered of an account beside each version of its instance."""
    return {
        "kind": account.kind, "folder": list(account.folder), "users": dict(account.users), "templates": templates,
        "versions": dict(versions),
    }  # fmt: skip


def identified(users: Mapping[str, str], principals: Principals) -> dict[str, template.Account]:
    """The accounts that tags stand for, with their identifiers."""
    found = {}
    for tag, name in users.items():
        is_group = tag in ("FtpSubaccounts", "psaServer")
        sid = principals.find(f"@{name}" if is_group else name)
        found[tag] = template.Account(name, sid, "Unix Group" if is_group else "")
    return found


def with_template(
    document: Document,
    source: Document,
    users: Mapping[str, template.Account],
    folder: tuple[str, ...],
    name: str,
) -> Document:
    """An instance with the rules of one more template."""
    return template.add(document, template.instance_entries(source, users, "\\".join(folder), name))


def remove_instance(layout: Layout, account: Hosted) -> None:
    """Forget the rules of an account that is gone.

    Whoever passed through the domain's folders for its sake alone passes no more.
    """
    with running.locked(layout, lock_of(account.domain)):
        found = metadata(layout, account)
        found.path.unlink(missing_ok=True)
        found.forget()
        if key_of(layout, account.folder) == account.key:
            _place(layout, account.folder).unlink(missing_ok=True)
        if account.kind != "domain" and (layout.vhosts / account.domain).is_dir():
            apply_to(
                layout, policy(layout, account.domain), account.domain, How(start=account.folder[1:], way_only=True)
            )


# ---- applying them


def domains(layout: Layout) -> list[str]:
    """The folders of all domains that have rules."""
    try:
        names = sorted(path.name for path in layout.vhosts.iterdir())
    except FileNotFoundError:
        return []
    return [name for name in names if (layout.vhosts / name / INSTANCE).is_file()]


def instances(layout: Layout, domain: str) -> list[Instance]:
    """The instances of a domain, its web users and its subdomains.

    Raises: MetadataError when the domain has none.
    """
    root = layout.vhosts / domain

    def of(kind: Kind, *below: str) -> Instance:
        folder = (domain, *below)
        key = key_of(layout, folder)
        path = layout.vhosts.joinpath(*instance_path(kind, folder))
        return Instance(Metadata(path, records(layout, key or UNKNOWN)), kind, below)

    try:
        fd = os.open(root, FOLDER)
    except OSError:
        raise MetadataError(f"there is no hosting account in {root}") from None
    try:
        names = _names(fd)
        if INSTANCE not in names:
            raise MetadataError(f"{root} has no {INSTANCE}; make it with `innkeeper security hosting --instantiate`")
        found = [of("domain")]
        for name in names:
            if name.startswith(".Web.") and name.endswith(INSTANCE):
                found.append(of("webuser", WEB_USERS, name[len(".Web.") : -len(INSTANCE)]))
        try:
            below = os.open(SUBDOMAINS, FOLDER, dir_fd=fd)
        except OSError:
            return found
        try:
            for name in _names(below):
                if _has_instance(below, name):
                    found.append(of("subdomain", SUBDOMAINS, name))
        finally:
            os.close(below)
        return found
    finally:
        os.close(fd)


def _names(fd: int) -> list[str]:
    with os.scandir(fd) as entries:
        return sorted(entry.name for entry in entries)


def _has_instance(fd: int, name: str) -> bool:
    try:
        folder = os.open(name, FOLDER, dir_fd=fd)
    except OSError:
        return False
    try:
        return stat.S_ISREG(os.stat(INSTANCE, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False
    finally:
        os.close(folder)


def key_of(layout: Layout, folder: tuple[str, ...]) -> str | None:
    """The key of the account that has a folder, if its instance has a history."""
    try:
        return _place(layout, folder).readlink().name
    except OSError:
        return None


def _place(layout: Layout, folder: tuple[str, ...]) -> Path:
    """A link to the versions of the account that has a folder, so that finding them takes no search."""
    return layout.records / "history" / "folders" / quote("/".join(folder), safe="")


def _note_place(layout: Layout, account: Hosted, old: tuple[str, ...] | None) -> None:
    place = _place(layout, account.folder)
    if old and old != account.folder and key_of(layout, old) == account.key:
        _place(layout, old).unlink(missing_ok=True)
    if key_of(layout, account.folder) != account.key:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(records(layout, account.key))


def policy(layout: Layout, domain: str, instead: Mapping[Path, Document] | None = None) -> Policy:
    """The rules of a domain, its web users and its subdomains, compiled.

    ``instead`` holds what some instances would say, for a trial.

    Raises: MetadataError, RuleError.
    """
    root = layout.vhosts / domain
    places = Places(str(root), layout.names)
    rules: list[Rule] = []
    outside: list[Finding] = []
    own = instances(layout, domain)
    for instance in own:
        trial = (instead or {}).get(instance.metadata.path)
        read, findings = read_rules([trial or instance.metadata.document()])
        if findings:
            raise RuleError(findings)
        for rule in read:
            rules.append(replace(rule, number=len(rules)))
            outside += _leaves(rule, places, instance)
    files = [path for instance in own for path in (instance.metadata.path, _mark(root, instance))]
    compiled = Policy(rules, layout.principals(), places, untouched=map(str, files))
    compiled.findings += outside
    return compiled


def _mark(root: Path, instance: Instance) -> Path:
    """The file that says whose folder it is, which is root's as the instance is."""
    if instance.kind == "webuser":
        return root / WEB_USERS / f".{instance.folder[-1]}.account"
    return root.joinpath(*instance.folder, ".account")


def _leaves(rule: Rule, places: Places, instance: Instance) -> list[Finding]:
    """A rule of one account that is about what belongs to another one of the same domain."""
    try:
        parts = places.locate(rule)
    except RuleError:
        return []  # said by the policy itself
    if rule.path == "*" or parts[: len(instance.folder)] == instance.folder:
        return []
    message = f"/{'/'.join(parts)} is not in this account's folder, /{'/'.join(instance.folder)}"
    return [rule.finding("outside-root", message)]


def apply_to(layout: Layout, compiled: Policy, domain: str, how: How) -> Outcome:
    """Apply the rules of a domain at and below a folder of it, or plan it. The caller holds the domain's lock."""
    files = [one.metadata for one in instances(layout, domain) if one.metadata.records.name != UNKNOWN]
    how = replace(how, progress=running.noted(layout, lock_of(domain), how.progress))
    return running.run(layout, compiled, layout.vhosts / domain, files, how)


def lock_of(domain: str) -> str:
    """The name of the lock of a domain's rules."""
    return f"hosting-{domain}"


# ---- changing the rules of some accounts


@dataclass(frozen=True, slots=True)
class Target:
    """What a command is about: one domain, with or without its web users and subdomains, or a part of it."""

    domain: str
    start: tuple[str, ...] = ()


def target(layout: Layout, *, domain: str = "", subdomain: str = "", webuser: str = "") -> Target:
    """The account that a command names.

    Raises: MetadataError.
    """
    if webuser:
        domain, colon, name = webuser.partition(":")
        if not colon or not name:
            raise MetadataError(f"--webuser {webuser}: write DOMAIN:WEBUSER")
        found = Target(_name(domain), (WEB_USERS, _name(name)))
    elif subdomain:
        labels = _name(subdomain).split(".")
        for at in range(1, len(labels) - 1):
            below = (SUBDOMAINS, ".".join(labels[:at]))
            if layout.vhosts.joinpath(".".join(labels[at:]), *below).is_dir():
                return Target(".".join(labels[at:]), below)
        raise MetadataError(f"there is no subdomain {subdomain} in {layout.vhosts}")
    else:
        found = Target(_name(domain))
    if not layout.vhosts.joinpath(found.domain, *found.start).is_dir():
        raise MetadataError(f"there is no {'/'.join((found.domain, *found.start))} in {layout.vhosts}")
    return found


def _name(text: str) -> str:
    name = text.strip().rstrip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            raise MetadataError(f"{text!r} is not the name of a domain, subdomain or web user") from None
    if not name or "/" in name or "\0" in name or name.startswith("."):
        raise MetadataError(f"{text!r} is not the name of a domain, subdomain or web user")
    return name


def chosen(layout: Layout, where: Target) -> list[Instance]:
    """The instances of a target: those of a domain with all its parts, or the one of a part."""
    found = instances(layout, where.domain)
    return [one for one in found if not where.start or one.folder == where.start]


Change = Callable[[Instance, Document, dict[str, Any]], tuple[Document, list[str]]]


def change(layout: Layout, where: Target, edit: Change, who: str, why: str) -> list[Instance]:
    """Change the instances of a target; those that changed. The caller holds the domain's lock.

    Raises: MetadataError, RuleError.
    """
    changed = []
    for instance, document, known in changes(layout, where, edit):
        if instance.metadata.write(document.encoded(), who, why, known):
            changed.append(instance)
    return changed


def changes(layout: Layout, where: Target, edit: Change) -> list[tuple[Instance, Document, dict[str, Any]]]:
    """What the instances of a target would hold after a change, and what would be known of their accounts.

    ``edit`` gets an instance, its rules and what is known of its account, and gives the new rules and the names of
    the templates that are in them.

    Raises: MetadataError, RuleError.
    """
    found = []
    for instance in chosen(layout, where):
        last = instance.metadata.last()
        if last is None:
            raise MetadataError(
                f"{instance.metadata.path} has no history; adopt it with `innkeeper security hosting --instantiate`"
            )
        document, templates = edit(instance, instance.metadata.document(), last.account)
        found.append((instance, document, {**last.account, "templates": templates}))
    return found


def kind_of_template(name: str) -> Kind:
    """The kind of account that a template is for, by the beginning of its name."""
    if name.startswith("subdomain_"):
        return "subdomain"
    return "webuser" if name.startswith("webuser_") else "domain"


def adding(source: Document, name: str, principals: Principals, kinds: Iterable[str]) -> Change:
    """The change that adds a template's rules to accounts of some kinds."""

    def edit(instance: Instance, document: Document, known: dict[str, Any]) -> tuple[Document, list[str]]:
        templates = list(known["templates"])
        if instance.kind not in kinds:
            return document, templates
        users = identified(known["users"], principals)
        document = with_template(document, source, users, tuple(known["folder"]), name)
        return document, templates if name in templates else [*templates, name]

    return edit


def removing(name: str) -> Change:
    """The change that takes out exactly what a template brought."""

    def edit(instance: Instance, document: Document, known: dict[str, Any]) -> tuple[Document, list[str]]:
        del instance
        templates = [other for other in known["templates"] if other != name]
        return template.remove_template(document, name), templates

    return edit


def removing_account(name: str, principals: Principals) -> Change:
    """The change that takes out every rule of an account."""
    try:
        sid = principals.find(name)
    except UnknownAccountError:
        sid = None  # its rules may outlive it

    def edit(instance: Instance, document: Document, known: dict[str, Any]) -> tuple[Document, list[str]]:
        del instance
        return template.remove_account(document, name.removeprefix("@"), sid), list(known["templates"])

    return edit
