"""State folders with short paths: sockets lie below them, and a socket's path is bounded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ik-") as folder:
        yield Path(folder)
