"""The copy of the program that the service users can read, in `STATE/program`.

A clone may stand where only root can look. The copy belongs to root; a version is named by the hash of its files, so
that running processes keep theirs while a new one is laid beside it.
"""

from __future__ import annotations

import compileall
import hashlib
import json
import shutil
from pathlib import Path

import innkeeper
from innkeeper.instance.config import Instance, InstanceError, write_file

SOURCE = Path(innkeeper.__file__).resolve().parent
MIGRATIONS = "migrations.json"
READY = "ready"
KEPT_VERSIONS = 2


def _files(source: Path) -> list[Path]:
    return sorted(p for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def version(source: Path = SOURCE) -> str:
    """The hash that names this version of the program."""
    digest = hashlib.sha256()
    for path in _files(source):
        digest.update(f"{path.relative_to(source)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def lay(instance: Instance) -> Path:
    """Copy this program into the state folder if it is not there, and make it the current one."""
    folder = instance.program.parent
    home = folder / version()
    if not home.exists():
        new = folder / f"{home.name}.new"
        shutil.rmtree(new, ignore_errors=True)
        for path in _files(SOURCE):
            target = new / "innkeeper" / path.relative_to(SOURCE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        compileall.compile_dir(new, quiet=2, stripdir=str(new), prependdir=str(home))
        for path in [new, *new.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        new.rename(home)
    if not instance.program.is_symlink() or instance.program.readlink() != Path(home.name):
        link = folder / "current.new"
        link.unlink(missing_ok=True)
        link.symlink_to(home.name)
        link.rename(instance.program)
    return home


def forget_old(instance: Instance) -> None:
    """Remove versions that nothing runs any more, all but the last ones."""
    versions = [p for p in instance.program.parent.iterdir() if p.is_dir() and not p.is_symlink()]
    versions.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    current = instance.program.readlink().name
    for path in versions[KEPT_VERSIONS:]:
        if path.name != current:
            shutil.rmtree(path)


def migrations(source: Path = SOURCE) -> list[str]:
    """The names of all migrations that this program knows."""
    return sorted(f"{p.parts[-3]}.{p.stem}" for p in source.glob("*/migrations/[0-9]*.py"))


def refuse_newer(instance: Instance) -> None:
    """Raises InstanceError if a newer program has already changed this folder's database."""
    path = instance.program.parent / MIGRATIONS
    if path.exists():
        unknown = sorted(set(json.loads(path.read_text())) - set(migrations()))
        if unknown:
            raise InstanceError(
                f"{instance.state} was last used by a newer version of Innkeeper (it knows {unknown[0]})."
                " Run that version; nothing was changed."
            )


def record(instance: Instance) -> None:
    """Note that the database has been made ready by this version."""
    write_file(instance.program.parent / MIGRATIONS, json.dumps(migrations()) + "\n", mode=0o644)
    write_file(instance.program.parent / READY, version() + "\n", mode=0o644)


def was_ever_recorded(instance: Instance) -> bool:
    """Whether any version has made the database ready from this folder."""
    return (instance.program.parent / READY).exists()


def is_recorded(instance: Instance) -> bool:
    """Whether the database has been made ready by this version already."""
    path = instance.program.parent / READY
    return path.exists() and path.read_text().strip() == version()
