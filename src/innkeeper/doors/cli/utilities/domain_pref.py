"""`bin domain_pref`: what a domain does with its mail."""

from __future__ import annotations

from innkeeper.doors.cli.utilities.syntax import Line, Option, Utility, Verb
from innkeeper.doors.cli.values import switch, unknown_addresses

SETTINGS = {
    "webmail": "webmail",
    "spam_protect_sign": "sign_outgoing",
    "greylisting": "greylisting",
    "mail_service": "enabled",
}


def update(line: Line) -> int:
    """`--update DOMAIN`"""
    line.something()
    arguments = {"site": line.objects[0]} | line.options.get("no_usr", {})
    arguments |= {SETTINGS[name]: value for name, value in line.options.items() if name in SETTINGS}
    return line.change("mail.preferences", arguments, f"Update of preferences of domain '{line.objects[0]}' complete")


def info(line: Line) -> int:
    """`--info DOMAIN`"""
    line.no_options()
    return line.show("mail.preferences", {"site": line.objects[0]})


UTILITIES = {
    "domain_pref": Utility(
        "domain_pref",
        {
            "update": Verb("u", ("DOMAIN",), "change preferences of a domain", update),
            "info": Verb("i", ("DOMAIN",), "show them", info),
        },
        {
            "no_usr": Option(
                unknown_addresses, "reject, bounce, bounce:TEXT or an address: mail for users that do not exist"
            ),
            "webmail": Option(str, "name of the webmail, true, or none"),
            "spam_protect_sign": Option(switch, "true|false: sign outgoing mail"),
            "greylisting": Option(switch, "true|false: delay unknown senders"),
            "mail_service": Option(switch, "true|false: the mail service"),
        },
    )
}
