"""Addresses of the panel's static files."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage


@cache
def _digest(name: str) -> str:
    found = finders.find(name)
    if not isinstance(found, str):
        raise ValueError(f"There is no static file {name!r}.")
    return hashlib.sha256(Path(found).read_bytes()).hexdigest()[:12]


class DigestStorage(StaticFilesStorage):
    """Names each file with a digest of its content, so that browsers keep it for a year and never an old one."""

    def url(self, name: str | None, force: bool = False) -> str:
        address = str(super().url(name))
        return f"{address}?v={_digest(name)}" if name and "#" not in name else address
