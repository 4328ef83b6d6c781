"""The system users and groups of an instance: its own, named after it, and the distribution's for its daemons."""

from __future__ import annotations

import grp
import pwd
import subprocess
from dataclasses import dataclass

from innkeeper.instance.config import Instance, InstanceError

DATABASE_GROUP = "postfix"
"""Reads the SQLite file. It is Postfix's own group, so that no account of the machine has to be changed."""

COMMENT = "Innkeeper "
"""Begins the comment of every user of an instance; the state folder follows."""

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
                *("--shell", "/usr/sbin/nologin", "--gid", group, "--comment", _comment(instance), user),
            )
        elif found.pw_gecos != _comment(instance):
            raise InstanceError(
                f"The system user {user} exists and is not this instance's ({found.pw_gecos!r}). Remove or rename it."
            )
    for group in instance.hosting_groups.values():
        if not _group(group):
            _run("groupadd", "--system", group)
    return ids(instance)


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
    )


def present(instance: Instance) -> list[str]:
    """The instance's own users that exist."""
    users = instance.users
    return [name for name in (users.panel, users.mail, users.policy, instance.handler_user) if _user(name)]


def is_instance_user(number: int) -> bool:
    """Whether a user number belongs to some instance."""
    try:
        return pwd.getpwuid(number).pw_gecos.startswith(COMMENT)
    except KeyError:
        return False


def remove(instance: Instance) -> None:
    """Remove the instance's users and groups. An account that is not the instance's is left alone."""
    for name in present(instance):
        if pwd.getpwnam(name).pw_gecos == _comment(instance):
            _run("userdel", name)
    for name in (instance.group, instance.users.mail, instance.handler_user, *instance.hosting_groups.values()):
        if _group(name):  # userdel removes a group of the user's own name, but not everywhere
            _run("groupdel", name)


def _comment(instance: Instance) -> str:
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
