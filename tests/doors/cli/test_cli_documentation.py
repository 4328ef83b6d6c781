"""`docs/cli.md` names every command, every utility and every option of the readable commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from innkeeper.doors.cli import commands
from innkeeper.doors.cli.__main__ import GROUPS
from innkeeper.doors.cli.commands import bin as utilities
from innkeeper.doors.cli.commands import (
    customer,
    event_handler,
    ftp_account,
    mail,
    site,
    subdomain,
    webspace,
    webuser,
)
from innkeeper.doors.cli.parser import Command, Parser

TEXT = (Path(__file__).parents[3] / "docs" / "cli.md").read_text()
MODULES = {
    "mail": mail,
    "customer": customer,
    "webspace": webspace,
    "site": site,
    "subdomain": subdomain,
    "webuser": webuser,
    "ftp-account": ftp_account,
    "event-handler": event_handler,
}


def test_every_group_is_a_module_and_has_a_place() -> None:
    for name in GROUPS:
        assert (Path(commands.__path__[0]) / f"{name.replace('-', '_')}.py").exists(), name
        assert re.search(rf"^## .*\b{name}\b", TEXT, re.MULTILINE), name


@pytest.mark.parametrize(
    ("group", "name", "command"),
    [(group, name, command) for group, module in MODULES.items() for name, command in module.COMMANDS.items()],
)
def test_every_command_and_option_is_described(group: str, name: str, command: Command) -> None:
    assert re.search(rf"`{group} {name}\b", TEXT) or name in ("activate", "remove")
    parser = Parser(f"{group} {name}", command.help)
    command.arguments(parser)
    for action in parser._actions:
        for option in action.option_strings:
            assert option in ("-h", "--help") or option in TEXT, option


def test_every_utility_is_described() -> None:
    for name in utilities.UTILITIES:
        assert f"`{name}`" in TEXT.partition("## bin")[2], name
