"""`component-paths`: the folders that names in rules stand for."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def main(words: list[str]) -> int:
    """Run `innkeeper component-paths WORDS`."""
    hand_over(["component-paths", *words])


def hand_over(words: list[str]) -> NoReturn:
    """Become the program that knows rules; this one starts without the libraries that it needs."""
    sys.stdout.flush()
    os.execv(  # noqa: S606  there is nothing for a shell to do
        sys.executable, [sys.executable, "-P", "-m", "innkeeper.doors.cli.security", *words]
    )
