"""The system users and groups of an instance: its own, named after it, and the distribution's for its daemons."""

from __future__ import annotations

import grp
import pwd
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from innkeeper.instance import passwd
from innkeeper.instance.config import HOSTING_IDS, Instance, InstanceError

DATABASE_GROUP = "postfix"
"""Reads the SQLite file. It is Postfix's own group, so that no account of the machine has to be changed."""

COMMENT = "Innkeeper "
"""Begins the comment of every user of an instance; the state folder follows."""

FIRST_HOSTING_ID, LAST_HOSTING_ID = 1_879_048_192, 2_147_483_646
"""The numbers between those of containers and the end: no other program hands them out."""

DAEMON_USERS = ("postfix", "dovecot", "dovenull")


@dataclass(frozen=True, slots=True)
class Ids:
    """Numbers of the users and groups that own the instance's files."""

    panel: int
    group: int
    mail: int
    mail_group: int
    policy: int
    database_group: int
    postfix: int
    hosting_groups: tuple[int, ...]
    """Of all that hosting accounts act as: their folders lie below the state folder."""


def ensure(instance: Instance) -> Ids:
    """Make the instance's users and groups if they are missing.

    Raises InstanceError when a name is taken by an account that is not this instance's.
    """
    for name in DAEMON_USERS:
        if not _user(name):
            raise InstanceError(f"The system user {name} is missing. Reinstall the packages postfix and dovecot-core.")
    users = instance.users
    # The policy service reads the database by its own primary group; the distribution's group gets no new member.
    for user, group in (
        (users.panel, instance.group),
        (users.mail, users.mail),
        (users.policy, DATABASE_GROUP),
        (instance.handler_user, instance.handler_user),
    ):
        if not _group(group):
            _run("groupadd", "--system", group)
        found = _user(user)
        if found is None:
            _run(
                *("useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent"),
                *("--shell", "/usr/sbin/nologin", "--gid", group, "--comment", comment_of(instance), user),
            )
        elif found.pw_gecos != comment_of(instance):
            raise InstanceError(
                f"The system user {user} exists and is not this instance's ({found.pw_gecos!r}). Remove or rename it."
            )
    for group in instance.hosting_groups.values():
        if not _group(group):
            _run("groupadd", "--system", group)
    return ids(instance)


def free_range(tag: str) -> int:
    """The first of a range of numbers for an instance's hosting accounts that no user or group of the machine is in.

    The tag says where to begin, so that two instances made at the same time do not meet. 0 where a user namespace
    leaves no such numbers.
    """
    count = (LAST_HOSTING_ID - FIRST_HOSTING_ID) // HOSTING_IDS
    taken = {(number - FIRST_HOSTING_ID) // HOSTING_IDS for number in _numbers()}
    start = int(tag, 16) % count
    for slot in (*range(start, count), *range(start)):
        first: int = FIRST_HOSTING_ID + slot * HOSTING_IDS
        if slot not in taken and _is_mapped(first):
            return first
    return 0


def _numbers() -> Iterator[int]:
    yield from (user.pw_uid for user in pwd.getpwall())
    yield from (group.gr_gid for group in grp.getgrall())


def _is_mapped(first: int) -> bool:
    """Whether the kernel lets root here use a range's numbers."""
    rows = [list(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(start <= first and first + HOSTING_IDS <= start + length for start, _, length in rows)


def ids(instance: Instance) -> Ids:
    """Numbers of the instance's users and groups. Raises KeyError when one is missing."""
    users = instance.users
    mail = pwd.getpwnam(users.mail)
    return Ids(
        panel=pwd.getpwnam(users.panel).pw_uid,
        group=grp.getgrnam(instance.group).gr_gid,
        mail=mail.pw_uid,
        mail_group=mail.pw_gid,
        policy=pwd.getpwnam(users.policy).pw_uid,
        database_group=grp.getgrnam(DATABASE_GROUP).gr_gid,
        postfix=pwd.getpwnam("postfix").pw_uid,
        hosting_groups=tuple(grp.getgrnam(name).gr_gid for name in instance.hosting_groups.values() if _group(name)),
    )


def present(instance: Instance) -> list[str]:
    """The instance's own users that exist."""
    users = instance.users
    return [name for name in (users.panel, users.mail, users.policy, instance.handler_user) if _user(name)]


def hosting_users(instance: Instance) -> list[str]:
    """The system users of the instance's hosting accounts."""
    return [
        user.pw_name for user in pwd.getpwall() if is_hosting_user(instance, user.pw_name, user.pw_uid, user.pw_gecos)
    ]


def is_hosting_user(instance: Instance, name: str, number: int, comment: str) -> bool:
    """Whether a system user was made for a hosting account of the instance: its name, number and comment say so."""
    return (
        name.startswith(f"{instance.name}-")
        and 0 < instance.first_id <= number < instance.first_id + HOSTING_IDS
        and comment == comment_of(instance)
    )


def is_instance_user(number: int) -> bool:
    """Whether a user number belongs to some instance."""
    try:
        return pwd.getpwuid(number).pw_gecos.startswith(COMMENT)
    except KeyError:
        return False


def remove(instance: Instance) -> None:
    """Remove the instance's users and groups. An account that is not the instance's is left alone."""
    for name in present(instance):
        if pwd.getpwnam(name).pw_gecos == comment_of(instance):
            _run("userdel", name)
    passwd.remove(lambda name, number, comment: is_hosting_user(instance, name, number, comment))
    for name in (instance.group, instance.users.mail, instance.handler_user, *instance.hosting_groups.values()):
        if _group(name):  # userdel removes a group of the user's own name, but not everywhere
            _run("groupdel", name)


def comment_of(instance: Instance) -> str:
    """The comment of each of the instance's users."""
    return f"{COMMENT}{instance.state}"


def _user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstanceError(f"{command[0]} {command[-1]} failed: {done.stderr.strip()}")
