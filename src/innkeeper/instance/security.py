"""The security policies of an instance: their files laid, and the disk policy applied once."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from innkeeper.instance.config import Instance, InstanceError, write_file
from innkeeper.instance.report import Report
from innkeeper.permissions.journal import JournalError
from innkeeper.permissions.rules.finding import RuleError
from innkeeper.permissions.server import disk, hosting, running
from innkeeper.permissions.server.history import MetadataError
from innkeeper.permissions.server.layout import Layout

UTILITIES = ("applysecurity", "hostingsecurity", "packagemng")


def prepare(instance: Instance, report: Report) -> None:
    """Lay the shipped rules, and apply the disk policy unless that has been done.

    What would change is told first, and the journal holds what each object had. Later changes of the rules are
    applied when the administrator says so.

    Raises: InstanceError.
    """
    layout = Layout.of(instance)
    try:
        laid = disk.install(layout)
        for name in laid:
            report.step(f"laid {name}, which is new or has changed")
        if any(name.endswith("_template.xml") for name in laid) and hosting.domains(layout):
            report.step("hosting accounts get what is new by `innkeeper security hosting --instantiate --all`")
        _lay_utilities(instance)
        if not (layout.records / running.FIRST).exists():
            _apply(layout, report)
    except (MetadataError, RuleError, JournalError) as error:
        raise InstanceError(f"The disk policy cannot be applied: {error}") from error


def _apply(layout: Layout, report: Report) -> None:
    with running.locked(layout, "disk"):
        policy = disk.policy(layout)
        files = disk.files(layout)
        plan = running.run(layout, policy, layout.root, files, running.How(dry=True))
        for rule in policy.rules:
            if count := plan.run.report.by_rule[rule.number]:
                report.step(f"disk policy: {count} objects would change by {rule}")
        if plan.run.report.stopped:
            raise InstanceError(f"The disk policy was not applied: {plan.run.report.stopped}")
        done = running.run(layout, policy, layout.root, files, running.How())
    for problem in (*policy.findings, *done.run.report.problems):
        report.step(f"disk policy: {problem}")
    if done.run.report.stopped:
        raise InstanceError(f"The disk policy was not applied to its end: {done.run.report.stopped}")
    how_back = f"; `innkeeper security undo {done.run.name}` takes it back" if done.run.name else ""
    report.step(f"applied the disk policy: {done.run.report.changed} objects changed{how_back}")
    if not policy.unusable:
        about = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "run": done.run.name}
        write_file(layout.records / running.FIRST, json.dumps(about) + "\n", mode=0o600)


def _lay_utilities(instance: Instance) -> None:
    """The utilities under their own names, in the folder that rules call ``[PRODUCT_BIN_D]``."""
    folder = instance.state / "bin"
    folder.mkdir(mode=0o711, exist_ok=True)
    for name in UTILITIES:
        text = (
            "#!/bin/sh\n"
            f"INNKEEPER_STATE={instance.state} PYTHONPATH={instance.program} \\\n"
            f'    exec {instance.python} -P -S -m innkeeper.doors.cli bin {name} "$@"\n'
        )
        write_file(folder / name, text, mode=0o755)
