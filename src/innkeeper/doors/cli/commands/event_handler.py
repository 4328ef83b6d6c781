"""`event-handler`: commands and webhooks that run when something happened, and what became of each."""

from __future__ import annotations

import sys
from typing import Any

from innkeeper.doors.cli import output
from innkeeper.doors.cli.client import ask
from innkeeper.doors.cli.commands import objects
from innkeeper.doors.cli.parser import Command, Namespace, Parser, run_group, value

DESCRIPTION = """\
Handlers of control-panel events. A command is `"<full path>" [<parameter> ...]` with parameters of its event, such as
<new_login_name>; `event-handler events EVENT` lists them. A time is 2027-01-31T18:00 (UTC) or how long ago: 30m, 7d."""

_LIMITS = {"timeout": "timeout_s", "memory": "memory_mb", "output": "output_kb", "open-files": "open_files"}
_SETTINGS = ("event", "priority", "user", "command", "url", "allow_private", "pass_secrets", "enabled")


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("a whole number") from None


_number = value(_integer)


def _settings(parser: Parser) -> None:
    parser.add_argument("--event", metavar="EVENT")
    parser.add_argument("--priority", action=_number, metavar="N", help="the higher runs first (default: 50)")
    parser.add_argument(
        "--user", metavar="USER", help="the system user that the command runs as (default: one that owns nothing)"
    )
    parser.add_argument("--command", metavar="COMMAND", help="full path and parameters")
    parser.add_argument("--webhook", dest="url", metavar="URL", help="https address that is sent the event instead")
    for name, yes, no in (
        ("pass-secrets", "pass passwords, in the environment or the document", "pass none"),
        ("allow-private", "let a webhook reach private addresses", "do not"),
    ):
        field = name.replace("-", "_")
        parser.add_argument(f"--{name}", dest=field, action="store_true", default=None, help=yes)
        parser.add_argument(f"--no-{name}", dest=field, action="store_false", default=None, help=no)
    parser.add_argument("--timeout", dest="timeout_s", action=_number, metavar="S", help="seconds (default: 300)")
    parser.add_argument("--memory", dest="memory_mb", action=_number, metavar="MB", help="(default: 512)")
    parser.add_argument("--output", dest="output_kb", action=_number, metavar="KB", help="output kept (default: 64)")
    parser.add_argument("--open-files", action=_number, metavar="N", help="(default: 256)")
    objects.plan(parser)


def _given(options: Namespace) -> dict[str, Any]:
    names = (*_SETTINGS, *_LIMITS.values())
    return {name: found for name in names if (found := getattr(options, name, None)) is not None}


def _new(parser: Parser) -> None:
    _settings(parser)
    parser.add_argument("--disabled", dest="enabled", action="store_false", default=None, help="create it switched off")


def _create(options: Namespace) -> int:
    return _save(options, "event-handler.create", _given(options))


def _change(parser: Parser) -> None:
    _named(parser)
    _settings(parser)
    parser.add_argument("--new-secret", action="store_true", help="sign with a new secret from now on (webhook)")


def _update(options: Namespace) -> int:
    arguments = {"id": options.id} | _given(options) | ({"new_secret": True} if options.new_secret else {})
    return _save(options, "event-handler.update", arguments)


def _save(options: Namespace, command: str, arguments: dict[str, Any]) -> int:
    result = ask(options.state, {"command": command, "arguments": arguments, "plan": options.plan})
    if options.plan:
        output.plan(result, as_object=options.json)
    elif options.json:
        output.as_json(result)
    else:
        output.line(str(result["id"]))
        if result["secret"]:
            output.line(f"signing secret, shown this once: {result['secret']}")
    if not options.plan:
        warn(result["warnings"])
    return 0


def warn(warnings: list[str]) -> None:
    """Say on standard error what was saved and may not be meant."""
    for warning in warnings:
        sys.stderr.write(f"innkeeper: warning: {output.printable(warning)}\n")


def _named(parser: Parser) -> None:
    parser.add_argument("id", action=_number, metavar="ID", help="id of the handler")


def _several(parser: Parser) -> None:
    parser.add_argument("ids", action=_number, nargs="+", metavar="ID", help="ids of handlers")
    objects.plan(parser)


def _each(options: Namespace, command: str, arguments: dict[str, Any], done: str) -> int:
    """A change of several handlers: those that are there are changed, and each that is not is named."""
    arguments |= {"ids": options.ids}
    result = ask(options.state, {"command": command, "arguments": arguments, "plan": options.plan})
    if options.plan:
        output.plan(result, as_object=options.json)
        return 0
    if options.json:
        output.as_json(result)
    else:
        for id in result["ids"]:
            output.line(f"{done} {id}")
    for error in result["errors"]:
        output.failure(error["message"], error["exit"], None, as_object=False)
    return int(result["errors"][0]["exit"]) if result["errors"] else 0


def _one(parser: Parser) -> None:
    _named(parser)
    objects.plan(parser)


def _list(options: Namespace) -> int:
    def shown(row: dict[str, Any]) -> str:
        what = row["command"] or row["url"]
        return (
            f"{row['id']:>5} {_state(row):<7} {row['priority']:>5} {row['event']:<28} {row['user'] or '-':<16} {what}"
        )

    return objects.show_rows(options, "event-handler.list", {}, "handlers", shown)


def _state(row: dict[str, Any]) -> str:
    return "paused" if row["paused_at"] else "on" if row["enabled"] else "off"


def _show(options: Namespace) -> int:
    result = ask(options.state, {"command": "event-handler.show", "arguments": {"id": options.id}})
    if options.json:
        output.as_json(result)
        return 0
    for name, found in result.items():
        if found not in (None, ""):
            output.line(f"{name + ':':<15} {str(found).lower() if isinstance(found, bool) else found}")
    return 0


def _log(parser: Parser) -> None:
    parser.add_argument("--handler", action=_number, metavar="ID")
    parser.add_argument("--event", metavar="EVENT")
    parser.add_argument("--since", metavar="TIME")
    parser.add_argument("--status", metavar="STATE", help="waiting, running, retry, done, dead or cancelled")
    parser.add_argument("--after", action=_number, metavar="ID", help="go on behind this delivery")
    parser.add_argument("--limit", action=_number, metavar="N", help="so many of the latest (default: 100)")


def _deliveries(options: Namespace) -> int:
    def shown(row: dict[str, Any]) -> str:
        mark = " test" if row["test"] else f" replay {row['replay']}" if row["replay"] else ""
        return (
            f"{row['id']:>8} {row['created_at']} {row['state']:<9} handler {row['handler']} {row['event']}"
            f" {row['object_type']} {row['object_id']}, attempts: {row['attempts']}{mark}"
        )

    names = ("handler", "event", "since", "status", "after", "limit")
    arguments = {name: found for name in names if (found := getattr(options, name)) is not None}
    return objects.show_rows(options, "event-handler.deliveries", arguments, "deliveries", shown)


def _delivery(options: Namespace) -> int:
    result = ask(options.state, {"command": "event-handler.delivery", "arguments": {"id": options.id}})
    if options.json:
        output.as_json(result)
        return 0
    for name, found in result.items():
        if name != "tries" and found is not None:
            output.line(f"{name + ':':<13} {str(found).lower() if isinstance(found, bool) else found}")
    for each in result["tries"]:
        output.lines(f"\nattempt {each['number']} at {each['started_at']}: {_ended(each)}")
        for stream in ("stdout", "stderr"):
            if each[stream]:
                output.line(f"--- {stream}")
                output.lines(each[stream].rstrip("\n"))
    return 0


def _ended(attempt: dict[str, Any]) -> str:
    parts = [
        text
        for text, found in (
            (f"exit status {attempt['exit_status']}", attempt["exit_status"]),
            (f"signal {attempt['signal']}", attempt["signal"]),
            (f"HTTP status {attempt['http_status']}", attempt["http_status"]),
            (f"after {attempt['duration_ms']} ms", attempt["duration_ms"]),
        )
        if found is not None
    ]
    return ", ".join([*parts, *([attempt["error"]] if attempt["error"] else [])]) or "running"


def _again(parser: Parser) -> None:
    parser.add_argument("--delivery", action=_number, metavar="ID", help="the event of this delivery")
    parser.add_argument("--handler", action=_number, metavar="ID", help="the handler that is given events again")
    parser.add_argument("--since", metavar="TIME", help="all events of the handler's kind from then on")
    parser.add_argument("--until", metavar="TIME", help="(default: now)")
    objects.plan(parser)


def _replay(options: Namespace) -> int:
    names = ("delivery", "handler", "since", "until")
    arguments = {name: found for name in names if (found := getattr(options, name)) is not None}
    return objects.change(options, "event-handler.replay", arguments, "events again for handler {handler}: {count}")


def _events(options: Namespace) -> int:
    if options.event is None:

        def shown(row: dict[str, Any]) -> str:
            mark = "" if row["raised"] else " (not raised yet)"
            return f"{row['event']:<29} {row['group']}: {row['description']}{mark}"

        return objects.show_rows(options, "event-handler.events", {}, "events", shown)
    result = ask(options.state, {"command": "event-handler.events", "arguments": {"event": options.event}})
    if options.json:
        output.as_json(result)
        return 0
    mark = "" if result["raised"] else " (not raised yet)"
    output.line(f"{result['event']}: {result['description']}{mark}")
    for each in result["parameters"]:
        marks = "".join([", always given" * each["required"], ", secret: never in a command" * each["secret"]])
        output.line(f"  <old_{each['name']}> <new_{each['name']}>  {each['label']}{marks}")
    return 0


def _users(options: Namespace) -> int:
    return objects.show_rows(options, "event-handler.users", {}, "users", lambda row: str(row["user"]))


def _kept(parser: Parser) -> None:
    parser.add_argument("days", nargs="?", metavar="DAYS", help="keep events and deliveries for so long")
    objects.plan(parser)


COMMANDS = {
    "create": Command("Attach a command or a webhook to an event; prints its id.", _new, _create),
    "update": Command("Change what is given of a handler.", _change, _update),
    "list": Command("List handlers, those of an event in the order in which they run.", lambda parser: None, _list),
    "show": Command("Show a handler.", _named, _show),
    "remove": Command(
        "Remove handlers with their delivery logs.",
        _several,
        lambda options: _each(options, "event-handler.remove", {}, "removed"),
    ),
    "enable": Command(
        "Switch handlers on.",
        _several,
        lambda options: _each(options, "event-handler.switch", {"enabled": True}, "enabled"),
    ),
    "disable": Command(
        "Switch handlers off: they are given no event.",
        _several,
        lambda options: _each(options, "event-handler.switch", {"enabled": False}, "disabled"),
    ),
    "resume": Command(
        "Let a handler go on that was paused because it kept failing.",
        _one,
        lambda options: objects.change(options, "event-handler.resume", {"id": options.id}, "resumed {id}"),
    ),
    "test": Command(
        "Give a handler the last real event, or sample values.",
        _one,
        lambda options: objects.change(options, "event-handler.test", {"id": options.id}, "delivery {delivery}"),
    ),
    "deliveries": Command("List deliveries, the latest first.", _log, _deliveries),
    "delivery": Command(
        "Show a delivery with its attempts and their output.",
        lambda parser: parser.add_argument("id", action=_number, metavar="ID", help="id of the delivery"),
        _delivery,
    ),
    "replay": Command("Give events of the past to a handler again.", _again, _replay),
    "events": Command(
        "List the events, or the parameters of one.",
        lambda parser: parser.add_argument("event", nargs="?", metavar="EVENT"),
        _events,
    ),
    "users": Command("List the system users that a command may run as.", lambda parser: None, _users),
    "retention": Command(
        "Show or set for how long events and deliveries are kept.",
        _kept,
        lambda options: objects.change(
            options,
            "event-handler.retention",
            {} if options.days is None else {"days": options.days},
            "events are kept for {days} days",
        ),
    ),
}


def main(words: list[str]) -> int:
    """Run `innkeeper event-handler WORDS`."""
    return run_group("event-handler", DESCRIPTION, COMMANDS, words)
