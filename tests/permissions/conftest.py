"""A tree outside of pytest's own folder, which is closed to other users."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tree() -> Iterator[Path]:
    """An empty folder that everybody can reach."""
    yield from _folder(None)


@pytest.fixture
def memory_tree() -> Iterator[Path]:
    """The same in memory, for many files."""
    yield from _folder("/dev/shm" if Path("/dev/shm").is_dir() else None)


def _folder(where: str | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="permissions-", dir=where))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
