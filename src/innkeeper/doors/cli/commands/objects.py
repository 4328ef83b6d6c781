"""What the commands of customers, webspaces and sites have in common: create, suspend, activate, remove, list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from innkeeper.doors.cli import output, secrets
from innkeeper.doors.cli.client import ask
from innkeeper.doors.cli.parser import Command, Namespace, Parser, UsageError

ACTIVE, WEB_ONLY = 0, 8
"""Values of a status; every other is a suspension."""


def plan(parser: Parser) -> None:
    """The option that changes nothing."""
    parser.add_argument("--plan", action="store_true", help="say what would change, and change nothing")


def change(options: Namespace, command: str, arguments: dict[str, Any], done: str) -> int:
    """Run a change and say that it is done; `done` may hold keys of the result."""
    result = ask(options.state, {"command": command, "arguments": arguments, "plan": options.plan})
    if options.plan:
        output.plan(result, as_object=options.json)
    elif options.json:
        output.as_json(result)
    else:
        output.line(done.format(**result))
    return 0


def show_rows(options: Namespace, command: str, arguments: dict[str, Any], name: str, shown: Any) -> int:
    """Print the rows of an answer as they come."""
    rows = output.Rows(name, shown, as_object=options.json)
    ask(options.state, {"command": command, "arguments": arguments}, on_rows=rows.take)
    rows.end()
    return 0


def show(options: Namespace, command: str, arguments: dict[str, Any]) -> int:
    """Print one object."""
    result = ask(options.state, {"command": command, "arguments": arguments})
    if options.json:
        output.as_json(result)
    else:
        output.fields(result)
    return 0


def restored(options: Namespace, kind: str, key: str) -> int:
    """Bring files of a removed account back, and say from when they are."""
    arguments = {key: getattr(options, key)} | ({"grave": options.grave} if options.grave else {})
    result = ask(options.state, {"command": f"{kind}.restore", "arguments": arguments, "plan": options.plan})
    if options.plan:
        output.plan(result, as_object=options.json)
    elif options.json:
        output.as_json(result)
    else:
        removed_at = result["removed_at"]
        output.line(f"the files of {result[key]} that were removed at {removed_at} come back; what was there is kept")
        for tree in result["along"]:
            output.line(f"with them those of {tree['folder']}")
        for tree in result["waiting"]:
            output.line(
                f"not those of {tree['folder']}, which has no account now: make it, restore --from {tree['grave']}"
            )
    return 0


def restoring(key: str, what: str) -> Callable[[Parser], None]:
    """The arguments of that."""

    def arguments(parser: Parser) -> None:
        parser.add_argument(key, metavar=key.upper(), help=f"{what} that has its place now")
        parser.add_argument(
            "--from", dest="grave", metavar="GRAVE", help="which, as `site removed` lists them (default: the newest)"
        )
        plan(parser)

    return arguments


def password(parser: Parser) -> None:
    """The option of a password; else it comes from the environment."""
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")


def needed_password(options: Namespace) -> str:
    """The password of this command. Raises UsageError where none is given."""
    found = secrets.given(stdin=options.password_stdin)
    if found is None:
        raise UsageError(
            f"A password is needed: from standard input with --password-stdin, or in {secrets.ENVIRONMENT}."
        )
    return found


def shown_status(value: int) -> str:
    """A status for people."""
    return {ACTIVE: "active", WEB_ONLY: "web off"}.get(value, "suspended")


def life(kind: str, key: str, what: str) -> dict[str, Command]:
    """The commands that are alike for each kind of object; `key` is what it is called by."""

    def named(parser: Parser) -> None:
        one(parser)
        plan(parser)

    def switch(suspended: bool) -> Callable[[Namespace], int]:
        def run(options: Namespace) -> int:
            arguments = {key: getattr(options, key), "suspended": suspended}
            done = "suspended" if suspended else "activated"
            return change(options, f"{kind}.status", arguments, f"{done} {{{key}}}")

        return run

    def remove(options: Namespace) -> int:
        return change(options, f"{kind}.remove", {key: getattr(options, key)}, f"removed {{{key}}}")

    def one(parser: Parser) -> None:
        parser.add_argument(key, metavar=key.upper(), help=f"{key} or id of the {kind}")

    return {
        "info": Command(
            f"Show a {kind}.", one, lambda options: show(options, f"{kind}.info", {key: getattr(options, key)})
        ),
        "suspend": Command(f"Suspend a {kind}{what}.", named, switch(True)),
        "activate": Command(f"Activate a suspended {kind} again.", named, switch(False)),
        "remove": Command(f"Remove a {kind}{what}; mail is kept for some days.", named, remove),
    }
