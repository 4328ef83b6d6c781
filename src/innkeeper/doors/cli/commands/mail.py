"""`mail`: mail accounts by their addresses."""

from __future__ import annotations

from typing import Any

from innkeeper.doors.cli import output, secrets
from innkeeper.doors.cli.client import ask
from innkeeper.doors.cli.commands.objects import change, plan, show, show_rows
from innkeeper.doors.cli.parser import Command, Namespace, Parser, UsageError, run_group, value
from innkeeper.doors.cli.values import hourly, one_of, shown_size, size, switch, unknown_addresses

DESCRIPTION = """\
Mail accounts. An account is named by its address, joe@example.test; the id of a site may stand for its name (joe@7).
A password comes from standard input (--password-stdin) or from the environment variable INNKEEPER_PASSWORD."""


def _address(parser: Parser) -> None:
    parser.add_argument("address", metavar="ADDRESS")


def _settings(parser: Parser) -> None:
    _address(parser)
    plan(parser)
    on = parser.add_mutually_exclusive_group()
    on.add_argument("--mailbox", action="store_true", default=None, help="with a mailbox (default of a new account)")
    on.add_argument("--no-mailbox", dest="mailbox", action="store_false", default=None, help="without a mailbox")
    parser.add_argument(
        "--quota", action=value(size), metavar="SIZE", help="size of the mailbox: 500MB, 2GB, unlimited"
    )
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    parser.add_argument("--password-hash", action="store_true", help="the password given is a ready crypt(3) hash")
    parser.add_argument("--alias", action="append", default=[], metavar="NAME", help="add another name (repeatable)")
    parser.add_argument(
        "--redirect", action="append", default=[], metavar="ADDRESS", help="pass mail on to it (repeatable)"
    )
    parser.add_argument("--no-redirect", action="store_true", help="pass nothing on; the addresses are kept")
    parser.add_argument(
        "--member", action="append", default=[], metavar="ADDRESS", help="be a mail group with this member (repeatable)"
    )
    parser.add_argument("--no-group", action="store_true", help="be no mail group; the members are kept")
    parser.add_argument("--join", action="append", default=[], metavar="GROUP", help="enter a mail group of the site")
    parser.add_argument("--autoreply", metavar="TEXT", help="answer each sender with this text, once a day")
    parser.add_argument("--autoreply-subject", metavar="TEXT", help="subject of that answer")
    parser.add_argument("--no-autoreply", action="store_true", help="answer nobody; the texts are kept")
    access = parser.add_mutually_exclusive_group()
    access.add_argument("--panel-access", action="store_true", default=None, help="the owner may log in to the panel")
    access.add_argument("--no-panel-access", dest="panel_access", action="store_false", default=None)
    parser.add_argument(
        "--antivirus",
        action=value(one_of("off", "in", "out", "inout")),
        metavar="WHICH",
        help="which mail is scanned: off, in, out or inout",
    )
    parser.add_argument(
        "--outgoing-limit", action=value(hourly), metavar="N", help="messages an hour: a number, unlimited or default"
    )
    parser.add_argument("--description", metavar="TEXT")


def _changes(parser: Parser) -> None:
    _settings(parser)
    for option, metavar, what in (
        ("--remove-alias", "NAME", "a name"),
        ("--remove-redirect", "ADDRESS", "an address that mail is passed on to"),
        ("--remove-member", "ADDRESS", "a member of the mail group"),
        ("--leave", "GROUP", "the account from a mail group"),
    ):
        parser.add_argument(option, action="append", default=[], metavar=metavar, help=f"take away {what} (repeatable)")


def _arguments(options: Namespace) -> dict[str, Any]:
    """What the options say, in the form that the listener takes."""
    found: dict[str, Any] = {"address": options.address}
    password = secrets.given(stdin=options.password_stdin)
    if password is not None:
        found["password"] = {"value": password, "kind": "crypt" if options.password_hash else "plain"}
    elif options.password_hash:
        raise UsageError(
            f"--password-hash needs the hash: from standard input with --password-stdin, or in {secrets.ENVIRONMENT}."
        )
    for name, setting in (
        ("mailbox", options.mailbox),
        ("quota", options.quota),
        ("panel_access", options.panel_access),
        ("antivirus", options.antivirus),
        ("outgoing_limit", options.outgoing_limit),
        ("description", options.description),
    ):
        if setting is not None:
            found[name] = setting
    for name, add, remove, off in (
        ("aliases", options.alias, "remove_alias", False),
        ("redirect", options.redirect, "remove_redirect", options.no_redirect),
        ("group", options.member, "remove_member", options.no_group),
        ("groups", options.join, "leave", False),
    ):
        asked: dict[str, Any] = {"add": add, "remove": getattr(options, remove, [])}
        asked = {action: members for action, members in asked.items() if members}
        if off and add:
            raise UsageError(f"--no-{name} and an address for it do not go together.")
        if name in ("redirect", "group") and (off or add):
            asked["enabled"] = not off
        if asked:
            found[name] = asked
    if options.no_autoreply and (options.autoreply is not None or options.autoreply_subject is not None):
        raise UsageError("--no-autoreply and a text for it do not go together.")
    if options.no_autoreply:
        found["autoreplies"] = {"all_enabled": False}
    elif options.autoreply is not None or options.autoreply_subject is not None:
        texts = {"text": options.autoreply, "subject": options.autoreply_subject}
        found["autoreply"] = {"enabled": True} | {name: text for name, text in texts.items() if text is not None}
    return found


def _create(options: Namespace) -> int:
    arguments = _arguments(options)
    arguments.setdefault("mailbox", True)
    return change(options, "mail.create", arguments, "created {address} (id {id})")


def _update(options: Namespace) -> int:
    arguments = _arguments(options)
    if len(arguments) == 1:
        raise UsageError("Nothing to change was given. `innkeeper mail update --help` shows the settings.")
    return change(options, "mail.update", arguments, "updated {address}")


def _remove(options: Namespace) -> int:
    return change(
        options, "mail.remove", {"address": options.address}, "removed {address}; `mail restore` brings it back"
    )


def _restore(options: Namespace) -> int:
    result = ask(
        options.state, {"command": "mail.restore", "arguments": {"address": options.address}, "plan": options.plan}
    )
    if options.plan:
        output.plan(result, as_object=options.json)
    elif options.json:
        output.as_json(result)
    else:
        lost = ", ".join(result["lost_aliases"])
        taken = f"; meanwhile taken by others: {lost}" if lost else ""
        output.line(f"restored {result['address']} (id {result['id']}){taken}")
    return 0


def _rename(options: Namespace) -> int:
    arguments = {"address": options.address, "new_name": options.new_name}
    return change(options, "mail.rename", arguments, "renamed {old_address} to {address}")


def _switch(state: bool) -> Any:
    def run(options: Namespace) -> int:
        arguments = {"site": options.site, "enabled": state}
        return change(options, "mail.service", arguments, f"mail service of {{site}} is {'on' if state else 'off'}")

    return run


def _preferences(options: Namespace) -> int:
    found = {name: getattr(options, name) for name in ("webmail", "sign_outgoing", "greylisting")}
    arguments = {name: setting for name, setting in found.items() if setting is not None} | (options.unknown or {})
    if arguments and options.plan:
        return change(options, "mail.preferences", arguments | {"site": options.site}, "")
    return show(options, "mail.preferences", arguments | {"site": options.site})


def _info(options: Namespace) -> int:
    result = ask(options.state, {"command": "mail.info", "arguments": {"address": options.address}})
    if options.json:
        output.as_json(result)
        return 0
    for name, text in shown_account(result).items():
        output.line(f"{name + ':':<18}{text}")
    return 0


def shown_account(account: dict[str, Any]) -> dict[str, str]:
    """An account for people: what it is called, and its value."""

    def listed(members: list[str]) -> str:
        return ", ".join(members) or "none"

    def switched(part: dict[str, Any]) -> str:
        state = "on" if part["enabled"] else "off"
        return f"{state} ({', '.join(part['addresses'])})" if part["addresses"] else state

    replies = account["autoreplies"]["replies"]
    limit = account["outgoing_limit"]
    return {
        "address": account["address"],
        "id": str(account["id"]),
        "mailbox": "on" if account["mailbox"] else "off",
        "quota": shown_size(account["quota"]),
        "used": shown_size(account["used_bytes"]),
        "password": "set" if account["has_password"] else "not set",
        "aliases": listed(account["aliases"]),
        "redirect": switched(account["redirect"]),
        "mail group": switched(account["group"]),
        "member of": listed(account["groups"]),
        "automatic replies": ("on" if account["autoreplies"]["enabled"] else "off")
        + (f" ({', '.join(reply['name'] for reply in replies)})" if replies else ""),
        "files": listed([file["name"] for file in account["files"]]),
        "panel access": "yes" if account["panel_access"] else "no",
        "antivirus": account["antivirus"],
        "outgoing limit": "default" if limit is None else "unlimited" if limit < 0 else f"{limit} an hour",
        "description": account["description"],
    }


def _list(options: Namespace) -> int:
    def shown(row: dict[str, Any]) -> str:
        if not row["mailbox"]:
            mailbox = "no mailbox"
        else:
            mailbox = f"{shown_size(row['used_bytes'])} of {shown_size(row['quota'])}"
        extras = [what for what in ("redirect", "group", "autoreplies") if row[what]]
        return f"{row['address']:<40} {mailbox:<22} {' '.join(extras)}".rstrip()

    return show_rows(options, "mail.list", {"site": options.site}, "accounts", shown)


def _rename_arguments(parser: Parser) -> None:
    _address(parser)
    parser.add_argument("new_name", metavar="NEW", help="the new name, or the whole new address on the same site")
    plan(parser)


def _one(parser: Parser) -> None:
    _address(parser)
    plan(parser)


def _site(parser: Parser) -> None:
    parser.add_argument("site", metavar="SITE", help="name or id of the site")
    plan(parser)


def _preferred(parser: Parser) -> None:
    _site(parser)
    parser.add_argument(
        "--unknown",
        action=value(unknown_addresses),
        metavar="WHAT",
        help="mail for unknown addresses: reject, bounce, bounce:TEXT, or an address that it is passed on to",
    )
    parser.add_argument("--webmail", metavar="NAME", help="webmail of the site, or none")
    for option, what in (("--sign-outgoing", "sign outgoing mail"), ("--greylisting", "delay unknown senders")):
        parser.add_argument(option, action=value(switch), metavar="BOOL", help=what)


def _kept(parser: Parser) -> None:
    parser.add_argument("days", nargs="?", metavar="DAYS", help="keep it for so many days")
    plan(parser)


COMMANDS = {
    "create": Command("Create a mail account.", _settings, _create),
    "update": Command("Change a mail account; what is not mentioned stays.", _changes, _update),
    "info": Command("Show a mail account.", _address, _info),
    "list": Command(
        "List the mail accounts of a site, or of all sites.",
        lambda parser: parser.add_argument("site", metavar="SITE", nargs="?", help="name or id of a site"),
        _list,
    ),
    "remove": Command("Remove a mail account; its mail is kept for some days.", _one, _remove),
    "rename": Command("Give a mail account another name; its mail goes with it.", _rename_arguments, _rename),
    "restore": Command("Bring a removed mail account back with its mail.", _one, _restore),
    "retention": Command(
        "Show or set for how long the mail of removed accounts is kept.",
        _kept,
        lambda options: change(
            options,
            "mail.retention",
            {} if options.days is None else {"days": options.days},
            "the mail of removed accounts is kept for {days} days",
        ),
    ),
    "preferences": Command("Show or change what a site does with its mail.", _preferred, _preferences),
    "on": Command("Switch the mail service of a site on.", _site, _switch(True)),
    "off": Command("Switch the mail service of a site off.", _site, _switch(False)),
}


def main(words: list[str]) -> int:
    """Run `innkeeper mail WORDS`."""
    return run_group("mail", DESCRIPTION, COMMANDS, words)
