"""`customer`: customers by login or id."""

from __future__ import annotations

from typing import Any

from innkeeper.doors.cli import secrets
from innkeeper.doors.cli.commands import objects
from innkeeper.doors.cli.parser import Command, Namespace, Parser, UsageError, run_group

DESCRIPTION = """\
Customers, by login or id. The password comes from standard input (--password-stdin) or from INNKEEPER_PASSWORD."""

CONTACT = {"name": "contact_name", "company": "company_name", "email": "email", "phone": "phone", "country": "country"}


def _new(parser: Parser) -> None:
    parser.add_argument("login", metavar="LOGIN")
    parser.add_argument("--name", required=True, help="name of the contact person")
    for option in CONTACT:
        if option != "name":
            parser.add_argument(f"--{option}")
    parser.add_argument("--owner", metavar="LOGIN", help="the reseller that it belongs to (default: the administrator)")
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    objects.plan(parser)


def _create(options: Namespace) -> int:
    arguments = {"login": options.login, "owner": options.owner}
    arguments |= {field: getattr(options, option) for option, field in CONTACT.items()}
    arguments["password"] = secrets.given(stdin=options.password_stdin)
    if arguments["password"] is None:
        raise UsageError(
            f"A password is needed: from standard input with --password-stdin, or in {secrets.ENVIRONMENT}."
        )
    return objects.change(options, "customer.create", arguments, "created {login} (id {id})")


def _list(options: Namespace) -> int:
    def shown(row: dict[str, Any]) -> str:
        return f"{row['login']:<32} {objects.shown_status(row['status']):<10} {row['name']}".rstrip()

    return objects.show_rows(options, "customer.list", {}, "customers", shown)


COMMANDS = {
    "create": Command("Create a customer.", _new, _create),
    "list": Command("List customers.", lambda parser: None, _list),
    **objects.life("customer", "login", " with everything that belongs to it"),
}


def main(words: list[str]) -> int:
    """Run `innkeeper customer WORDS`."""
    return run_group("customer", DESCRIPTION, COMMANDS, words)
