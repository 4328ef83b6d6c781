"""The arguments of all commands: those of the engine alone, and those for the policies of one server.

Only the parser stands here, so that help and wrong usage are answered at once; ``commands`` does the work.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from innkeeper.permissions.nt.rights import ASKABLE
from innkeeper.permissions.server import arguments

RUNS = Path("/var/lib/innkeeper/security/runs")


UTILITIES = ("applysecurity", "hostingsecurity", "packagemng", "component-paths")


def main(argv: Sequence[str], accounts: Any = None) -> int:
    """Run one command and return its exit code: 0 in order, 1 differences or warnings found, 2 error.

    ``accounts`` asks an instance for its hosting accounts.
    """
    is_utility = bool(argv) and argv[0] in UTILITIES
    program = "innkeeper security"
    if is_utility:
        program = "innkeeper" if argv[0] == "component-paths" else "innkeeper bin"
    parser = _Parser(prog=program, description="Permissions by rule.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    if is_utility:
        arguments.add_utilities(commands, _common)
    else:
        add_commands(commands)
    parsed = parser.parse_args(argv)
    parsed.accounts = accounts
    return run(parsed)


class _Parser(argparse.ArgumentParser):
    """Takes no abbreviations: a word that is not quite an option must do nothing."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)


def run(parsed: argparse.Namespace) -> int:
    """Run a parsed command and return its exit code."""
    from innkeeper.permissions import commands

    return commands.run(parsed)


def add_commands(commands: Any) -> None:
    """Add the commands to a parser's sub-commands; the product's own command line does the same."""
    one = commands.add_parser("lint", help="check metadata files")
    one.add_argument("files", nargs="+", type=Path, metavar="FILE")
    _common(one, "lint")

    one = commands.add_parser("apply", help="apply rules to the tree below a folder")
    _rule_arguments(one)
    one.add_argument("--store", choices=("posix", "nt", "export"), default="posix", help="where permissions are kept")
    one.add_argument("--output", type=Path, metavar="FILE", help="with --store export: the file for icacls /restore")
    one.add_argument("--plan", action="store_true", help="say what would change and write nothing")
    one.add_argument("--jobs", type=positive, default=1, metavar="N", help="number of processes")
    one.add_argument("--journal", type=Path, default=RUNS, metavar="DIR", help=f"folder of the runs ({RUNS})")
    one.add_argument("--no-journal", action="store_true", help="keep no record; the run cannot be undone")
    _common(one, "apply")

    one = commands.add_parser("explain", help="say which rule gave or refused a right")
    one.add_argument("path", type=Path, metavar="PATH")
    _rule_arguments(one, must=False)
    arguments.add_state(one)
    one.add_argument("--account", action="append", default=[], metavar="A", help="ask about this user or @group only")
    one.add_argument("--right", action="append", choices=ASKABLE, default=[], help="ask about this right only")
    one.add_argument("--below", action="store_true", help="list everything below PATH on which --account has --right")
    _common(one, "explain")

    one = commands.add_parser("undo", help="put everything back to what it was before a run")
    one.add_argument("run_name", metavar="RUN", help="name of the run, or last")
    one.add_argument("--journal", type=Path, metavar="DIR", help=f"folder of the runs (the instance's, else {RUNS})")
    arguments.add_state(one)
    one.add_argument("--force", action="store_true", help="also what was changed again since then")
    one.add_argument("--plan", action="store_true", help="say how much would change and write nothing")
    _common(one, "undo")
    arguments.add_commands(commands, _common)


def _common(parser: argparse.ArgumentParser, action: str) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.set_defaults(security=action)


def _rule_arguments(parser: argparse.ArgumentParser, *, must: bool = True) -> None:
    otherwise = "" if must else "; without any, those of the instance"
    parser.add_argument(
        "--rules",
        action="append",
        required=must,
        default=[],
        type=Path,
        metavar="FILE",
        help=f"metadata file, or folder of *.xml files{otherwise}",
    )
    parser.add_argument("--root", required=must, metavar="DIR", help="the folder that / means and that is never left")
    parser.add_argument(
        "--token", action="append", default=[], type=_pair, metavar="NAME=PATH",
        help="folder of a bracket name or variable; without any, each of them means DIR",
    )  # fmt: skip
    parser.add_argument(
        "--fence",
        action="append",
        default=[],
        metavar="DIR",
        help="a folder below the root whose content is left alone",
    )
    parser.add_argument(
        "--alias",
        action="append",
        default=[],
        type=_pair,
        metavar="NAME=ACCOUNT",
        help="what an account's name means here",
    )
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        type=_pair,
        metavar="TAG=ACCOUNT",
        help="whom Null with this tag stands for",
    )


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (sign and name and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name.strip("[]%"), value


def positive(text: str) -> int:
    """A number of processes."""
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("a number from 1 to 64 is wanted")
    return int(text)
