"""`bin mail`: mail accounts."""

from __future__ import annotations

import base64
import os
from typing import Any

from innkeeper.doors.cli import output
from innkeeper.doors.cli.client import FAILED, CommandFailed, ask
from innkeeper.doors.cli.parser import UsageError
from innkeeper.doors.cli.utilities.syntax import Line, Option, Utility, Verb, password
from innkeeper.doors.cli.values import UNLIMITED, hourly, listed, one_of, shown_size, size, switch

KILOBYTE = 1024
LISTS = {"aliases": "aliases", "mgroups": "groups", "groupmem": "group"}
SETTINGS = {
    "cp_access": "panel_access",
    "mailbox": "mailbox",
    "mbox_quota": "quota",
    "antivirus": "antivirus",
    "outgoing-messages-mbox-limit": "outgoing_limit",
    "description": "description",
}
REPLY = {
    "autoname": "name",
    "autostatus": "enabled",
    "autosubj": "subject",
    "auto-replyto": "reply_to",
    "autotext": "text",
    "autofrq": "answers_per_day",
    "autostor": "remembered_senders",
    "autored": "forward",
}
REPLY_FILES = {"add": "attachments", "remove": "detached"}


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("a number") from None


def _condition(text: str) -> dict[str, str]:
    """`subj:TEXT`, `body:TEXT` or `always`: when a reply is sent."""
    where, colon, key = text.partition(":")
    if text == "always":
        return {"key_where": "no"}
    if where in ("subj", "body") and colon and key:
        return {"key_where": where, "key": key}
    raise ValueError("subj:TEXT or body:TEXT or always")


OPTIONS = {
    "cp_access": Option(switch, "true|false: the owner may log in to the panel"),
    "mailbox": Option(switch, "true|false: with a mailbox"),
    "passwd": Option(str, "the password; - reads standard input, '' takes PSA_PASSWORD or PSA_CRYPTED_PASSWORD"),
    "passwd_type": Option(one_of("plain", "crypt"), "plain|crypt: clear text, or a ready hash"),
    "mbox_quota": Option(lambda text: size(text, plain_unit=KILOBYTE), "KB, or with K, M, G; -1: unlimited"),
    "aliases": Option(listed, "add:A,B or del:A,B: other names", many=True),
    "mgroups": Option(listed, "add:A,B or del:A,B: mail groups that it is a member of", many=True),
    "redirect": Option(switch, "true|false: pass mail on"),
    "rediraddr": Option(lambda text: [a.strip() for a in text.split(",")], "the address that mail is passed on to"),
    "group": Option(switch, "true|false: be a mail group"),
    "groupmem": Option(listed, "add:A,B or del:A,B: members of the mail group", many=True),
    "repo": Option(listed, "add:FILE or del:NAME: files for automatic replies", many=True),
    "autorsp": Option(switch, "true|false: all automatic replies"),
    "autoname": Option(str, "name of the automatic reply that the next options mean"),
    "autostatus": Option(switch, "true|false: this automatic reply"),
    "autoreq": Option(_condition, "subj:TEXT, body:TEXT or always: when it is sent"),
    "autosubj": Option(lambda text: "" if text == "original" else text, "its subject, or original"),
    "auto-replyto": Option(str, "its return address"),
    "autotext": Option(str, "its text"),
    "autoatch": Option(listed, "add:NAME or del:NAME: files of the repository that go with it", many=True),
    "autofrq": Option(_number, "how often a day one sender gets it"),
    "autostor": Option(_number, "how many senders are remembered"),
    "autored": Option(str, "address that the message is passed on to"),
    "antivirus": Option(one_of("off", "in", "out", "inout"), "off|in|out|inout: which mail is scanned"),
    "outgoing-messages-mbox-limit": Option(hourly, "messages an hour; -1: unlimited; default"),
    "description": Option(str, "free text"),
    "multiple-sessions": Option(switch, "true|false: the owner may log in to the panel twice at once"),
    "new_name": Option(str, "the new name, with --rename"),
    "domain": Option(str, "the domain, with --list"),
}


def _arguments(line: Line) -> dict[str, Any]:
    """What the options say, in the form that the listener takes."""
    options = line.options
    for name in ("new_name", "domain"):
        if name in options:
            raise UsageError(f"-{name}: not with --{line.verb}.")
    found: dict[str, Any] = {"address": line.objects[0]}
    found |= {SETTINGS[name]: value for name, value in options.items() if name in SETTINGS}
    if (secret := password(line)) is not None:
        found["password"] = secret
    for option, name in LISTS.items():
        if option in options:
            found[name] = _list(options[option])
    if "group" in options:
        found.setdefault("group", {})["enabled"] = options["group"]
    if "redirect" in options or "rediraddr" in options:
        found["redirect"] = {"set": options["rediraddr"]} if "rediraddr" in options else {}
        if "redirect" in options:
            found["redirect"]["enabled"] = options["redirect"]
    if "repo" in options:
        found["files"] = _files(options["repo"])
    if "multiple-sessions" in options:
        found["panel_options"] = {"multiply_login": "true" if options["multiple-sessions"] else "false"}
    if (reply := _reply(options)) is not None:
        found["autoreplies"] = reply
    return found


def _list(changes: list[tuple[str, list[str]]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for action, members in changes:
        found.setdefault(action, []).extend(members)
    return found


def _files(changes: list[tuple[str, list[str]]]) -> dict[str, Any]:
    found: dict[str, Any] = _list(changes)
    if "set" in found:
        raise UsageError("-repo: use add:FILE or del:NAME.")
    if "add" in found:
        found["add"] = [read_file(path) for path in found["add"]]
    return found


def read_file(path: str) -> dict[str, str]:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  pathlib takes 8 ms to import
            content = file.read()
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}.", FAILED) from None
    return {"name": os.path.basename(path), "content": base64.b64encode(content).decode()}  # noqa: PTH119


def _reply(options: dict[str, Any]) -> dict[str, Any] | None:
    found = {REPLY[name]: value for name, value in options.items() if name in REPLY} | options.get("autoreq", {})
    attachments = _list(options.get("autoatch", []))
    if "set" in attachments:
        raise UsageError("-autoatch: use add:NAME or del:NAME.")
    found |= {REPLY_FILES[action]: names for action, names in attachments.items()}
    if found and "name" not in found:
        raise UsageError("-autoname: it is missing. Name the automatic reply that the other options mean.")
    if "autorsp" in options:
        found["all_enabled"] = options["autorsp"]
    return found or None


def create(line: Line) -> int:
    """`--create ADDRESS`"""
    arguments = _arguments(line)
    # A quota is the size of a mailbox: who gives one wants a mailbox.
    if "quota" in arguments:
        arguments.setdefault("mailbox", True)
    for name in ("aliases", "groups", "group", "redirect", "files"):
        change = arguments.get(name, {})
        if "remove" in change:
            raise UsageError(f"{name}: a new account has none to delete. Use add:.")
        if "set" in change:
            change["add"] = change.pop("set")
    return line.change("mail.create", arguments, f"Creation of mailname '{line.objects[0]}' complete")


def update(line: Line) -> int:
    """`--update ADDRESS`"""
    line.something()
    return line.change("mail.update", _arguments(line), f"Update of mailname '{line.objects[0]}' complete")


def remove(line: Line) -> int:
    """`--remove ADDRESS`"""
    return line.change("mail.remove", _only(line), f"Removal of mailname '{line.objects[0]}' complete")


def rename(line: Line) -> int:
    """`--rename ADDRESS -new_name NAME`"""
    new = line.options.pop("new_name", None)
    if new is None:
        raise UsageError("-new_name: it is missing. Give the new name.")
    arguments = _only(line) | {"new_name": new}
    return line.change("mail.rename", arguments, f"Renaming of mailname '{line.objects[0]}' to '{new}' complete")


def turn(enabled: bool) -> Any:
    """`--on DOMAIN` and `--off DOMAIN`"""

    def run(line: Line) -> int:
        _only(line)
        arguments = {"site": line.objects[0], "enabled": enabled}
        done = f"Mail service of domain '{line.objects[0]}' {'enabled' if enabled else 'disabled'}"
        return line.change("mail.service", arguments, done)

    return run


def _only(line: Line) -> dict[str, Any]:
    """The object alone: these commands take no option."""
    line.no_options()
    return {"address": line.objects[0]}


def info(line: Line) -> int:
    """`--info ADDRESS`"""
    account = ask(line.state, {"command": "mail.info", "arguments": _only(line)})
    if line.json:
        output.as_json(account)
        return 0
    for name, value in shown(account).items():
        output.line(f"{name + ':':<20}{value}")
    output.lines(f"\nSUCCESS: Gathering information for '{account['address']}' complete")
    return 0


def shown(account: dict[str, Any]) -> dict[str, str]:
    """An account as the utility shows it: names of old, values that scripts look for. Never a password."""

    def true(value: bool) -> str:
        return "true" if value else "false"

    name, _, domain = account["address"].rpartition("@")
    replies = account["autoreplies"]
    limit = account["outgoing_limit"]
    fields = {
        "Mailname": name,
        "Domain": domain,
        "Alias(es)": " ".join(account["aliases"]),
        "CP Access": true(account["panel_access"]),
        "Mailbox": true(account["mailbox"]),
        "Password": "set" if account["has_password"] else "not set",
        "Mbox quota": "Unlimited" if account["quota"] == UNLIMITED else shown_size(account["quota"]),
        "Mbox usage": shown_size(account["used_bytes"]),
        "Redirect": true(account["redirect"]["enabled"]),
        "Redirect address": " ".join(account["redirect"]["addresses"]),
        "Mailgroup": true(account["group"]["enabled"]),
        "Group members": " ".join(account["group"]["addresses"]),
        "Member of groups": " ".join(account["groups"]),
        "File repository": " ".join(file["name"] for file in account["files"]) or "Empty",
        "Autoresponder": true(replies["enabled"]),
        "Autoresponder names": " ".join(reply["name"] for reply in replies["replies"]),
        "Antivirus mail checking": {"off": "Disabled"}.get(account["antivirus"], account["antivirus"]),
        "Outgoing limit": "Default" if limit is None else "Unlimited" if limit == UNLIMITED else str(limit),
        "Description": account["description"],
    }
    return {field: value for field, value in fields.items() if value}


def listing(line: Line) -> int:
    """`--list [-domain DOMAIN]`"""
    domain = line.options.pop("domain", None)
    return line.rows("mail.list", {"site": domain}, "accounts", "address")


MAIL = Utility(
    "mail",
    {
        "create": Verb("c", ("NAME@DOMAIN",), "create a mail account", create),
        "update": Verb("u", ("NAME@DOMAIN",), "change it", update),
        "remove": Verb("r", ("NAME@DOMAIN",), "remove it", remove),
        "rename": Verb("", ("NAME@DOMAIN",), "rename it to -new_name", rename),
        "info": Verb("i", ("NAME@DOMAIN",), "show it", info),
        "list": Verb("l", (), "list mail accounts, of -domain or all", listing),
        "on": Verb("", ("DOMAIN",), "switch the mail service of a domain on", turn(True)),
        "off": Verb("", ("DOMAIN",), "switch it off", turn(False)),
    },
    OPTIONS,
    {"boxpass": "passwd", "boxquota": "mbox_quota"},
)

UTILITIES = {"mail": MAIL}
