"""What the commands print: runs, plans, findings; for people, or as one JSON object."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from innkeeper.core.loglines import visible
from innkeeper.permissions import apply
from innkeeper.permissions.policy import Ground, Policy
from innkeeper.permissions.posix import limits
from innkeeper.permissions.report import Report
from innkeeper.permissions.stores.base import Store

IN_ORDER, DIFFERENCES, ERROR = 0, 1, 2


Held = dict[int, list[limits.Limit]]


def run_data(
    policy: Policy, done: apply.Run, planned: list[dict[str, Any]] | None = None, held: Held | None = None
) -> dict[str, Any]:
    """A run, or a plan, as plain data; ``held`` says of each rule what its store cannot hold."""
    held = held or {}
    rules = [
        {
            "rule": str(rule), "place": rule.place, "changed": done.report.by_rule[rule.number],
            "effect": limits.effect(held.get(rule.number, [])),
            "limits": [{"code": item.code, "effect": item.effect, "message": item.message}
                       for item in held.get(rule.number, [])],
        }
        for rule in policy.rules
    ]  # fmt: skip
    findings = [finding.as_dict() for finding in policy.findings]
    result = {"run": done.name, "rules": rules, "findings": findings, **done.report.as_dict()}
    return result if planned is None else result | {"plan": planned}


def run_text(policy: Policy, done: apply.Run, held: Held | None = None, *, dry: bool = False, where: str = "") -> None:
    """Print a run, or a plan, for people. ``where`` are the arguments that say where its journal is."""
    held = held or {}
    for finding in policy.findings:
        err(finding)
    for rule in policy.rules:
        codes = "".join(f" [{item.effect}: {item.code}]" for item in held.get(rule.number, []))
        out(f"{rule.place}: {done.report.by_rule[rule.number]} objects: {rule}{codes}")
    summary(done.report, "would change" if dry else "changed")
    way_back(done, where)


def way_back(done: apply.Run, where: str) -> None:
    """Say how a run is undone, if it is on record; ``where`` are the arguments that say where."""
    if done.name:
        out(f"run {done.name}; undo it with: innkeeper security undo {done.name}{where}")


def run_code(report: Report, *, dry: bool = False) -> int:
    """The exit code of a run, or of a plan; says why it stopped if it did."""
    if report.stopped:
        err(f"innkeeper security: stopped: {report.stopped}")
        return ERROR
    is_different = report.problem_count or (dry and report.changed + report.created)
    return DIFFERENCES if is_different else IN_ORDER


def summary(report: Report, verb: str) -> None:
    """Print the counts of a run and what went wrong in it."""
    for item in (*report.absent, *report.problems):
        err(item)
    skipped = "".join(f", {count} {reason}" for reason, count in sorted(report.skipped.items()))
    out(
        f"{report.folders} folders and {report.files} files looked at, {report.changed} {verb}, "
        f"{report.created} made, {report.vanished} vanished{skipped and ', left alone: ' + skipped[2:]}"
    )


def change(
    policy: Policy, store: Store[Any], path: tuple[str, ...], states: tuple[Any, Any], ground: Ground | None
) -> dict[str, Any]:
    """One planned change as plain data."""
    numbers = sorted({number for origin in (ground.origins if ground else ()) for number in origin})
    return {
        "path": "/".join(path) or ".",
        "old": None if states[0] is None else store.describe(states[0]),
        "new": None if states[1] is None else store.describe(states[1]),
        "rules": [policy.rules[number].place for number in numbers],
    }


def change_text(change: dict[str, Any]) -> str:
    """One planned change for people."""
    path = printable(change["path"])
    if change["new"] is None:
        return f"make {path}"
    why = ", ".join(change["rules"]) or ("what the last run left" if change.get("by_hand") else "passage")
    return f"{path}\n  - {change['old']}\n  + {change['new']}\n  by {why}"


def progress(report: Report) -> None:
    """Show on a terminal how far a run is."""
    sys.stderr.write(f"\r{report.objects} looked at, {report.changed} changed")
    sys.stderr.flush()


def as_json(data: dict[str, Any]) -> None:
    """Print the one JSON object."""
    out(json.dumps(data, indent=2))


def printable(text: str) -> str:
    """A text on one line, whatever names it holds: a terminal takes none for a command, and fails at none."""
    return visible(os.fsencode(text).decode("utf-8", "backslashreplace"))


def out(text: object) -> None:
    """Print lines, whose fields may be parted by tabs."""
    sys.stdout.write(f"{_printable_lines(text)}\n")


def err(text: object) -> None:
    """Print lines on standard error."""
    sys.stderr.write(f"{_printable_lines(text)}\n")


def _printable_lines(text: object) -> str:
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in str(text).split("\n"))
