"""`webuser`: web users by login or id."""

from __future__ import annotations

from typing import Any

from innkeeper.doors.cli import secrets
from innkeeper.doors.cli.commands import objects
from innkeeper.doors.cli.parser import Command, Namespace, Parser, run_group, value
from innkeeper.doors.cli.values import shown_size, size, switch

DESCRIPTION = "Web users: people with a home page below a domain, and a system user of their own."


def _new(parser: Parser) -> None:
    parser.add_argument("login", metavar="LOGIN")
    parser.add_argument("--domain", required=True, metavar="NAME", help="name or id of the domain")
    parser.add_argument("--quota", action=value(size), metavar="SIZE", help="disk quota such as 500MB, or unlimited")
    parser.add_argument(
        "--write-modify", action=value(switch), metavar="BOOL", help="additional write and modify permissions"
    )
    objects.password(parser)
    objects.plan(parser)


def _create(options: Namespace) -> int:
    arguments: dict[str, Any] = {
        "login": options.login,
        "domain": options.domain,
        "quota": options.quota,
        "password": secrets.given(stdin=options.password_stdin),
    }
    if options.write_modify is not None:
        arguments["services"] = {"write_modify": "true" if options.write_modify else "false"}
    return objects.change(options, "webuser.create", arguments, "created {login} (id {id})")


def _list(options: Namespace) -> int:
    def shown(row: dict[str, Any]) -> str:
        return f"{row['login']:<32} {shown_size(row['quota']):>10} {row['domain']}"

    return objects.show_rows(options, "webuser.list", {"domain": options.domain}, "webusers", shown)


def _named(parser: Parser) -> None:
    parser.add_argument("login", metavar="LOGIN", help="login or id of the web user")


def _removed(parser: Parser) -> None:
    _named(parser)
    objects.plan(parser)


COMMANDS = {
    "create": Command("Create a web user of a domain with web hosting.", _new, _create),
    "list": Command(
        "List the web users of a domain, or all.",
        lambda parser: parser.add_argument("--domain", metavar="NAME", help="name or id of a domain"),
        _list,
    ),
    "info": Command(
        "Show a web user.", _named, lambda options: objects.show(options, "webuser.info", {"login": options.login})
    ),
    "restore": Command(
        "Bring the files of a removed web user back.",
        objects.restoring("login", "login or id of the web user"),
        lambda options: objects.restored(options, "webuser", "login"),
    ),
    "remove": Command(
        "Remove a web user; his files are kept for some days.",
        _removed,
        lambda options: objects.change(options, "webuser.remove", {"login": options.login}, "removed {login}"),
    ),
}


def main(words: list[str]) -> int:
    """Run `innkeeper webuser WORDS`."""
    return run_group("webuser", DESCRIPTION, COMMANDS, words)
