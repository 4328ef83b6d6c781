"""Compares the positions that a handler's script reads with the arguments that its command passes. Pure.

It reads scripts as people write them, not as their interpreters would: what it says is a warning, never a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple


class _Language(NamedTuple):
    """How scripts of a language read their arguments: one by its position, and all of them at once."""

    position: re.Pattern[str]
    everything: re.Pattern[str]
    shown: str
    offset: int = 0


_SHELL = _Language(
    re.compile(r"\$(?:([1-9])|\{([1-9][0-9]?)(?![0-9])[^}]*\})"),
    re.compile(r"\$[@*]|\$\{[@*]|\bshift\b|\bgetopts?\b|\bBASH_ARGV\b"),
    "$%s",
)
_LANGUAGES = (
    (re.compile(r"python"), _Language(
        re.compile(r"\bargv\[([0-9]{1,2})\]"), re.compile(r"\bargv\b(?!\[[0-9])|argparse|\bclick\b"), "sys.argv[%s]")),
    (re.compile(r"perl"), _Language(
        re.compile(r"\$ARGV\[([0-9]{1,2})\]"), re.compile(r"@ARGV|\bshift\b|Getopt"), "$ARGV[%s]", 1)),
    (re.compile(r"php"), _Language(
        re.compile(r"\$argv\[([0-9]{1,2})\]"), re.compile(r"\$argv\b(?!\[[0-9])|getopt"), "$argv[%s]")),
    (re.compile(r"(ba|da|k|z|mk)?sh\b"), _SHELL),
)  # fmt: skip

# `%1` of Windows scripts: not a printf format, nor `${name%1}`.
_PERCENT = re.compile(r"(?<![\w$%{}])%([1-9])(?![\w.$%*-])")
_FUNCTION = re.compile(r"^([ \t]*)(?:function[ \t]+[\w:-]+(?:[ \t]*\(\))?|[\w:-]+[ \t]*\(\))\s*\{.*?(?:^\1\}|\}[ \t]*$)", re.M | re.S)  # noqa: E501  # fmt: skip


def warnings(script: str, passed: Sequence[str]) -> list[str]:
    """What does not match between a script and the arguments that its command passes, in sentences for people."""
    language = _language(script)
    found = [_windows_positions(script)] if language is _SHELL else []
    if language is None:
        return []
    text = _shell_text(script) if language is _SHELL else re.sub(r"(?m)(^|\s)#.*$", "", script)
    used = {int(next(filter(None, match.groups()))) + language.offset for match in language.position.finditer(text)}
    used.discard(0)  # the script itself
    if any(found):
        used |= {int(number) for number in _PERCENT.findall(text)}
    takes_all = language.everything.search(text) is not None
    for number in sorted(used):
        if number > len(passed):
            found.append(
                f"The script uses {language.shown % (number - language.offset)}, and the command passes"
                f" {_parameters(len(passed))}. Add what is missing to the command."
            )
    # A script that reads variables of the environment alone may be given what it likes.
    if used and not takes_all:
        for number in sorted(set(range(1, len(passed) + 1)) - used):
            found.append(
                f"The command passes {passed[number - 1]} as {language.shown % (number - language.offset)}, which the"
                " script leaves out."
            )
    return [warning for warning in found if warning]


def _language(script: str) -> _Language | None:
    first = script.partition("\n")[0]
    if not first.startswith("#!"):
        return _SHELL  # the kernel refuses it, and whoever runs it then takes a shell
    return next((language for name, language in _LANGUAGES if name.search(first)), None)


def _windows_positions(script: str) -> str:
    numbers = sorted({int(number) for number in _PERCENT.findall(_shell_text(script))})
    if not numbers:
        return ""
    written = " ".join(f"%{number}" for number in numbers)
    meant = " ".join(f"${number}" for number in numbers)
    return f"The script holds {written}, which a script on Windows would be given as values. Write {meant} here."


def _shell_text(script: str) -> str:
    """A shell script without comments, what stands in single quotes, and its functions, whose `$1` is their own."""
    kept: list[str] = []
    quote, position = "", 0
    while position < len(script):
        character = script[position]
        if quote == "'":
            quote = "" if character == "'" else quote
            kept.append("\n" if character == "\n" else "")
        elif character == "\\":
            position += 1  # whatever comes next is a plain character
        elif character == "'" and not quote:
            quote = "'"
        elif character == "#" and not quote and (position == 0 or script[position - 1] in " \t\n;"):
            end = script.find("\n", position)
            position = len(script) if end < 0 else end
            kept.append("\n")
        else:
            if character == '"':
                quote = "" if quote else '"'
            kept.append(character)
        position += 1
    return _FUNCTION.sub("", "".join(kept))


def _parameters(count: int) -> str:
    return {0: "none", 1: "one"}.get(count, str(count))
