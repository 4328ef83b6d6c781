"""The command of a handler: `"<full path>" [<parameter> ...]`. Pure, and never a matter for a shell.

The line is cut into words when it is read, and values are put into the words afterwards: whatever a value holds, it
stays inside its argument, and an empty one stays an empty argument, so that no position shifts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from innkeeper.core.errors import InvalidValue
from innkeeper.core.events import EventType

LONGEST = 4_096
SIDES = ("old", "new")

_WORD = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+""")
_PIECE = re.compile(r""""((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)|([^"'\\]+)""")
_PLACEHOLDER = re.compile(r"<([A-Za-z][A-Za-z0-9_]*)>")
_UNUSABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_SHELL = re.compile(r"[|&;]+|[0-9&]?>+.*|<+")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Where the value of a parameter goes, by its outside name (`new_contact_name`)."""

    name: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command that has been read. Each argument is a row of texts and placeholders."""

    path: str
    arguments: tuple[tuple[str | Placeholder, ...], ...]

    def render(self, parameters: Mapping[str, str]) -> list[str]:
        """The argument vector, path included, for an event's values. NUL cannot be passed and is left out."""
        words = (
            "".join(part if isinstance(part, str) else parameters.get(part.name, "") for part in argument)
            for argument in self.arguments
        )
        return [self.path, *(word.replace("\0", "") for word in words)]

    def shown(self) -> list[str]:
        """The arguments for people, with their placeholders."""
        return [
            "".join(part if isinstance(part, str) else f"<{part.name}>" for part in argument)
            for argument in self.arguments
        ]


def parse(text: str, event: EventType) -> Command:
    """Read a command for an event. Raises InvalidValue, which says what to write instead."""
    if len(text) > LONGEST:
        raise _refused(f"it has {len(text)} characters. Use at most {LONGEST}: what is longer belongs into a script.")
    if found := _UNUSABLE.search(text):
        raise _refused(f"it holds the character {found[0]!r}, which no command can. Type it anew.")
    words = _words(text)
    if not words:
        raise _refused("it is empty. Give the full path of a program or script, and its parameters behind it.")
    path, is_quoted = words[0]
    if _PLACEHOLDER.search(path):
        raise _refused("it begins with a placeholder. Give the full path of a program or script first.")
    if not path.startswith("/"):
        raise _refused(f"{path!r} is not a full path. Give one that begins with /, in quotes if it has spaces.")
    for word, quoted in ([] if is_quoted else [words[0]]) + words[1:]:
        if not quoted and _SHELL.fullmatch(word):
            raise _refused(
                f"{word!r} would be for a shell, and none runs here. Write it into a script and give the script's path;"
                " to pass it as it stands, put it in quotes."
            )
    return Command(path, tuple(_argument(word, quoted, event) for word, quoted in words[1:]))


def placeholders(event: EventType) -> list[str]:
    """What may stand in `<>` in a command of the event: every parameter but the secret ones, old before new."""
    return [
        f"{side}_{name}"
        for each in event.parameters
        if not each.secret
        for name in (each.name, *each.synonyms)
        for side in SIDES
    ]


def _refused(why: str) -> InvalidValue:
    return InvalidValue(f"command: {why}", field="command")


def _words(text: str) -> list[tuple[str, bool]]:
    """The words without their quotes, and of each whether it had any."""
    words, position = [], 0
    while rest := text[position:].lstrip():
        position = len(text) - len(rest)
        match = _WORD.match(text, position)
        if match is None or (match.end() < len(text) and not text[match.end()].isspace()):
            raise _refused(f"a quote is open at {text[match.end() if match else position :][:20]!r}. Close it.")
        pieces = list(_PIECE.finditer(match[0]))
        words.append(("".join(map(_unquoted, pieces)), any(piece[4] is None for piece in pieces)))
        position = match.end()
    return words


def _unquoted(piece: re.Match[str]) -> str:
    double, single, escaped, plain = piece.groups()
    if double is not None:
        return re.sub(r'\\(["\\])', r"\1", double)
    return next(part for part in (single, escaped, plain) if part is not None)


def _argument(word: str, quoted: bool, event: EventType) -> tuple[str | Placeholder, ...]:
    parts: list[str | Placeholder] = []
    position = 0
    for match in _PLACEHOLDER.finditer(word):
        parts += [word[position : match.start()]] if match.start() > position else []
        parts.append(_placeholder(match[1], event))
        position = match.end()
    if position < len(word):
        parts.append(word[position:])
    stray = next((part for part in parts if isinstance(part, str) and ("<" in part or ">" in part)), None)
    if stray is not None and not quoted:
        raise _refused(
            f"{stray!r} is neither a placeholder such as <new_{event.parameters[0].name}> nor in quotes. A script can"
            " redirect; a command cannot."
        )
    return tuple(parts)


def _placeholder(written: str, event: EventType) -> Placeholder:
    name = written.lower()
    known = placeholders(event)
    if name in known:
        return Placeholder(name)
    if name in [f"{side}_{each.name}" for each in event.parameters if each.secret for side in SIDES]:
        raise _refused(
            f"<{name}> is a password, and every user of the server can read the arguments of a program. Leave it out,"
            f" have passwords passed to the handler, and read the variable {name.upper()} in it."
        )
    near = get_close_matches(name, known, 3, 0.6)
    hint = f"Did you mean {' or '.join(f'<{each}>' for each in near)}?" if near else "There is nothing like it."
    raise _refused(
        f"<{written[:64]}> is no parameter of {event.name}. {hint} It has {', '.join(f'<{each}>' for each in known)}."
    )
