"""`call`: a packet of the XML protocol, from a file or standard input."""

from __future__ import annotations

import sys

from innkeeper.doors.cli.client import FAILED, CommandFailed, ask
from innkeeper.doors.cli.parser import Parser

MAXIMUM = 20 * 1024 * 1024
"""What the packet door takes from the administrator."""

HELP = "Send a packet of the XML protocol as the administrator; its answer goes to standard output."


def main(words: list[str]) -> int:
    """Run `innkeeper call WORDS`."""
    parser = Parser("call", HELP)
    parser.add_argument("file", metavar="FILE", nargs="?", default="-", help="the packet (default: standard input)")
    parser.add_argument("--pretty", action="store_true", help="one element a line")
    options = parser.parse(words)
    if options.file == "-":
        packet = sys.stdin.buffer.read(MAXIMUM + 1)
    else:
        try:
            with open(options.file, "rb") as file:  # noqa: PTH123  pathlib takes 8 ms to import
                packet = file.read(MAXIMUM + 1)
        except OSError as error:
            raise CommandFailed(f"{options.file}: {error.strerror}.", FAILED) from None
    if len(packet) > MAXIMUM:
        raise CommandFailed(f"The packet is longer than {MAXIMUM} bytes. Split it.", FAILED)
    request = {"command": "packet.call", "arguments": {"pretty": options.pretty}}
    ask(options.state, request, packet, on_data=sys.stdout.buffer.write)
    sys.stdout.buffer.flush()
    return 0
