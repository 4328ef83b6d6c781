"""Brings an instance up, or finds that it is up."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from innkeeper.instance import database, demo, machine, mailserver, processes, program, readiness, security, tree, users
from innkeeper.instance.config import (
    FILE_NAME,
    Instance,
    InstanceError,
    Ports,
    check_state_path,
    database_password,
    parse_database_url,
    write_file,
)
from innkeeper.instance.programs import MAIL, programs
from innkeeper.instance.report import Report
from innkeeper.instance.supervision import RUNNING, Supervisor, write_config
from innkeeper.instance.users import Ids

OPENED = "opened-parents.json"
APPLIED = "applied.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    state: Path
    environment: Path
    port_base: int | None = None
    database_url: str | None = None
    demo: bool = True


def describe(wanted: Wanted) -> tuple[Instance, bool]:
    """The instance of a state folder, and whether it is new.

    Raises InstanceError when the folder holds an instance that was asked for differently.
    """
    state = check_state_path(wanted.state)
    if not (state / FILE_NAME).exists():
        # A file of that name is the first that an `up` writes; one that was cut short there may go on.
        if state.exists() and any(path.name != f"{FILE_NAME}.new" for path in state.iterdir()):
            raise InstanceError(f"{state} is not empty and holds no instance. Name an empty or a new folder.")
        return (
            Instance.new(
                state,
                environment=wanted.environment,
                port_base=wanted.port_base or 0,
                database_url=wanted.database_url,
            ),
            True,
        )
    instance = Instance.load(state)
    if instance.state != state:
        raise InstanceError(f"The instance in {state} was made in {instance.state}; move it back there.")
    if wanted.database_url and parse_database_url(wanted.database_url) != instance.database.server:
        raise InstanceError(f"This instance uses the database {instance.database.shown}. Use another --state.")
    if wanted.port_base is not None:
        ports = Ports.with_base(wanted.port_base)
        if ports != instance.ports and Supervisor(instance).answers():
            raise InstanceError("This instance runs on other ports. Bring it down first.")
        instance = dataclasses.replace(instance, ports=ports)
    return dataclasses.replace(instance, environment=wanted.environment), False


def up(wanted: Wanted, report: Report) -> dict[str, Any]:
    """Bring the instance up and wait until every program does its work; what `--json` prints.

    Raises InstanceError with a sentence for the user.
    """
    machine.check_root()
    instance, new = describe(wanted)
    machine.check_disk(instance.state)
    program.refuse_newer(instance)
    supervisor = Supervisor(instance)
    if not new:
        _clear_leftovers(instance, supervisor, report)
    if not supervisor.answers():
        machine.check_ports(instance.host, instance.ports)

    if not instance.first_id:
        instance = dataclasses.replace(instance, first_id=users.free_range(instance.tag))
    ids = users.ensure(instance)
    instance.state.mkdir(mode=0o755, parents=True, exist_ok=True)
    instance.save(ids.group)
    tree.make_sockets(instance)
    tree.make_folders(instance, ids)
    tree.make_handler_policy(instance)
    _open_parents(instance, ids, report)
    password = database_password(wanted.database_url) if wanted.database_url else None
    first = not program.was_ever_recorded(instance)
    # An `up` that was cut short may have made the administrator with the password of its file: that one stays.
    fresh = first and not (instance.secrets / "admin-password").exists()
    tree.make_secrets(instance, ids, password, first=first)
    tree.make_certificate(instance, ids)
    program.lay(instance)
    security.prepare(instance, report)
    _check_program(instance, ids)
    digests = mailserver.write(instance, ids)
    write_config(instance, programs(instance))

    if not supervisor.answers():
        supervisor.launch()
    elif supervisor.reload_config():
        report.step("took over a changed configuration")
    names = [p.name for p in programs(instance)]
    if not program.is_recorded(instance):
        report.step("making the database ready")
        if names[0] == "keeper" and instance.database.path.exists():
            # The set-up leaves as the last that can write, while the daemons read on.
            supervisor.start("keeper")
            readiness.wait(instance, supervisor, "keeper")
        for name in reversed(names):
            if name not in MAIL:
                supervisor.stop(name)
        if instance.database.server:
            database.make_roles(instance)
        if not database.set_up(instance, ids) and fresh:
            (instance.secrets / "admin-password").unlink()
            report.step("the database has its administrator already, with the password of before")
        program.record(instance)
    started = _start(instance, supervisor, names, digests, report)
    program.forget_old(instance)

    report.step("everything was up already" if not started else "everything is up")
    shown = _demo(instance, report) if wanted.demo else None
    return summary(instance, shown)


def _start(
    instance: Instance, supervisor: Supervisor, names: list[str], digests: dict[str, str], report: Report
) -> list[str]:
    """Start what does not run and restart what runs with another configuration; what was started."""
    started = []
    probes = readiness.probes(instance)
    path = instance.run_dir / APPLIED
    applied: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        state = supervisor.states().get(name, {}).get("statename")
        if applied.get(name) != digests.get(name):
            supervisor.stop(name)
        elif state == RUNNING and readiness.works(probes.get(name, lambda: True)):
            continue
        begun = time.monotonic()
        supervisor.start(name)
        readiness.wait(instance, supervisor, name)
        if name in digests:
            # Noted only now: an `up` that is cut short before restarts the program next time.
            applied[name] = digests[name]
            write_file(path, json.dumps(applied) + "\n", mode=0o600)
        report.step(f"{name} is ready", time.monotonic() - begun)
        started.append(name)
    return started


def _clear_leftovers(instance: Instance, supervisor: Supervisor, report: Report) -> None:
    """End what a killed supervisor or program left behind: its children run on, and hold the ports."""
    left = processes.strays(instance, supervisor.pid())
    if left:
        report.step(f"ending {len(left)} processes that lost their parent")
        processes.end(left)


def _open_parents(instance: Instance, ids: Ids, report: Report) -> None:
    opened = machine.open_parents(instance, ids)
    if opened:
        path = instance.state / OPENED
        known = json.loads(path.read_text()) if path.exists() else []
        write_file(path, json.dumps(sorted({*known, *map(str, opened)})) + "\n", mode=0o600)
        folders = ", ".join(map(str, opened))
        report.step(f"let the service users pass through {folders} (an ACL entry x, taken back by `down`)")


def _check_program(instance: Instance, ids: Ids) -> None:
    """Raises InstanceError when the panel's user cannot run the program: a folder on the way is closed to it."""
    done = subprocess.run(
        [str(instance.python), "-c", "import innkeeper"],
        env=database.program_environment(instance),
        cwd="/",
        user=ids.panel,
        group=ids.group,
        extra_groups=[],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise InstanceError(
            f"The user {instance.users.panel} cannot read {instance.program} or {instance.environment}."
            " Choose a place that is open to it with --state."
        )


def _demo(instance: Instance, report: Report) -> list[dict[str, Any]] | None:
    path = instance.state / "demo.json"
    if path.exists():
        steps: list[dict[str, Any]] = json.loads(path.read_text())
        return steps
    if not (instance.secrets / "admin-password").exists():
        report.step("the demonstration is left out: the administrator's password is not known here")
        return None
    steps = demo.run(instance, report)
    write_file(path, json.dumps(steps) + "\n", mode=0o644)
    return steps


def summary(instance: Instance, steps: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Where everything is. No secret."""
    ports = dataclasses.asdict(instance.ports)
    panel = ports.pop("panel")
    password_file = instance.secrets / "admin-password"
    return {
        "panel": {
            "url": f"https://{instance.host}:{panel}/",
            "admin": "admin",
            "password_file": str(password_file) if password_file.exists() else None,
        },
        **{name: {"host": instance.host, "port": port} for name, port in ports.items()},
        "database": instance.database.shown,
        "state": str(instance.state),
        "demo": steps,
    }


def show(result: dict[str, Any], instance: Instance, new: bool) -> None:
    """Print where to log in; the password only the first time."""
    out = sys.stdout
    out.write(f"\nPanel       {result['panel']['url']}  (user admin)\n")
    if not result["panel"]["password_file"]:
        out.write("Password    the one that the administrator has\n")
    elif new:
        out.write(f"Password    {(instance.secrets / 'admin-password').read_text().strip()}  (shown once)\n")
    if result["panel"]["password_file"]:
        out.write(f"            it stands in {result['panel']['password_file']}\n")
    for name, label in (("smtp", "SMTP"), ("submission", "Submission"), ("imap", "IMAP"), ("pop3", "POP3")):
        out.write(f"{label:<12}{result[name]['host']}:{result[name]['port']}\n")
    out.write(f"ManageSieve {result['sieve']['host']}:{result['sieve']['port']}\n")
    out.write(f"Database    {result['database']}\nState       {result['state']}\n")
