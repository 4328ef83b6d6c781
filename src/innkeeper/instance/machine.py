"""What the machine must offer before an instance can be brought up on it. Each refusal says what to do."""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
from pathlib import Path

from innkeeper.instance import acl, users
from innkeeper.instance.config import Instance, InstanceError, Ports
from innkeeper.instance.users import Ids

NEEDED_BYTES = 300 * 1024 * 1024


def check_root() -> None:
    """Raises InstanceError unless run by root."""
    if os.geteuid() != 0:
        raise InstanceError("This needs root: mail daemons run as users of their own. Run it with sudo.")


def check_disk(state: Path) -> None:
    """Raises InstanceError when the state folder's disk is nearly full."""
    folder = state
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise InstanceError(
            f"The disk of {folder} has {free // 2**20} MiB left; an instance needs {NEEDED_BYTES // 2**20} MiB."
            " Free some space, or choose another place with --state."
        )


def check_ports(host: str, ports: Ports) -> None:
    """Raises InstanceError when a port of an instance that is down is somebody else's."""
    for name, port in dataclasses.asdict(ports).items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                raise InstanceError(
                    f"The {name} port {host}:{port} is taken by another program."
                    " End that program, or move all ports with --port-base N."
                ) from None


def open_parents(instance: Instance, ids: Ids) -> list[Path]:
    """Let the service users pass through parents of the state folder that are closed to them; which ones were changed.

    Raises InstanceError where that is impossible.
    """
    entries: list[tuple[acl.Kind, int]] = [
        ("group", ids.database_group),
        ("user", ids.panel),
        ("user", ids.mail),
        *(("group", number) for number in ids.hosting_groups),
    ]
    changed = []
    for folder in reversed(instance.state.parents):
        if folder.stat().st_mode & 0o001:
            continue
        try:
            opened = [acl.let_pass(folder, kind, number) for kind, number in entries]
        except OSError as error:
            raise InstanceError(
                f"The service users cannot enter {folder}, and its file system takes no ACL ({error.strerror})."
                " Choose a place that is open to them with --state."
            ) from None
        if any(opened):
            changed.append(folder)
    return changed


def close_parents(instance: Instance, ids: Ids, folders: list[Path]) -> None:
    """Take back what `open_parents` did. The group is shared: its entry stays while another instance needs it."""
    for folder in folders:
        acl.take_back(folder, "user", ids.panel)
        acl.take_back(folder, "user", ids.mail)
        for number in ids.hosting_groups:
            acl.take_back(folder, "group", number)
        if not any(users.is_instance_user(number) for number in acl.named_users(folder)):
            acl.take_back(folder, "group", ids.database_group)
