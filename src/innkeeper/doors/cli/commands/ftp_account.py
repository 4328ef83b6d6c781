"""`ftp-account`: additional FTP accounts by name or id."""

from __future__ import annotations

from typing import Any

from innkeeper.doors.cli.commands import objects
from innkeeper.doors.cli.parser import Command, Namespace, Parser, run_group, value
from innkeeper.doors.cli.values import shown_size, size, switch

DESCRIPTION = "Additional FTP accounts of webspaces, each with a system user of its own."


def _new(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--webspace", required=True, metavar="NAME", help="name or id of the webspace")
    parser.add_argument("--home", metavar="FOLDER", help="its folder below the webspace's root (default: the root)")
    parser.add_argument("--quota", action=value(size), metavar="SIZE", help="disk quota such as 500MB, or unlimited")
    parser.add_argument("--read", action=value(switch), metavar="BOOL", help="may read (default: true)")
    parser.add_argument("--write", action=value(switch), metavar="BOOL", help="may write (default: true)")
    objects.password(parser)
    objects.plan(parser)


def _create(options: Namespace) -> int:
    arguments = {name: getattr(options, name) for name in ("name", "webspace", "home", "quota", "read", "write")}
    arguments["password"] = objects.needed_password(options)
    return objects.change(options, "ftp-account.create", arguments, "created {name} (id {id})")


def _list(options: Namespace) -> int:
    def shown(row: dict[str, Any]) -> str:
        return f"{row['name']:<32} {shown_size(row['quota']):>10} {row['webspace']} {row['home']}"

    return objects.show_rows(options, "ftp-account.list", {"webspace": options.webspace}, "ftp-accounts", shown)


def _named(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="name or id of the account")


def _removed(parser: Parser) -> None:
    _named(parser)
    objects.plan(parser)


COMMANDS = {
    "create": Command("Create an additional FTP account of a webspace with web hosting.", _new, _create),
    "list": Command(
        "List the FTP accounts of a webspace, or all.",
        lambda parser: parser.add_argument("--webspace", metavar="NAME", help="name or id of a webspace"),
        _list,
    ),
    "info": Command(
        "Show an FTP account.",
        _named,
        lambda options: objects.show(options, "ftp-account.info", {"name": options.name}),
    ),
    "remove": Command(
        "Remove an FTP account; what lies in its folder stays.",
        _removed,
        lambda options: objects.change(options, "ftp-account.remove", {"name": options.name}, "removed {name}"),
    ),
}


def main(words: list[str]) -> int:
    """Run `innkeeper ftp-account WORDS`."""
    return run_group("ftp-account", DESCRIPTION, COMMANDS, words)
