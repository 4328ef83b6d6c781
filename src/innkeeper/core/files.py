"""The file store: contents by their SHA-256, below `settings.INNKEEPER_FILES`.

A content is written before the row that refers to it, so a rolled back operation may leave one without a row. The
sweep deletes those, but only after a day: until then the operation may still be under way. Storing a content that is
there already renews its time for the same reason.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from django.conf import settings


def digest(content: bytes) -> str:
    """The name of a content."""
    return hashlib.sha256(content).hexdigest()


def path(sha256: str) -> Path:
    """Where a content lies."""
    return Path(settings.INNKEEPER_FILES) / sha256[:2] / sha256


def put(content: bytes) -> str:
    """Store a content and return its name. It is on disk when this returns."""
    name = digest(content)
    target = path(name)
    try:
        os.utime(target)
    except FileNotFoundError:
        _write(target, content)
    return name


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o640)  # the program that sends automatic replies reads it by its group
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def get(sha256: str) -> bytes:
    """A stored content. Raises FileNotFoundError."""
    return path(sha256).read_bytes()
