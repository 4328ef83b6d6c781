"""The thin client: `innkeeper COMMAND ...` ends here for every command that talks to a running instance."""

from __future__ import annotations

import io
import os
import sys

from innkeeper.doors.cli import output
from innkeeper.doors.cli.client import CommandFailed
from innkeeper.doors.cli.parser import USAGE, UsageError, near

GROUPS = {
    "mail": "mail accounts",
    "customer": "customers",
    "webspace": "webspaces (subscriptions)",
    "site": "sites (domains)",
    "subdomain": "subdomains with their web hosting",
    "webuser": "web users: home pages below a domain",
    "ftp-account": "additional FTP accounts",
    "event-handler": "what runs when something happened in the panel",
    "bin": "utilities with the names and options of Plesk's",
    "call": "a packet of the XML protocol from a file or standard input",
    "health": "what needs attention",
    "component-paths": "the folders that names in rules for permissions stand for",
}
ELSEWHERE = ("up", "down", "status", "test", "bench", "security")
"""Commands that the script `innkeeper` runs by itself."""


def usage() -> str:
    """The help of all."""
    width = max(map(len, GROUPS))
    return "Usage: innkeeper COMMAND ... [--state DIR] [--json]\n\n" + "\n".join(
        f"  {name:<{width}}  {what}" for name, what in GROUPS.items()
    )


def run(words: list[str]) -> int:
    """Run a command line; its exit code. Raises CommandFailed."""
    if not words or words[0] in ("-h", "--help"):
        output.lines(usage())
        return 0 if words else USAGE
    name = words[0]
    if name not in GROUPS:
        raise UsageError(f"{name}: no such command.{near(name, [*GROUPS, *ELSEWHERE])} `innkeeper --help` shows all.")
    # Each group is a module; only the one that is used is loaded.
    module = __import__(f"innkeeper.doors.cli.commands.{name.replace('-', '_')}", fromlist=["main"])
    code: int = module.main(words[1:])
    return code


def main() -> int:
    words = sys.argv[1:]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale that cannot show a name must not end a command
    try:
        code = run(words)
        sys.stdout.flush()
    except CommandFailed as error:
        output.failure(error.message, error.code, error.field, as_object="--json" in words)
        return error.code
    except UnicodeError:
        output.failure("What was given is not UTF-8. Write arguments and input in UTF-8.", USAGE, None, as_object=False)
        return USAGE
    except BrokenPipeError:
        # Whoever read our output has enough, as `head` does; Python must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
