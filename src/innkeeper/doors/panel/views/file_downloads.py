"""Files of a site as they are, and several in one: never shown as a page."""

from __future__ import annotations

import io
from typing import IO

from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from innkeeper.doors.panel.views.file_places import object_in
from innkeeper.doors.panel.visitor import PanelRequest, for_owners
from innkeeper.hosting.filenames import Path
from innkeeper.hosting.files import SiteFiles
from innkeeper.hosting.operations import files as operations


class _Promised(io.RawIOBase):
    """A file of which no more is read than was promised, should it grow meanwhile."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        super().__init__()
        self._file = file
        self._left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        part = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(part)
        return part

    def close(self) -> None:
        self._file.close()
        super().close()


@require_safe
@for_owners
def download(request: PanelRequest, number: int) -> HttpResponseBase:
    """A file."""
    files, path = object_in(request, number)
    entry, file = operations.read_file(request.actor, files, path)
    return _sent(entry.name, entry.size, file)


def packed(request: PanelRequest, files: SiteFiles, path: Path, names: list[str]) -> HttpResponseBase:
    """What is selected in a folder: one file as it is, everything else in an archive."""
    kind = request.POST.get("kind", "zip")
    return _sent(*operations.read_packed(request.actor, files, path, names, kind))


def _sent(name: str, size: int, file: IO[bytes]) -> HttpResponseBase:
    name = "".join(letter if letter.isprintable() else "_" for letter in name)
    response = FileResponse(
        _Promised(file, size), as_attachment=True, filename=name, content_type="application/octet-stream"
    )
    response["Content-Length"] = str(size)
    return response
