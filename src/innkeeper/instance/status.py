"""Says what of an instance runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from innkeeper.instance import readiness, users
from innkeeper.instance.config import Instance
from innkeeper.instance.programs import programs
from innkeeper.instance.supervision import RUNNING, Supervisor

CONSEQUENCES = {
    "policy": "mail is accepted without the hourly limit, and full mailboxes are refused only at delivery",
    "worker": "background work waits",
    "hostd": "open sessions of changed accounts are not ended",
}
"""What a program's absence means for the users, where it is not plain."""


def status(state: Path) -> dict[str, Any]:
    """What runs, with `up` true only if everything does its work. Raises InstanceError if there is no instance."""
    instance = Instance.load(state.resolve())
    supervisor = Supervisor(instance)
    states = supervisor.states()
    probes = readiness.probes(instance)
    found: dict[str, dict[str, Any]] = {}
    for program in programs(instance):
        info = states.get(program.name, {})
        runs = info.get("statename") in (RUNNING, "STARTING")
        works = runs and readiness.works(probes.get(program.name, lambda: True))
        found[program.name] = {
            "state": "up" if works else "not answering" if runs else "down",
            "pid": info.get("pid") or None,
            "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(info["start"])) if runs else None,
        }
        if not works and program.name in CONSEQUENCES:
            found[program.name]["consequence"] = CONSEQUENCES[program.name]
    return {
        "up": bool(states) and all(entry["state"] == "up" for entry in found.values()),
        "state": str(instance.state),
        "supervisor": supervisor.pid() or None,
        "programs": found,
        "users": users.present(instance),
        "hosting_users": len(users.hosting_users(instance)),
    }


def lines(result: dict[str, Any]) -> list[str]:
    """The same for a person."""
    text = [f"{result['state']}: {'everything is up' if result['up'] else 'not everything is up'}"]
    for name, entry in result["programs"].items():
        detail = f"pid {entry['pid']}, since {entry['since']}" if entry["pid"] else ""
        consequence = f"  ({entry['consequence']})" if "consequence" in entry else ""
        text.append(f"  {name:<10}{entry['state']:<15}{detail}{consequence}")
    text.append(f"  users     {', '.join(result['users'])}, and {result['hosting_users']} of hosting accounts")
    return text
