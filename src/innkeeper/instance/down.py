"""Ends an instance: exactly what `up` started, and with `purge` everything that it made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from innkeeper.instance import database, machine, processes, tree, users
from innkeeper.instance.config import Instance, InstanceError
from innkeeper.instance.report import Report
from innkeeper.instance.supervision import Supervisor
from innkeeper.instance.up import OPENED


def down(state: Path, report: Report, *, purge: bool) -> None:
    """End every process of the instance; with `purge` remove its folder, users and database roles too.

    Raises InstanceError when a process will not end.
    """
    machine.check_root()
    instance = Instance.load(state.resolve())
    supervisor = Supervisor(instance)
    if supervisor.answers():
        report.step("ending the programs, the last started first")
        supervisor.shut_down()
    left = processes.of_instance(instance)
    if left:
        report.step(f"ending {len(left)} processes that were left")
        processes.end(left)
    left = processes.of_instance(instance)
    if left:
        raise InstanceError("These processes do not end: " + ", ".join(f"{p.command} ({p.pid})" for p in left))
    _close_parents(instance)
    tree.remove_sockets(instance)
    report.step("everything is down")
    if purge:
        if instance.database.server:
            report.step(_drop_roles(instance))
        users.remove(instance)
        shutil.rmtree(instance.state)
        report.step(f"removed the users and {instance.state}")


def _drop_roles(instance: Instance) -> str:
    """Remove the daemons' database roles; what became of them. A server that is gone for good holds nothing up."""
    try:
        database.drop_roles(instance)
    except InstanceError as error:
        names = f"{instance.database.policy_role}, {instance.database.lookup_role}"
        return f"{error} If it comes back, remove there what stays: DROP OWNED BY {names}; DROP ROLE {names}"
    return f"removed the daemons' roles; the panel's tables stay in {instance.database.shown}"


def _close_parents(instance: Instance) -> None:
    path = instance.state / OPENED
    if path.exists() and users.present(instance):
        machine.close_parents(instance, users.ids(instance), [Path(p) for p in json.loads(path.read_text())])
        path.unlink()
