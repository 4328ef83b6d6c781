"""The arguments of the commands for one server's policies. Only the parser; ``commands`` does the work."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def add_commands(commands: Any, common: Callable[[argparse.ArgumentParser, str], None]) -> None:
    """Add the commands to a parser's sub-commands."""
    one = commands.add_parser("disk", help="the disk policy: check, plan or apply it")
    act = one.add_mutually_exclusive_group(required=True)
    act.add_argument("--check", action="store_true", help="say whether anything differs from the rules")
    act.add_argument("--plan", action="store_true", help="say what would change, object by object")
    act.add_argument("--apply", action="store_true", help="apply the rules")
    one.add_argument("--path", type=Path, metavar="P", help="only at and below this folder or file")
    _jobs(one)
    _state(one)
    common(one, "disk")


def _state(parser: argparse.ArgumentParser) -> None:
    default = Path(os.environ.get("INNKEEPER_STATE", "var"))
    parser.add_argument(
        "--state", type=Path, default=default, metavar="DIR", help="state folder of the instance (default: ./var)"
    )


def _jobs(parser: argparse.ArgumentParser) -> None:
    from innkeeper.permissions.cli import positive

    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="number of processes")
