"""`webspace`: webspaces (subscriptions) by name or id."""

from __future__ import annotations

from typing import Any

from innkeeper.doors.cli import secrets
from innkeeper.doors.cli.commands import objects
from innkeeper.doors.cli.parser import Command, Namespace, Parser, run_group
from innkeeper.doors.cli.values import shown_size

DESCRIPTION = (
    "Webspaces (subscriptions), by name or id. A webspace comes with its main site, which has its name and id."
)


def _new(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--owner", metavar="LOGIN", help="the customer that it belongs to (default: the administrator)")
    parser.add_argument("--login", metavar="LOGIN", help="system user of its web hosting (default: no hosting)")
    parser.add_argument("--password-stdin", action="store_true", help="read that user's password from standard input")
    objects.plan(parser)


def _create(options: Namespace) -> int:
    arguments = {"name": options.name, "owner": options.owner, "login": options.login}
    if options.login:
        arguments["password"] = secrets.given(stdin=options.password_stdin)
    return objects.change(options, "webspace.create", arguments, "created {name} (id {id})")


def _list(options: Namespace) -> int:
    def shown(row: dict[str, Any]) -> str:
        used = shown_size(row["used_bytes"])
        return f"{row['name']:<40} {objects.shown_status(row['status']):<10} {used:>10} {row['owner']}"

    return objects.show_rows(options, "webspace.list", {}, "webspaces", shown)


COMMANDS = {
    "create": Command("Create a webspace with its main site.", _new, _create),
    "list": Command("List webspaces.", lambda parser: None, _list),
    **objects.life("webspace", "name", " with its sites"),
}


def main(words: list[str]) -> int:
    """Run `innkeeper webspace WORDS`."""
    return run_group("webspace", DESCRIPTION, COMMANDS, words)
