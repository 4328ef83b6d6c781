"""The commands for metadata files themselves: history, export and import."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from innkeeper.permissions import printing
from innkeeper.permissions.printing import as_json, err, out
from innkeeper.permissions.rules.document import Document, decode
from innkeeper.permissions.rules.finding import RuleError
from innkeeper.permissions.rules.lint import lint
from innkeeper.permissions.server import carry, disk, hosting, running
from innkeeper.permissions.server.commands import layout_of, who
from innkeeper.permissions.server.history import Metadata, MetadataError, replace
from innkeeper.permissions.server.hosting import Target
from innkeeper.permissions.server.layout import Layout


def _history(arguments: argparse.Namespace) -> int:
    layout = layout_of(arguments)
    found = _metadata(arguments, layout)
    if arguments.restore is not None:
        with running.locked(layout, found.lock, err):
            content = found.metadata.content(arguments.restore)
            Document(decode(content, str(found.metadata.path)), str(found.metadata.path))
            changed = found.metadata.write(content, who(), f"version {arguments.restore} put back")
        text = f"{found.metadata.path} holds version {arguments.restore} again; apply it with: {found.apply}"
        if arguments.json:
            as_json({"file": str(found.metadata.path), "restored": arguments.restore, "changed": changed})
        else:
            out(text if changed else f"{found.metadata.path} holds version {arguments.restore} already")
        return printing.IN_ORDER
    if arguments.show is not None:
        text = found.metadata.content(arguments.show).decode("utf-8", "backslashreplace")
        if arguments.json:
            as_json({"file": str(found.metadata.path), "version": arguments.show, "text": text})
        else:
            out(text.rstrip("\n"))
        return printing.IN_ORDER
    if arguments.diff:
        if len(arguments.diff) > 2:
            raise MetadataError("--diff takes one version or two")
        new = arguments.diff[1] if len(arguments.diff) == 2 else None
        difference = found.metadata.difference(arguments.diff[0], new)
        if arguments.json:
            as_json({"file": str(found.metadata.path), "diff": difference})
        elif difference:
            out(difference)
        return printing.DIFFERENCES if difference else printing.IN_ORDER
    versions = found.metadata.versions()
    edited = found.metadata.is_edited()
    if arguments.json:
        rows = [version.as_dict() for version in versions]
        as_json({"file": str(found.metadata.path), "versions": rows, "edited": edited})
    else:
        for version in versions:
            out(f"{version.number:>4}  {version.time}  {version.who}: {version.why}")
        if edited:
            out("   -  now                        changed by hand since; the next run or change makes it a version")
    return printing.IN_ORDER


@dataclass(frozen=True, slots=True)
class _Found:
    """A metadata file, the lock of its changes, and the command that applies it."""

    metadata: Metadata
    lock: str
    apply: str


def _metadata(arguments: argparse.Namespace, layout: Layout) -> _Found:
    if arguments.disk or arguments.template:
        name = arguments.disk or arguments.template
        name = name if name.endswith(".xml") else f"{name}.xml"
        if "/" in name or name.startswith("."):
            raise MetadataError(f"{name!r} is not the name of a metadata file")
        if arguments.disk:
            found = _Found(disk.disk_file(layout, name), "disk", "innkeeper security disk --apply")
        else:
            found = _Found(disk.template(layout, name), "templates", "innkeeper security hosting --add-template")
        if not found.metadata.records.is_dir() and found.metadata.read() is None:
            raise MetadataError(f"there is no {found.metadata.path}, and there has never been one")
        return found
    where = hosting.target(
        layout, domain=arguments.domain or "", subdomain=arguments.subdomain or "", webuser=arguments.webuser or ""
    )
    own = [one for one in hosting.instances(layout, where.domain) if one.folder == where.start]
    if not own:
        raise MetadataError(f"{'/'.join((where.domain, *where.start))} has no instance")
    return _Found(
        own[0].metadata, hosting.lock_of(where.domain), f"innkeeper security hosting --apply --domain {where.domain}"
    )


def _export(arguments: argparse.Namespace) -> int:
    layout = layout_of(arguments)
    if arguments.disk:
        document = carry.of_disk(layout)
    elif arguments.template:
        document = carry.of_template(layout, arguments.template)
    else:
        document = carry.of_domain(layout, hosting.target(layout, domain=arguments.domain).domain)
    replace(arguments.file.absolute(), document.encoded())
    if arguments.json:
        as_json({"file": str(arguments.file), "rules": len(document.entries)})
    else:
        out(f"{len(document.entries)} rules written to {arguments.file}")
    return printing.IN_ORDER


def _import(arguments: argparse.Namespace) -> int:
    layout = layout_of(arguments)
    source = Document.load(arguments.file)
    if errors := [finding for finding in lint(source) if finding.severity == "error"]:
        raise RuleError(errors)
    source, findings = carry.resolved(source, layout.principals())
    for finding in findings:
        err(finding)
    name = arguments.file.name if arguments.file.suffix == ".xml" else f"{arguments.file.name}.xml"
    if name.startswith(".") or name == disk.SHIPPED or name in hosting.SETTINGS:
        raise MetadataError(f"{name} is a name of the product's own files; give the file another one")
    if arguments.disk:
        with running.locked(layout, "disk", err):
            rows = _into_disk(layout, source, name, dry=arguments.plan)
        command = "innkeeper security disk --apply"
    else:
        targets = (
            [Target(domain) for domain in hosting.domains(layout)]
            if arguments.all
            else [hosting.target(layout, domain=arguments.domain)]
        )
        rows = []
        for where in targets:
            with running.locked(layout, hosting.lock_of(where.domain), err):
                rows += _into_domain(layout, where, source, name, dry=arguments.plan)
        command = f"innkeeper security hosting --apply {'--all' if arguments.all else f'--domain {arguments.domain}'}"
    if arguments.json:
        as_json({"files": rows, "findings": [finding.as_dict() for finding in findings]})
    else:
        for row in rows:
            out(row["diff"] or f"{row['file']} has all of these rules already")
        if not arguments.plan and any(row["diff"] for row in rows):
            out(f"apply them with: {command}")
    return printing.DIFFERENCES if findings or (arguments.plan and any(row["diff"] for row in rows)) else 0


def _into_disk(layout: Layout, source: Document, name: str, *, dry: bool) -> list[dict[str, Any]]:
    metadata = disk.disk_file(layout, name)
    before = metadata.read() or b""
    compiled = disk.policy(layout, {metadata.path: Document(source.text, str(metadata.path))})
    if fatal := [finding for finding in compiled.stops if finding.file == str(metadata.path)]:
        raise RuleError(fatal)
    if not dry:
        metadata.write(source.encoded(), who(), f"imported from {name}")
    return [_row(metadata.path, before, source.encoded())]


def _into_domain(layout: Layout, where: Target, source: Document, name: str, *, dry: bool) -> list[dict[str, Any]]:
    edit = carry.into_account(source, name, layout.principals())
    rows = []
    for instance, document, known in hosting.changes(layout, where, edit):
        if instance.kind != "domain":
            continue
        before = instance.metadata.read() or b""
        compiled = hosting.policy(layout, where.domain, {instance.metadata.path: document})
        if fatal := compiled.stops:
            raise RuleError(fatal)
        if not dry:
            instance.metadata.write(document.encoded(), who(), f"imported from {name}", known)
        rows.append(_row(instance.metadata.path, before, document.encoded()))
    return rows


def _row(path: Path, before: bytes, after: bytes) -> dict[str, Any]:
    old, new = (data.decode("utf-8", "backslashreplace").splitlines() for data in (before, after))
    diff = "\n".join(difflib.unified_diff(old, new, str(path), "with the imported rules", lineterm=""))
    return {"file": str(path), "diff": diff}


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "history": _history,
    "export": _export,
    "import": _import,
}
