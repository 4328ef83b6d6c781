"""Places in the files of a site, as pages, forms and addresses name them."""

from __future__ import annotations

import pwd
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.http import Http404
from django.urls import reverse
from django.utils.http import urlencode

from innkeeper.core.errors import NotFound, Refused
from innkeeper.doors.panel.visitor import PanelRequest
from innkeeper.hosting import files as queries
from innkeeper.hosting.filenames import Path, path_of, path_text, shown
from innkeeper.hosting.files import MAX_TEXT_BYTES, Entry, SiteFiles

ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar")
TEXTS = (
    ".cfg", ".cgi", ".conf", ".css", ".csv", ".env", ".htm", ".html", ".inc", ".ini", ".js", ".json", ".less", ".log",
    ".md", ".php", ".phtml", ".pl", ".po", ".py", ".rb", ".rst", ".scss", ".sh", ".sql", ".svg", ".tpl", ".ts", ".twig",
    ".txt", ".xml", ".yaml", ".yml",
)  # fmt: skip
TEXT_NAMES = frozenset({".htaccess", ".htpasswd", ".user.ini", "readme", "license", "makefile"})
"""Files that are mostly text. Whether one is, is seen when it is opened."""


@dataclass(frozen=True, slots=True)
class Row:
    """One object as the page shows it. `text` and `path` name it in forms and addresses."""

    text: str
    path: str
    kind: str
    size: int
    modified: datetime
    owner: str
    mode: str
    target: str
    may_edit: bool
    may_unpack: bool


@dataclass(frozen=True, slots=True)
class Crumb:
    """A folder on the way."""

    text: str
    path: str


def site_files(request: PanelRequest, number: int) -> SiteFiles:
    """A site's files. What is missing and what is somebody else's is the same 404."""
    try:
        return queries.files_of(request.actor, number)
    except NotFound:
        raise Http404 from None


def path_in(values: Any, name: str = "path") -> Path:
    """The path that a form or an address names."""
    try:
        return path_of(values.get(name, ""))
    except Refused:
        raise Http404 from None


def object_in(request: PanelRequest, number: int) -> tuple[SiteFiles, Path]:
    """A site's files, and the object that a page is about."""
    files = site_files(request, number)
    path = path_in(request.POST if request.method == "POST" else request.GET)
    if not path:
        raise Http404
    return files, path


def place_of(files: SiteFiles, path: Path) -> dict[str, Any]:
    """Where an object is, for a page about it."""
    return {
        "section": "files",
        "site": files.site,
        "path": path_text(path),
        "title": shown(path[-1]) if path else files.site.name,
        "crumbs": crumbs_of(path[:-1]),
        "back": folder_address(files, path[:-1]),
    }


def folder_address(files: SiteFiles, path: Path, **more: Any) -> str:
    """The address of a folder's page."""
    values = ({"path": path_text(path)} if path else {}) | more
    return reverse("panel:files", args=[files.site.pk]) + ("?" + urlencode(values) if values else "")


@lru_cache(maxsize=4096)
def account_name(uid: int) -> str:
    """The name of a system account."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def row_of(entry: Entry, folder: Path) -> Row:
    """An object of a folder for the page."""
    modified = datetime.fromtimestamp(min(max(entry.modified, 0), 253402300799), UTC)
    text = shown(entry.name)
    kinds = {"folder": stat.S_IFDIR, "link": stat.S_IFLNK, "file": stat.S_IFREG}
    mode = stat.filemode(entry.mode | kinds.get(entry.kind, 0))
    path = path_text((*folder, entry.name))
    lower = entry.name.lower()
    is_text = lower.endswith(TEXTS) or lower in TEXT_NAMES
    return Row(
        text=text,
        path=path,
        kind=entry.kind,
        size=entry.size,
        modified=modified,
        owner=account_name(entry.uid),
        mode=mode,
        target=shown(entry.target),
        may_edit=entry.kind == "file" and is_text and entry.size <= MAX_TEXT_BYTES,
        may_unpack=entry.kind == "file" and lower.endswith(ARCHIVES),
    )


def crumbs_of(path: Path) -> list[Crumb]:
    """The folders above a path, the top first."""
    return [Crumb(shown(path[depth - 1]), path_text(path[:depth])) for depth in range(1, len(path) + 1)]


def start_in(request: PanelRequest) -> int:
    """The number of the first object that a page shows."""
    start = request.GET.get("start", "0")
    return int(start) if start.isascii() and start.isdigit() and len(start) < 9 else 0
