"""`bin autoresponder`: the automatic reply of a mail account."""

from __future__ import annotations

import os
from typing import Any

from innkeeper.doors.cli import output
from innkeeper.doors.cli.client import ask
from innkeeper.doors.cli.parser import UsageError
from innkeeper.doors.cli.utilities.mail import read_file
from innkeeper.doors.cli.utilities.syntax import Line, Option, Utility, Verb
from innkeeper.doors.cli.values import listed, one_of, switch

SETTINGS = {
    "status": "enabled",
    "subject": "subject",
    "text": "text",
    "format": "content_type",
    "charset": "charset",
    "redirect": "forward",
    "end-date": "end_date",
}

OPTIONS = {
    "mail": Option(str, "address of the account; needed always"),
    "status": Option(switch, "true|false: answer, or not"),
    "subject": Option(str, "subject of the reply"),
    "text": Option(str, "text of the reply"),
    "format": Option(lambda text: f"text/{one_of('plain', 'html')(text)}", "plain|html"),
    "charset": Option(str, "character set of the reply"),
    "redirect": Option(str, "address that the message is passed on to"),
    "end-date": Option(str, "last day of replies, YYYY-MM-DD; '' for none"),
    "attach": Option(listed, "add:FILE or del:NAME: files that go with the reply", many=True),
}


def _address(line: Line) -> str:
    address: str | None = line.options.pop("mail", None)
    if address is None:
        raise UsageError("-mail: it is missing. Name the account.")
    return address


def update(line: Line) -> int:
    """`--update -mail ADDRESS`"""
    address = _address(line)
    arguments: dict[str, Any] = {"address": address}
    reply = {SETTINGS[name]: value for name, value in line.options.items() if name in SETTINGS}
    if reply:
        arguments["autoreply"] = reply
    for action, members in line.options.get("attach", []):
        attachments = arguments.setdefault("attachments", {})
        if action == "set":
            raise UsageError("-attach: use add:FILE or del:NAME.")
        if action == "add":
            arguments.setdefault("files", {}).setdefault("add", []).extend(read_file(path) for path in members)
        names = [os.path.basename(path) for path in members]  # noqa: PTH119  pathlib takes 8 ms to import
        attachments.setdefault(action, []).extend(names)
    if len(arguments) == 1:
        raise UsageError("Nothing to change was given. `innkeeper bin autoresponder --help` shows the options.")
    return line.change("mail.update", arguments, f"Update of the autoresponder of '{address}' complete")


def info(line: Line) -> int:
    """`--info -mail ADDRESS`"""
    address = _address(line)
    line.no_options()
    account = ask(line.state, {"command": "mail.info", "arguments": {"address": address}})
    if line.json:
        output.as_json(account["autoreplies"])
        return 0
    output.line(f"{'Status:':<20}{'true' if account['autoreplies']['enabled'] else 'false'}")
    for reply in account["autoreplies"]["replies"]:
        for name in ("name", "enabled", "subject", "content_type", "charset", "forward", "end_date", "text"):
            if reply[name] not in ("", None):
                value = str(reply[name]).lower() if isinstance(reply[name], bool) else reply[name]
                output.line(f"{name.replace('_', ' ').capitalize() + ':':<20}{value}")
        if reply["attachments"]:
            output.line(f"{'Attachments:':<20}{' '.join(reply['attachments'])}")
    output.lines(f"\nSUCCESS: Gathering information for '{address}' complete")
    return 0


UTILITIES = {
    "autoresponder": Utility(
        "autoresponder",
        {
            "update": Verb("u", (), "change the automatic reply of -mail", update),
            "info": Verb("i", (), "show it", info),
        },
        OPTIONS,
    )
}
