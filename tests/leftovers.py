"""Removes what killed test runs leave in /etc/passwd: the users of instances whose state folder is gone."""

from __future__ import annotations

import pwd
from collections.abc import Iterable
from pathlib import Path

from innkeeper.instance import passwd, processes, users
from innkeeper.instance.config import Instance, InstanceError


def forgotten(accounts: Iterable[pwd.struct_passwd]) -> list[Instance]:
    """Instances that have users, named by their comment, and no state folder any more."""
    found: dict[str, Instance] = {}
    for account in accounts:
        state = Path(account.pw_gecos.removeprefix(users.COMMENT))
        if not account.pw_gecos.startswith(users.COMMENT) or not state.is_absolute() or state.exists():
            continue
        try:
            instance = Instance.new(state, environment=Path("/nonexistent"))
        except InstanceError:
            continue
        # Both must agree: the name carries a digest of the folder that the comment names.
        if f"{account.pw_name}-".startswith(f"{instance.name}-"):
            found[instance.tag] = instance
    return list(found.values())


def sweep() -> list[str]:
    """Remove the users and groups of forgotten instances of which no process runs; the instances' names."""
    swept = []
    for instance in forgotten(pwd.getpwall()):
        if not processes.of_instance(instance):
            comment = users.comment_of(instance)
            passwd.remove(lambda _name, _number, text, wanted=comment: text == wanted)
            users.remove(instance)
            swept.append(instance.name)
    return swept
