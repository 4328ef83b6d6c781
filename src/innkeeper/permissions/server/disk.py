"""The disk policy: the shipped file and any number of own ones, for everything but the hosted content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from innkeeper.permissions import policies
from innkeeper.permissions.places import Places
from innkeeper.permissions.policy import Policy
from innkeeper.permissions.rules.document import Document
from innkeeper.permissions.rules.entry import read_rules
from innkeeper.permissions.rules.finding import RuleError
from innkeeper.permissions.server.history import Metadata, MetadataError
from innkeeper.permissions.server.layout import Layout

SHIPPED = "DiskSecurity.xml"


def install(layout: Layout) -> list[str]:
    """Lay the shipped files where the server's rules are; the names of those that were new or changed.

    An upgrade replaces them, and what an administrator had changed in one stays in its history. Own files are
    never touched.
    """
    layout.disk_folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    written = []
    for source in sorted(policies.FOLDER.glob("*.xml")):
        metadata = disk_file(layout, SHIPPED) if source.name == SHIPPED else template(layout, source.name)
        with metadata.locked():
            if metadata.write(source.read_bytes(), "innkeeper", "shipped with this version"):
                written.append(source.name)
    return written


def disk_file(layout: Layout, name: str) -> Metadata:
    """One file of the disk policy."""
    return Metadata(layout.disk_folder / name, layout.records / "history" / "disk" / name)


def template(layout: Layout, name: str) -> Metadata:
    """One template of hosting accounts."""
    return Metadata(layout.etc / name, layout.records / "history" / "templates" / name)


def files(layout: Layout) -> list[Metadata]:
    """All files of the disk policy, the shipped one first.

    Raises: MetadataError when there is none.
    """
    folder = layout.disk_folder
    names = sorted(path.name for path in folder.glob("*.xml")) if folder.is_dir() else []
    if not names:
        raise MetadataError(f"there is no *.xml file in {folder}; `innkeeper up` lays the shipped one there")
    names.sort(key=lambda name: name != SHIPPED)
    return [disk_file(layout, name) for name in names]


def policy(layout: Layout, instead: Mapping[Path, Document] | None = None) -> Policy:
    """The rules of all files, compiled. They are about everything but what lies in the folder of all hosting.

    ``instead`` holds what files would say, there or not, for a trial.

    Raises: MetadataError, RuleError.
    """
    trial = instead or {}
    known = files(layout)
    documents = [trial.get(metadata.path) or metadata.document() for metadata in known]
    documents += [trial[path] for path in trial.keys() - {metadata.path for metadata in known}]
    rules, findings = read_rules(documents)
    if findings:
        raise RuleError(findings)
    return Policy(
        rules,
        layout.principals(),
        Places(str(layout.root), layout.names),
        fences=[str(layout.vhosts)],
        untouched=own_files(layout),
    )


def own_files(layout: Layout) -> list[str]:
    """What no rule may give to anybody: the rules themselves, their history and the journals."""
    templates = (str(path) for path in layout.etc.glob("*_template.xml"))
    return [str(layout.disk_folder), str(layout.records), *templates]


def parts_of(layout: Layout, path: Path) -> tuple[str, ...]:
    """The place of a path below the root of the disk policy.

    Raises: MetadataError when it lies elsewhere, or where other rules govern.
    """
    below = Places(str(layout.root)).below_root(str(path))
    if below is None:
        raise MetadataError(f"{path} does not lie below {layout.root}, where the disk policy applies")
    if path != layout.vhosts and path.is_relative_to(layout.vhosts):
        raise MetadataError(f"{path} is hosted content; its rules are applied by `innkeeper security hosting`")
    return below
