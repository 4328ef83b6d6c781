"""The commands for one server's policies."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from innkeeper.instance.config import Instance
from innkeeper.permissions import printing
from innkeeper.permissions.posix import limits
from innkeeper.permissions.printing import as_json, change_text, out
from innkeeper.permissions.server import disk, running
from innkeeper.permissions.server.layout import Layout
from innkeeper.permissions.server.running import How, Outcome


def layout_of(arguments: argparse.Namespace) -> Layout:
    """The server that the arguments name.

    Raises: ConfigError.
    """
    return Layout.of(Instance.load(arguments.state.resolve()))


def _disk(arguments: argparse.Namespace) -> int:
    layout = layout_of(arguments)
    start: tuple[str, ...] = ()
    if arguments.path:
        start = disk.parts_of(layout, real(arguments.path))
    with running.locked(layout, "disk"):
        outcome = running.run(layout, disk.policy(layout), layout.root, disk.files(layout), how(arguments, start))
    return told([outcome], arguments)


def how(arguments: argparse.Namespace, start: tuple[str, ...] = ()) -> How:
    """How the arguments want a run."""
    streams = arguments.plan and not arguments.json
    return How(
        dry=not arguments.apply,
        start=start,
        jobs=arguments.jobs,
        told=(lambda change: out(change_text(change))) if streams else None,
        progress=printing.progress if sys.stderr.isatty() and not arguments.json else None,
    )


def told(outcomes: list[Outcome], arguments: argparse.Namespace) -> int:
    """Print runs or plans; the exit code of all."""
    dry = not arguments.apply
    held = [limits.of_policy(outcome.policy) for outcome in outcomes]
    if arguments.json:
        runs = [
            printing.run_data(outcome.policy, outcome.run, outcome.changes if arguments.plan else None, known)
            for outcome, known in zip(outcomes, held, strict=True)
        ]
        as_json({"runs": runs})
    else:
        for outcome, known in zip(outcomes, held, strict=True):
            if arguments.check:
                for change in outcome.changes[:SHOWN]:
                    out(printing.printable(change["path"]))
                if len(outcome.changes) > SHOWN:
                    out(f"... and {len(outcome.changes) - SHOWN} more; --plan shows each with its rules")
                printing.summary(outcome.run.report, "differ")
            else:
                printing.run_text(outcome.policy, outcome.run, known, dry=dry)
    return max(
        (
            max(printing.run_code(outcome.run.report, dry=dry), printing.DIFFERENCES if outcome.policy.findings else 0)
            for outcome in outcomes
        ),
        default=printing.IN_ORDER,
    )


SHOWN = 100


def real(path: Path) -> Path:
    """A path with its folder resolved and its last name as it is: a link is not what it leads to."""
    path = path.absolute()
    return path.parent.resolve() / path.name if path.name not in ("", "..") else path.resolve()


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {"disk": _disk}
