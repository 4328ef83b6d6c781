"""`bin`: the utilities."""

from __future__ import annotations

from innkeeper.core.errors import UTILITY, ExitCode
from innkeeper.doors.cli import output
from innkeeper.doors.cli.client import CommandFailed
from innkeeper.doors.cli.commands.component_paths import hand_over
from innkeeper.doors.cli.parser import UsageError, near
from innkeeper.doors.cli.utilities import syntax

# Each utility, and the module that has it.
UTILITIES = {
    "mail": "mail",
    "autoresponder": "autoresponder",
    "customer": "hosting",
    "client": "hosting",
    "subscription": "hosting",
    "subscription_settings": "hosting",
    "domain": "hosting",
    "site": "hosting",
    "subdomain": "system_users",
    "webuser": "system_users",
    "ftpsubaccount": "system_users",
    "ftpuser": "system_users",
    "domain_pref": "domain_pref",
    "event_handler": "event_handler",
    "secret_key": "server",
    "ipmanage": "server",
    "admin": "server",
    "mailserver": "server",
}
# Utilities that are programs of their own.
PROGRAMS = ("applysecurity", "hostingsecurity", "packagemng")


def main(words: list[str]) -> int:
    """Run `innkeeper bin WORDS`. Exit codes are the utilities' own."""
    try:
        return _run(words)
    except CommandFailed as error:
        error.code = UTILITY[ExitCode(error.code)]
        raise


def _run(words: list[str]) -> int:
    if not words or words[0] in ("--help", "-h"):
        output.lines("Usage: innkeeper bin UTILITY COMMAND ...\n\n  " + "\n  ".join([*UTILITIES, *PROGRAMS]))
        output.lines("\n`innkeeper bin UTILITY --help` explains each.")
        return 0 if words else UTILITY[ExitCode.USAGE]
    name = words[0]
    if name in PROGRAMS:
        hand_over([name, *words[1:]])
    if name not in UTILITIES:
        raise UsageError(
            f"{name}: no such utility.{near(name, [*UTILITIES, *PROGRAMS])} `innkeeper bin --help` shows all."
        )
    module = __import__(f"innkeeper.doors.cli.utilities.{UTILITIES[name]}", fromlist=["UTILITIES"])
    return syntax.run(module.UTILITIES[name], words[1:])
