"""`health`: what needs attention."""

from __future__ import annotations

from innkeeper.doors.cli import output
from innkeeper.doors.cli.client import ask
from innkeeper.doors.cli.parser import Parser

HELP = "Say what needs attention; exit code 0 only if nothing does."


def main(words: list[str]) -> int:
    """Run `innkeeper health WORDS`."""
    options = Parser("health", HELP).parse(words)
    result = ask(options.state, {"command": "health.show"})
    if options.json:
        output.as_json(result)
    else:
        for entry in result["entries"]:
            output.line(f"{'ok' if entry['ok'] else 'BAD':<4}{entry['name']}: {entry['detail']}")
    return 0 if result["ok"] else 1
