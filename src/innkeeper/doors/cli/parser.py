"""Command lines: one parser a command, that names what is near when it does not know a word."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, NoReturn

from innkeeper.doors.cli.client import INVALID, CommandFailed

USAGE = 2

Namespace = argparse.Namespace


class Command(NamedTuple):
    """One command: its line in the help, its arguments, and what it does."""

    help: str
    arguments: Callable[[Parser], object]
    run: Callable[[Namespace], int]


class UsageError(CommandFailed):
    """The command line cannot be read; nothing was done."""

    def __init__(self, message: str) -> None:
        super().__init__(message, USAGE)


class Parser(argparse.ArgumentParser):
    """An argument parser that takes no abbreviations and raises UsageError."""

    def __init__(self, name: str, description: str) -> None:
        super().__init__(prog=f"innkeeper {name}", description=description, allow_abbrev=False)
        self.add_argument(
            "--state",
            default=os.environ.get("INNKEEPER_STATE", "var"),
            metavar="DIR",
            help="state folder of the instance (default: ./var)",
        )
        self.add_argument("--json", action="store_true", help="print one JSON object")

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. `{self.prog} --help` shows what it takes.")

    def parse(self, words: Sequence[str]) -> Namespace:
        """The arguments. Raises UsageError; an unknown option is answered with the near ones."""
        options = [word for action in self._actions for word in action.option_strings]
        for word in words:
            if word == "--":
                break
            name = word.partition("=")[0]
            if name.startswith("--") and name not in options:
                raise UsageError(f"{name}: no such option.{near(name, options)} `{self.prog} --help` shows all.")
        return self.parse_args(words)


def near(word: str, known: Iterable[str]) -> str:
    """` Did you mean A or B?`, or an empty string."""
    import difflib  # used on errors alone

    found = difflib.get_close_matches(word, list(known), 3, 0.7)
    return f" Did you mean {' or '.join(found)}?" if found else ""


def run_group(name: str, description: str, commands: dict[str, Command], words: list[str]) -> int:
    """Run the command that the first word names."""
    if not words or words[0] in ("-h", "--help"):
        width = max(map(len, commands))
        lines = [f"  {word:<{width}}  {command.help}" for word, command in commands.items()]
        sys.stdout.write(
            f"Usage: innkeeper {name} COMMAND ... [--state DIR] [--json]\n\n{description}\n\n" + "\n".join(lines)
        )
        sys.stdout.write(f"\n\n`innkeeper {name} COMMAND --help` explains each.\n")
        return 0 if words else USAGE
    command = commands.get(words[0])
    if command is None:
        raise UsageError(f"{words[0]}: no such command.{near(words[0], commands)} `innkeeper {name} --help` shows all.")
    parser = Parser(f"{name} {words[0]}", command.help)
    command.arguments(parser)
    return command.run(parser.parse(words[1:]))


def value(convert: Callable[[str], Any]) -> type[argparse.Action]:
    """An `action` for `add_argument` that reads a value. `convert` raises ValueError with what is allowed.

    An action, because argparse takes a `type` that cannot read its text for wrong usage.
    """

    def read(name: str, text: str) -> Any:
        try:
            return convert(text)
        except ValueError as error:
            raise CommandFailed(f"{name}: {text!r} is not {error}.", INVALID, name.lstrip("-")) from None

    class Value(argparse.Action):
        def __call__(
            self, parser: argparse.ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
        ) -> None:
            name = option_string or str(self.metavar)
            several = isinstance(values, list)
            setattr(namespace, self.dest, [read(name, text) for text in values] if several else read(name, values))

    return Value
