"""The files of a site: who may see them, and how hostd's refusals read."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from innkeeper.core.actor import Actor
from innkeeper.core.errors import AlreadyExists, Failed, InvalidValue, LimitReached, NotAllowed, NotFound, Refused
from innkeeper.hostd.client import HostdError
from innkeeper.hostd.file_client import Entry, FileRefusedError, Files, Page, Trashed
from innkeeper.hostd.file_requests import HostingOf
from innkeeper.hosting.filenames import Path
from innkeeper.hosting.models import FileWork, Site
from innkeeper.hosting.placement import hosting_accounts
from innkeeper.hosting.queries import find_site, visible_sites, visible_webspaces
from innkeeper.jobs.services import services

__all__ = ["Entry", "HostedFolder", "Page", "Path", "SiteFiles", "Trashed", "answered", "files_of", "hosted_folders"]

PAGE = 100
MAX_TEXT_BYTES = 1024 * 1024
"""Of a text that is changed on a page."""

WORKS = 50
WAITED_S = 1.5
LOOK_EVERY_S = 0.05
_waiting = threading.BoundedSemaphore(4)
"""Of a server's threads, those that wait for work at most: the others are for everybody."""

MAX_WEBSPACES = 200
NO_FILES = "This site has no files: it has no web hosting, or its folder is still being made."

REFUSALS: dict[str, tuple[type[Refused], str]] = {
    "missing": (NotFound, "It is not there any more. Somebody may have renamed or removed it."),
    "exists": (AlreadyExists, "Something of this name is there already. Use another name, or remove that first."),
    "link": (InvalidValue, "This is a link, and links are not followed here."),
    "denied": (NotAllowed, "The site's own account may not do this here."),
    "full": (LimitReached, "There is no room left for it."),
    "name": (InvalidValue, "This cannot go there: a folder does not go into itself, and names have their limits."),
    "elsewhere": (InvalidValue, "This lies on another disk and cannot be moved."),
    "no-file": (InvalidValue, "This is no file that could be read."),
    "incomplete": (InvalidValue, "The file came incompletely. Upload it again."),
    "too-large": (LimitReached, "This is more than is done at once: 10 GB in 200,000 files. Select less."),
    "no-archive": (InvalidValue, "This is no zip or tar.gz file."),
    "bad-archive": (
        InvalidValue,
        "This archive is damaged, or of an unknown kind. Nothing was unpacked.",
    ),
    "encrypted": (InvalidValue, "This archive is encrypted. Unpack it where its password is known."),
    "stopped": (Failed, "It was stopped. Nothing of it stays."),
    "too-deep": (LimitReached, "Its folders are too deep. Remove some of them by FTP or a shell."),
    "time": (LimitReached, "This took too long and was given up. Select less."),
    "busy": (Failed, "The server is busy with other files. Try again in a moment."),
    "no-account": (NotFound, NO_FILES),
    "root": (NotAllowed, "This is the root of the site's files. Its rights cannot be changed here."),
    "kept": (NotAllowed, "This folder is part of every site: services rely on its rights, so they stay as they are."),
    "rules": (NotAllowed, "This file holds the rules themselves. It stays as it is."),
    "of-root": (NotAllowed, "This belongs to the server, not to the site. Its rights cannot be changed here."),
    "unseen": (NotAllowed, "Its path has letters that cannot be seen, which no rule can hold. Rename it first."),
    "account": (InvalidValue, "Choose one of the accounts that are listed."),
    "self": (
        InvalidValue,
        "The site's own account could not reach it any more, and nobody could take this back here. Leave it"
        " reading and executing.",
    ),
    "no-rules": (NotFound, "This site has no rules yet: its folder is still being made."),
    "rules-broken": (Failed, "The site's rules cannot be read: {detail}. Ask the administrator to correct them."),
    "not-applied": (Failed, "The rule was taken back, because it could not be applied: {detail}"),
    "changed-since": (
        NotAllowed,
        "Only the last change of a site's rules can be undone, and others came after this one. Open the permissions of"
        " what it was about and take its own rule back there.",
    ),
    "no-run": (NotFound, "What was changed then is not on record any more. Take the own rule back instead."),
    "failed": (Failed, "The server could not do this. Its log says why."),
}


@dataclass(frozen=True, slots=True)
class SiteFiles:
    """A site in somebody's scope, and the way to its files."""

    site: Site
    files: Files


@dataclass(frozen=True, slots=True)
class HostedFolder:
    """Where the files of a domain, a subdomain or a web user begin: a folder of the files of a site."""

    name: str
    kind: str
    site_id: int
    path: Path


def hosted_folders(actor: Actor, search: str = "") -> tuple[list[HostedFolder], bool]:
    """Where files in scope begin, by name; and whether there are more webspaces than are looked at."""
    webspaces = visible_webspaces(actor)
    if search:
        webspaces = webspaces.filter(pk__in=visible_sites(actor).filter(name__icontains=search).values("webspace"))
    ids = list(webspaces.order_by("site__ascii_name").values_list("pk", flat=True)[: MAX_WEBSPACES + 1])
    specs = hosting_accounts(ids[:MAX_WEBSPACES])
    names = dict(Site.objects.filter(pk__in={spec.site for spec in specs}).values_list("pk", "name"))
    found = []
    for spec in specs:
        domain = names[spec.site]
        name = {"domain": domain, "subdomain": f"{spec.name}.{domain}"}.get(spec.kind, f"{spec.name}@{domain}")
        found.append(HostedFolder(name, spec.kind, spec.site, spec.folder[1:]))
    return found, len(ids) > MAX_WEBSPACES


def files_of(actor: Actor, site_id: int) -> SiteFiles:
    """The files of a site in scope. Raises NotFound, of a foreign site as of one that never was."""
    site = find_site(actor, id=site_id)
    if site.webspace_id is None:
        raise NotFound(NO_FILES)
    try:
        client = services()
    except RuntimeError as error:
        raise Failed("There is no server to ask about files here.") from error
    return SiteFiles(site, Files(client, HostingOf(site.webspace_id, site.ascii_name)))


@contextmanager
def answered() -> Iterator[None]:
    """Turn what hostd says, or does not say, into refusals that every door knows."""
    try:
        yield
    except FileRefusedError as refusal:
        raise refusal_of(refusal.code, refusal.limit) from refusal
    except (OSError, HostdError) as error:
        raise Failed("The server did not answer. Look whether it was done before you try again.") from error


def refusal_of(code: str, detail: str = "") -> Refused:
    """The refusal of a code."""
    kind, message = REFUSALS.get(code, REFUSALS["failed"])
    return kind(message.replace("{detail}", detail))


def rights_of(files: SiteFiles, path: Path, about: str = "") -> dict[str, Any]:
    """Who may do what with an object, by which rules; and in particular what one account may."""
    with answered():
        return files.files.rights(path, about)


def folder(files: SiteFiles, path: Path, *, order: str = "name", descending: bool = False, start: int = 0) -> Page:
    """A page of a folder."""
    with answered():
        return files.files.page(path, order, descending=descending, start=start, count=PAGE)


def look(files: SiteFiles, path: Path) -> Entry:
    """One object."""
    with answered():
        return files.files.look(path)


def is_there(files: SiteFiles, path: Path) -> bool:
    """Whether a name is in use."""
    try:
        look(files, path)
    except NotFound:
        return False
    return True


def trashed(files: SiteFiles, start: int = 0) -> tuple[list[Trashed], int]:
    """A page of the trash, the latest first, and how many objects there are."""
    with answered():
        return files.files.trashed(start, count=PAGE)


def works(files: SiteFiles, *, news: bool = False) -> list[FileWork]:
    """The latest work on a site's files, the newest first; with `news` what goes on and what nobody has seen end."""
    found = FileWork.objects.filter(site=files.site)
    if news:
        found = found.filter(is_told=False)
    return list(found.order_by("-pk")[:WORKS])


def found_work(files: SiteFiles, work_id: int) -> FileWork:
    """Work on a site's files. Raises NotFound."""
    try:
        return FileWork.objects.get(site=files.site, pk=work_id)
    except (FileWork.DoesNotExist, OverflowError):
        raise NotFound("There is no such work on this site's files.") from None


def waited_for(work: FileWork, seconds: float = WAITED_S) -> FileWork:
    """Wait a little for the end of work that is mostly short."""
    if not _waiting.acquire(blocking=False):
        return work
    try:
        until = time.monotonic() + seconds
        while work.ended_at is None and time.monotonic() < until:
            time.sleep(LOOK_EVERY_S)
            work.refresh_from_db()
    finally:
        _waiting.release()
    return work


def opened(files: SiteFiles, path: Path) -> tuple[Entry, IO[bytes]]:
    """A file, opened for reading as the account."""
    with answered():
        return files.files.download(path)
