"""`subdomain`: subdomains with their web hosting."""

from __future__ import annotations

from typing import Any

from innkeeper.doors.cli.commands import objects
from innkeeper.doors.cli.parser import Command, Namespace, Parser, run_group

DESCRIPTION = "Subdomains with web hosting, by full name or id. `site` has them, too."


def _new(parser: Parser) -> None:
    parser.add_argument("name", metavar="LABEL", help="what stands before the domain, such as shop")
    parser.add_argument("--domain", required=True, metavar="NAME", help="name or id of the domain that it lies in")
    parser.add_argument("--login", metavar="LOGIN", help="a system user of its own (default: the domain's)")
    objects.password(parser)
    objects.plan(parser)


def _create(options: Namespace) -> int:
    arguments = {"name": options.name, "domain": options.domain}
    if options.login:
        arguments |= {"login": options.login, "password": objects.needed_password(options)}
    return objects.change(options, "subdomain.create", arguments, "created {name} (id {id})")


def _list(options: Namespace) -> int:
    def shown(row: dict[str, Any]) -> str:
        return f"{row['name']:<40} {objects.shown_status(row['status']):<10} {row['domain']}"

    return objects.show_rows(options, "subdomain.list", {"domain": options.domain}, "subdomains", shown)


def _named(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="full name or id of the subdomain")


def _removed(parser: Parser) -> None:
    _named(parser)
    objects.plan(parser)


COMMANDS = {
    "create": Command("Create a subdomain with web hosting.", _new, _create),
    "list": Command(
        "List the subdomains of a domain, or all.",
        lambda parser: parser.add_argument("--domain", metavar="NAME", help="name or id of a domain"),
        _list,
    ),
    "info": Command(
        "Show a subdomain.", _named, lambda options: objects.show(options, "subdomain.info", {"name": options.name})
    ),
    "remove": Command(
        "Remove a subdomain; files and mail are kept for some days.",
        _removed,
        lambda options: objects.change(options, "subdomain.remove", {"name": options.name}, "removed {name}"),
    ),
}


def main(words: list[str]) -> int:
    """Run `innkeeper subdomain WORDS`."""
    return run_group("subdomain", DESCRIPTION, COMMANDS, words)
