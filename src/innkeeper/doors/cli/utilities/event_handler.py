"""`bin event_handler`."""

from __future__ import annotations

from typing import Any

from innkeeper.doors.cli import output
from innkeeper.doors.cli.client import CommandFailed, ask
from innkeeper.doors.cli.commands.event_handler import warn
from innkeeper.doors.cli.parser import UsageError
from innkeeper.doors.cli.utilities.syntax import Line, Option, Utility, Verb


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("a whole number") from None


def _id(line: Line) -> int:
    try:
        return int(line.objects[0])
    except ValueError:
        raise UsageError(f"{line.objects[0]}: not the id of a handler. `--list` shows the ids.") from None


def _save(line: Line, command: str, arguments: dict[str, Any], done: str) -> int:
    result = ask(line.state, {"command": command, "arguments": arguments, "plan": line.plan})
    if line.plan:
        output.plan(result, as_object=line.json)
        return 0
    if line.json:
        output.as_json(result)
    else:
        output.line(f"SUCCESS: {done} of event handler '{result['id']}' complete")
    warn(result["warnings"])
    return 0


def create(line: Line) -> int:
    """`--create -command C -priority N -user U -event E`"""
    line.required("command", "event")
    return _save(line, "event-handler.create", dict(line.options), "Creation")


def update(line: Line) -> int:
    """`--update ID`"""
    line.something()
    return _save(line, "event-handler.update", {"id": _id(line)} | line.options, "Update")


def remove(line: Line) -> int:
    """`--remove ID`"""
    line.no_options()
    request = {"command": "event-handler.remove", "arguments": {"ids": [_id(line)]}, "plan": line.plan}
    result = ask(line.state, request)
    if line.plan:
        output.plan(result, as_object=line.json)
        return 0
    for error in result["errors"]:
        raise CommandFailed(error["message"], error["exit"])
    if line.json:
        output.as_json(result)
    else:
        output.line(f"SUCCESS: Removal of event handler '{line.objects[0]}' complete")
    return 0


def listing(line: Line) -> int:
    """`--list`"""
    line.no_options()

    def shown(row: dict[str, Any]) -> str:
        fields = {
            "Id": row["id"],
            "Event": row["event"],
            "Priority": row["priority"],
            "User": row["user"],
            "Command": row["command"] or row["url"],
            "Enabled": "true" if row["enabled"] else "false",
        }
        return "  ".join(f"{name}: {found}" for name, found in fields.items())

    rows = output.Rows("handlers", shown, as_object=line.json)
    ask(line.state, {"command": "event-handler.list", "arguments": {}}, on_rows=rows.take)
    rows.end()
    return 0


def list_events(line: Line) -> int:
    """`--list-events`"""
    line.no_options()
    rows = output.Rows("events", lambda row: f"{row['event']:<29} {row['description']}", as_object=line.json)
    ask(line.state, {"command": "event-handler.events", "arguments": {}}, on_rows=rows.take)
    rows.end()
    return 0


def list_users(line: Line) -> int:
    """`--list-users`"""
    return line.rows("event-handler.users", {}, "users", "user")


UTILITIES = {
    "event_handler": Utility(
        "event_handler",
        {
            "create": Verb("c", (), "create a handler; -command and -event are needed", create),
            "update": Verb("u", ("ID",), "change it", update),
            "remove": Verb("r", ("ID",), "remove it", remove),
            "list": Verb("l", (), "list all handlers with their settings", listing),
            "list-events": Verb("le", (), "list the events", list_events),
            "list-users": Verb("lu", (), "list the users that a command may run as", list_users),
        },
        {
            "command": Option(str, "full path of a program, and its parameters such as <new_login_name>"),
            "priority": Option(_integer, "a whole number, the higher runs first; 50 if none is given"),
            "user": Option(str, "the system user that it runs as"),
            "event": Option(str, "the event, as --list-events shows them"),
        },
    )
}
