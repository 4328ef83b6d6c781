"""`up`, `down` and `status`, handed over by the script `innkeeper` once Python and the environment are there."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from innkeeper.instance import machine, status
from innkeeper.instance.config import Instance, InstanceError, check_state_path
from innkeeper.instance.down import down
from innkeeper.instance.report import Report
from innkeeper.instance.up import Wanted, describe, show, up


def parser() -> argparse.ArgumentParser:
    """The command line of the three commands."""
    parser = argparse.ArgumentParser(prog="innkeeper", description="A private instance of Innkeeper.")
    parser.add_argument("--environment", type=Path, default=Path(sys.prefix), help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    default = os.environ.get("INNKEEPER_STATE", "var")
    common.add_argument("--state", type=Path, default=Path(default), help="state folder (default: ./var)")

    begin = commands.add_parser("up", parents=[common], help="bring the instance up, or find that it is up")
    begin.add_argument("--port-base", type=int, help="add N to each port, so that several instances run side by side")
    begin.add_argument(
        "--database",
        metavar="URL",
        default=os.environ.get("INNKEEPER_DATABASE"),
        help="postgresql://USER:PASSWORD@HOST:PORT/NAME (default: SQLite). In the environment variable"
        " INNKEEPER_DATABASE its password is in no argument",
    )
    begin.add_argument("--no-demo", action="store_true", help="leave the demonstration out")
    begin.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    end = commands.add_parser("down", parents=[common], help="end what `up` started")
    end.add_argument("--purge", action="store_true", help="remove the state folder and the users too")

    look = commands.add_parser("status", parents=[common], help="say what runs; exit code 0 only if all does")
    look.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """One `up` or `down` of a state folder at a time. The lock is the folder itself, which is made for it.

    A folder that was made for a command that then refused is removed again.
    """
    folder = check_state_path(state)
    machine.check_root()
    made = not folder.exists()
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InstanceError("Another `up` or `down` works on this folder. Wait until it has ended.") from None
        yield
    finally:
        os.close(fd)
        if made:
            with suppress(OSError):  # not empty any more, or gone
                folder.rmdir()


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        if options.command == "status":
            result = status.status(options.state)
            text = json.dumps(result) if options.json else "\n".join(status.lines(result))
            sys.stdout.write(text + "\n")
            return 0 if result["up"] else 1
        if options.command == "down":
            Instance.load(options.state.resolve())  # or there is nothing to lock
        with alone(options.state):
            if options.command == "down":
                down(options.state, Report(sys.stdout), purge=options.purge)
                return 0
            wanted = Wanted(
                state=options.state,
                environment=options.environment,
                port_base=options.port_base,
                database_url=options.database,
                demo=not options.no_demo,
            )
            _, new = describe(wanted)
            result = up(wanted, Report(sys.stderr if options.json else sys.stdout))
            if options.json:
                sys.stdout.write(json.dumps(result) + "\n")
            else:
                show(result, Instance.load(options.state.resolve()), new)
            sys.stdout.flush()
    except InstanceError as error:
        sys.stderr.write(f"innkeeper: {error}\n")
        return 1
    except BrokenPipeError:
        # Whoever read the output has left; the exit must not try to write to it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        sys.stderr.write(f"innkeeper: {error.strerror}{where}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
