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
    _disk(one, must=True)
    common(one, "disk")
    one = commands.add_parser("hosting", help="the rules of hosting accounts: make, change, check, plan or apply them")
    _hosting(one)
    common(one, "hosting")

    one = commands.add_parser("drift", help="what was set by hand since, with the way back")
    one.add_argument("path", nargs="?", type=Path, metavar="PATH", help="only at and below this folder or file")
    act = one.add_mutually_exclusive_group()
    act.add_argument("--restore", action="store_true", help="give everything at and below PATH what the rules say")
    act.add_argument("--adopt", action="store_true", help="write what PATH itself has now into a rule")
    add_state(one)
    common(one, "drift")

    one = commands.add_parser("history", help="the versions of a metadata file: who, when, why, and what changed")
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("--disk", nargs="?", const="DiskSecurity.xml", metavar="NAME", help="a file of the disk policy")
    which.add_argument("--template", metavar="NAME", help="a template")
    which.add_argument("--domain", metavar="D", help="a domain's instance")
    which.add_argument("--subdomain", metavar="S", help="a subdomain's instance")
    which.add_argument("--webuser", metavar="D:U", help="a web user's instance")
    act = one.add_mutually_exclusive_group()
    act.add_argument(
        "--diff", nargs="+", type=int, metavar="N", help="what changed from version N to another, or to now"
    )
    act.add_argument("--show", type=int, metavar="N", help="what stood in version N")
    act.add_argument("--restore", type=int, metavar="N", help="put version N back; apply it afterwards")
    add_state(one)
    common(one, "history")

    one = commands.add_parser("export", help="write rules to a file for another domain or server")
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("--disk", action="store_true", help="the rules of the disk policy that are not the shipped ones")
    which.add_argument("--template", metavar="NAME", help="a template")
    which.add_argument("--domain", metavar="D", help="the rules of a domain, for any other")
    one.add_argument("file", type=Path, metavar="FILE")
    add_state(one)
    common(one, "export")

    one = commands.add_parser("import", help="take rules from a file in")
    one.add_argument("file", type=Path, metavar="FILE")
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("--disk", action="store_true", help="as a file of the disk policy")
    which.add_argument("--domain", metavar="D", help="into the instance of a domain")
    which.add_argument("--all", action="store_true", help="into the instances of all domains")
    one.add_argument("--plan", action="store_true", help="say what would change and write nothing")
    add_state(one)
    common(one, "import")


def add_utilities(commands: Any, common: Callable[[argparse.ArgumentParser, str], None]) -> None:
    """Add the commands that have names of their own elsewhere."""
    one = commands.add_parser("applysecurity", help="apply the disk policy, or check or plan it")
    _disk(one, must=False)
    common(one, "disk")
    one = commands.add_parser(
        "hostingsecurity", help="make, change, check, plan or apply the rules of hosting accounts"
    )
    _hosting(one)
    common(one, "hosting")
    for name in ("packagemng", "component-paths"):
        one = commands.add_parser(name, help="list the folders that bracket names stand for")
        add_state(one)
        common(one, "component-paths")


def _disk(one: argparse.ArgumentParser, *, must: bool) -> None:
    act = one.add_mutually_exclusive_group(required=must)
    act.add_argument("--check", action="store_true", help="say whether anything differs from the rules")
    act.add_argument("--plan", action="store_true", help="say what would change, object by object")
    act.add_argument("--apply", action="store_true", help="apply the rules" + ("" if must else " (if nothing is said)"))
    one.add_argument("--path", type=Path, metavar="P", help="only at and below this folder or file")
    _jobs(one)
    add_state(one)


def _hosting(one: argparse.ArgumentParser) -> None:
    act = one.add_mutually_exclusive_group(required=True)
    act.add_argument("--check", action="store_true", help="say whether anything differs from the rules")
    act.add_argument("--plan", action="store_true", help="say what would change, object by object")
    act.add_argument("--apply", action="store_true", help="apply the rules")
    act.add_argument("--instantiate", action="store_true", help="make missing instances from the templates, and apply")
    act.add_argument(
        "--add-template",
        type=Path,
        metavar="FILE",
        help="add a template's rules to domains (or, named so, to subdomain_ or webuser_ accounts), and apply",
    )
    act.add_argument("--remove-template", type=Path, metavar="FILE", help="take exactly these rules out, and apply")
    act.add_argument("--remove-account", metavar="A", help="take every rule of a user or @group out, and apply")
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("--domain", metavar="D", help="a domain with its web users and subdomains")
    which.add_argument("--subdomain", metavar="S", help="a subdomain, by its whole name")
    which.add_argument("--webuser", metavar="D:U", help="a web user of a domain")
    which.add_argument("--all", action="store_true", help="every hosting account")
    _jobs(one)
    add_state(one)


def add_state(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the instance."""
    default = Path(os.environ.get("INNKEEPER_STATE", "var"))
    parser.add_argument(
        "--state", type=Path, default=default, metavar="DIR", help="state folder of the instance (default: ./var)"
    )


def _jobs(parser: argparse.ArgumentParser) -> None:
    from innkeeper.permissions.cli import positive

    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="number of processes")
