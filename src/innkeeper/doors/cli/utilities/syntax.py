"""The utilities' command line: `UTILITY --command|-c OBJECT [-option value | --option=value ...]`.

Every option takes a value. `_` and `-` in the name of a command or an option are the same; the tables have them as
Plesk writes them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from innkeeper.doors.cli import output, secrets
from innkeeper.doors.cli.client import INVALID, CommandFailed, ask
from innkeeper.doors.cli.parser import UsageError, near


class Option(NamedTuple):
    """One option: how its value is read, and its line in the help. A `many` option may come several times."""

    read: Callable[[str], Any]
    help: str
    many: bool = False


class Verb(NamedTuple):
    """One command of a utility: its letter, what it is called by, its line in the help, and what it does."""

    letter: str
    objects: tuple[str, ...]
    help: str
    run: Callable[[Line], int]


class Utility(NamedTuple):
    """A utility. `aliases` are options of another name."""

    name: str
    verbs: dict[str, Verb]
    options: dict[str, Option]
    aliases: dict[str, str] = {}


class Line:
    """A command line that has been read."""

    def __init__(self, utility: Utility) -> None:
        self.utility = utility
        self.verb = ""
        self.objects: list[str] = []
        self.options: dict[str, Any] = {}
        self.state = os.environ.get("INNKEEPER_STATE", "var")
        self.json = False
        self.plan = False

    def change(self, command: str, arguments: dict[str, Any], done: str) -> int:
        """Run a change; says `SUCCESS: ` and what is done."""
        result = ask(self.state, {"command": command, "arguments": arguments, "plan": self.plan})
        if self.plan:
            output.plan(result, as_object=self.json)
        elif self.json:
            output.as_json(result)
        else:
            output.line(f"SUCCESS: {done}")
        return 0

    def rows(self, command: str, arguments: dict[str, Any], name: str, *keys: str) -> int:
        """Print all objects by these of their values, one a line. Takes no option."""
        self.no_options()
        rows = output.Rows(name, lambda row: " ".join(str(row[key]) for key in keys), as_object=self.json)
        ask(self.state, {"command": command, "arguments": arguments}, on_rows=rows.take)
        rows.end()
        return 0

    def show(self, command: str, arguments: dict[str, Any]) -> int:
        """Print one object."""
        result = ask(self.state, {"command": command, "arguments": arguments})
        if self.json:
            output.as_json(result)
        else:
            output.fields(result)
        return 0

    def no_options(self) -> None:
        """Raise UsageError if there is an option that is left."""
        if self.options:
            raise UsageError(f"-{next(iter(self.options))}: not with --{self.verb}.")

    def only(self, *names: str) -> None:
        """Raise UsageError for an option that is none of these."""
        for name in self.options:
            if name not in names:
                raise UsageError(f"-{name}: not with --{self.verb}.")

    def required(self, *names: str) -> None:
        """Raise UsageError for one of these options that is not given."""
        for name in names:
            if name not in self.options:
                raise UsageError(f"-{name}: it is missing.")

    def something(self) -> None:
        """Raise UsageError if no option is given: there is nothing to change."""
        if not self.options:
            raise UsageError(
                f"Nothing to change was given. `innkeeper bin {self.utility.name} --help` shows the options."
            )


def run(utility: Utility, words: list[str]) -> int:
    """Run a utility's command line."""
    if not words or words[0] in ("--help", "-h"):
        output.lines(usage(utility))
        return 0 if words else 1
    line = read(utility, words)
    return utility.verbs[line.verb].run(line)


def read(utility: Utility, words: list[str]) -> Line:
    """Read a command line. Raises UsageError, CommandFailed for a value that cannot be one; nothing was done then."""
    line = Line(utility)
    waiting = list(reversed(words))
    while waiting:
        word = waiting.pop()
        name, equals, text = word.partition("=")
        if word == "--json":
            line.json = True
        elif word == "--plan":
            line.plan = True
        elif name == "--state":
            line.state = text if equals else _value(word, waiting)
        elif not line.verb:
            line.verb = _verb(utility, word)
        elif word.startswith("-") and len(word) > 1 and not word[1:].isdigit():
            option = _option(utility, name)
            _store(line, option, name, text if equals else _value(name, waiting))
        else:
            line.objects.append(word)
    if not line.verb:
        raise UsageError(f"bin {utility.name}: no command. {_see(utility)}")
    wanted = utility.verbs[line.verb].objects
    if len(line.objects) != len(wanted):
        names = " ".join(wanted) or "no name"
        raise UsageError(f"bin {utility.name} --{line.verb} takes {names}. {_see(utility)}")
    return line


def _see(utility: Utility) -> str:
    return f"`innkeeper bin {utility.name} --help` shows all."


def _same(one: str, other: str) -> bool:
    return one.replace("_", "-") == other.replace("_", "-")


def _verb(utility: Utility, word: str) -> str:
    for name, verb in utility.verbs.items():
        if _same(word, f"--{name}") or (verb.letter and word == f"-{verb.letter}"):
            return name
    known = [f"--{name}" for name in utility.verbs]
    raise UsageError(f"{word}: no such command.{near(word, known)} {_see(utility)}")


def _option(utility: Utility, word: str) -> str:
    name = word.lstrip("-")
    name = utility.aliases.get(name, name)
    for option in utility.options:
        if _same(name, option):
            return option
    known = [f"-{option}" for option in utility.options]
    raise UsageError(f"{word}: no such option.{near('-' + name, known)} {_see(utility)}")


def _value(word: str, waiting: list[str]) -> str:
    if not waiting:
        raise UsageError(f"{word}: its value is missing.")
    return waiting.pop()


def _store(line: Line, name: str, word: str, text: str) -> None:
    option = line.utility.options[name]
    try:
        value = option.read(text)
    except ValueError as error:
        shown = "the value" if name == "passwd" else repr(text)
        raise CommandFailed(f"{word}: {shown} is not {error}.", INVALID) from None
    if option.many:
        line.options.setdefault(name, []).append(value)
    elif name in line.options:
        raise UsageError(f"{word}: it is given twice.")
    else:
        line.options[name] = value


def usage(utility: Utility) -> str:
    """The help of a utility."""
    lines = [f"Usage: innkeeper bin {utility.name} COMMAND [-option value ...] [--state DIR] [--json]", ""]
    for name, verb in utility.verbs.items():
        called = " ".join([f"--{name}" + (f"|-{verb.letter}" if verb.letter else ""), *verb.objects])
        lines.append(f"  {called:<30} {verb.help}")
    lines.append("")
    lines += [f"  -{name:<29} {option.help}" for name, option in utility.options.items()]
    lines += ["", "  --plan                         say what would change, and change nothing"]
    return "\n".join(lines)


def password(line: Line) -> dict[str, str] | None:
    """The password that `-passwd` means: `-` is standard input, an empty value the environment."""
    text: str | None = line.options.get("passwd")
    kind = line.options.get("passwd_type", "plain")
    if text is None:
        return None
    if text == "-":
        return {"value": secrets.from_stdin(), "kind": kind}
    if text:
        return {"value": text, "kind": kind}
    if plain := os.environ.get("PSA_PASSWORD"):
        return {"value": plain, "kind": kind}
    if crypted := os.environ.get("PSA_CRYPTED_PASSWORD"):
        return {"value": crypted, "kind": "crypt"}
    raise UsageError("-passwd: its value is empty, and neither PSA_PASSWORD nor PSA_CRYPTED_PASSWORD is set.")
