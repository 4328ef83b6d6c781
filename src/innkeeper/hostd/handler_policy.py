"""Whom handlers of events may run as: `STATE/etc/event-handlers.toml`, which belongs to root.

The panel can ask for any user; this file decides. An account that it does not name may be used if it is an ordinary
one, gets nothing from set-uid programs, and is in no group that leads to root. Every other account needs an entry, and
root's entry names the very programs, which nobody but root can have written.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from innkeeper.hostd.requests import BadRequestError
from innkeeper.instance.config import Instance

LOGIN_DEFS = Path("/etc/login.defs")
LEADS_TO_ROOT = frozenset(
    {"root", "sudo", "wheel", "admin", "staff", "docker", "lxd", "incus", "libvirt", "disk", "kmem", "shadow"}
)
ANY = "any"


@dataclass(frozen=True, slots=True)
class Account:
    """A user that a handler may run as, with everything that becoming it takes."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    is_named: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """What the file says. `lock` forbids root whatever an entry says."""

    ordinary: bool
    users: dict[str, str | list[str]] = field(default_factory=dict)
    is_root_locked: bool = False

    @classmethod
    def load(cls, instance: Instance) -> Policy:
        """Read the file. Raises BadRequestError when it cannot be relied on: then nobody may be run as."""
        path = instance.handler_policy
        try:
            with path.open("rb") as file:
                if unsafe := _unsafe(os.fstat(file.fileno())):
                    raise BadRequestError(f"{path} {unsafe}, so no handler may run")
                data = tomllib.load(file)
        except FileNotFoundError:
            raise BadRequestError(f"{path} is missing, so no handler may run; `innkeeper up` writes it anew") from None
        except (OSError, ValueError) as error:
            raise BadRequestError(f"{path} cannot be read ({error}), so no handler may run") from None
        users = data.get("users", {})
        if not isinstance(users, dict) or not all(map(_is_entry, users.values())):
            raise BadRequestError(f'{path}: each entry of [users] is "{ANY}" or a list of full paths')
        return cls(data.get("ordinary") is True, users, os.path.lexists(instance.root_handler_lock))

    def accounts(self) -> list[str]:
        """The accounts that may be used, the default first: those with an entry, root last of them, then the others."""
        found = [name for name in sorted(self.users, key=lambda name: name == "root") if self._refusal(name) is None]
        if self.ordinary:
            found += [each.pw_name for each in pwd.getpwall() if each.pw_name not in found and _is_ordinary(each)]
        return found

    def account(self, name: str, path: str) -> Account:
        """The account for running a program. Raises BadRequestError, which says why not."""
        if refusal := self._refusal(name):
            raise BadRequestError(f"user: {refusal}")
        entry = self.users.get(name)
        if isinstance(entry, list) and path not in entry:
            raise BadRequestError(f"command: the entry of {name} in event-handlers.toml does not name {path}")
        found = pwd.getpwnam(name)
        if found.pw_uid == 0:
            _check_roots_own(path)
        groups = tuple(os.getgrouplist(name, found.pw_gid))
        return Account(name, found.pw_uid, found.pw_gid, groups, found.pw_dir, entry is not None)

    def _refusal(self, name: str) -> str | None:
        """Why an account may not be used, or None."""
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            return f"there is no system user {name}"
        entry = self.users.get(name)
        if found.pw_uid == 0:
            if self.is_root_locked:
                return "root is forbidden by root.event_handler.lock"
            if not isinstance(entry, list):
                return "root needs an entry in event-handlers.toml that names the programs"
            return None
        if entry is None and not (self.ordinary and _is_ordinary(found)):
            return (
                f"{name} is a service user, a system account, or in a group that leads to root;"
                " it needs an entry in event-handlers.toml"
            )
        return None


def _is_entry(value: Any) -> bool:
    return value == ANY or (isinstance(value, list) and all(isinstance(path, str) for path in value))


def _is_ordinary(account: pwd.struct_passwd) -> bool:
    low, high = _ordinary_uids()
    if not low <= account.pw_uid <= high:
        return False
    for gid in os.getgrouplist(account.pw_name, account.pw_gid):
        try:
            if gid == 0 or grp.getgrgid(gid).gr_name in LEADS_TO_ROOT:
                return False
        except KeyError:
            continue
    return True


def _ordinary_uids() -> tuple[int, int]:
    """The numbers that the distribution gives to ordinary accounts."""
    try:
        text = LOGIN_DEFS.read_text(errors="replace")
    except OSError:
        text = ""
    found = dict(re.findall(r"^(UID_MIN|UID_MAX)\s+(\d+)", text, re.MULTILINE))
    return max(int(found.get("UID_MIN", 1000)), 100), min(int(found.get("UID_MAX", 60000)), 60000)


def _check_roots_own(path: str) -> None:
    """Raises BadRequestError unless root alone can have written a program and could replace it."""
    if os.path.realpath(path) != path:
        raise BadRequestError(f"command: for root, give {path} without links and dots")
    for part in (Path(path), *Path(path).parents):
        try:
            found = part.lstat()
        except OSError as error:
            raise BadRequestError(f"command: {part}: {error.strerror}") from None
        if unsafe := _unsafe(found):
            raise BadRequestError(f"command: {part} {unsafe}, so it may not run as root")


def _unsafe(found: os.stat_result) -> str | None:
    """Why somebody else than root could change this, or None. An ACL shows in the group's bits."""
    if found.st_uid != 0:
        return "does not belong to root"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be written by others than root"
    return None
