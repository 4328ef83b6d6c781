"""Real system users of a private prefix, made and removed through hostd's actions."""

from __future__ import annotations

import dataclasses
import grp
import os
import pwd
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from innkeeper.hostd import requests
from innkeeper.hostd.accounts import Accounts
from innkeeper.hostd.hosting_accounts import Spec
from innkeeper.instance import users
from innkeeper.instance.config import Instance
from innkeeper.permissions.server import disk, hosting, running
from innkeeper.permissions.server.layout import Layout

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes system users: run as root")

FIRST = Spec("domain", 17, 17, 17, "first.example")
ANNA = Spec("webuser", 5, 17, 17, "first.example", "anna")


@pytest.fixture
def instance() -> Iterator[Instance]:
    state = Path(tempfile.mkdtemp(prefix="inn-"))
    new = Instance.new(state, environment=Path("/nonexistent"))
    new = dataclasses.replace(new, first_id=users.free_range(new.tag))
    # The panel's own user stands in the rules of every account.
    users._run("useradd", "--system", "--no-create-home", "--comment", users.comment_of(new), new.users.panel)
    for folder in (new.vhosts / ".moving", new.vhosts / ".graves", new.state / "lib" / "security"):
        folder.mkdir(parents=True)
    disk.install(Layout.of(new))
    state.chmod(0o755)
    for name in new.hosting_groups.values():
        users._run("groupadd", "--system", name)
    yield new
    users.remove(new)
    assert not [user for user in pwd.getpwall() if user.pw_name.startswith(f"{new.name}-")]
    assert not [group for group in grp.getgrall() if group.gr_name.startswith(f"{new.group}-")]
    shutil.rmtree(state)


def touches(user: pwd.struct_passwd, path: Path) -> bool:
    """Whether a process of the user can make a file."""
    done = subprocess.run(
        ["/usr/bin/touch", str(path)], user=user.pw_uid, group=user.pw_gid, extra_groups=[], check=False,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode == 0


def test_accounts_are_made_and_removed(instance: Instance) -> None:
    accounts = Accounts(instance)
    assert accounts.do(requests.EnsureUsers(("s17", "s17-web", "u5", "f3"))) == 4
    assert accounts.do(requests.EnsureUsers(("s17", "d9"))) == 1
    assert sorted(users.hosting_users(instance)) == [
        f"{instance.name}-{key}" for key in ("d9", "f3", "s17", "s17-web", "u5")
    ]
    main = pwd.getpwnam(f"{instance.name}-s17")
    assert (main.pw_shell, main.pw_dir, main.pw_gecos) == (
        "/usr/sbin/nologin",
        "/nonexistent",
        f"Innkeeper {instance.state}",
    )
    assert grp.getgrgid(main.pw_gid).gr_name == instance.hosting_groups["psacln"]
    assert (
        grp.getgrgid(pwd.getpwnam(f"{instance.name}-f3").pw_gid).gr_name == instance.hosting_groups["ftp_subaccounts"]
    )

    stranger = dataclasses.replace(FIRST, id=99, site=99, webspace=99, domain="other.example")
    answer = accounts.do(requests.EnsureTrees((FIRST, stranger, ANNA)))
    assert (list(answer["failed"]), answer["running"]) == (
        ["s99"],
        {},
    )  # it has no user, and keeps nobody else from a tree
    root = instance.vhosts / "first.example"
    assert (root / ".security").exists()
    assert (root / ".Web.anna.security").exists()
    visitor = pwd.getpwnam(f"{instance.name}-s17-web")
    assert touches(main, root / "httpdocs" / "index.html")
    assert not touches(main, root / "new")
    assert not touches(visitor, root / "httpdocs" / "new.html")
    assert touches(pwd.getpwnam(f"{instance.name}-u5"), root / "web_users" / "anna" / "index.html")

    renamed = dataclasses.replace(FIRST, domain="new.example")
    assert accounts.do(requests.MoveTrees((requests.Move(renamed, FIRST),))) == {}
    assert accounts.do(requests.BuryTrees((renamed, FIRST))) == {}
    assert accounts.do(requests.RemoveUsers(("s17", "s17-web", "u5", "u6"))) == 3
    assert len(users.hosting_users(instance)) == 2
    assert [accounts.do(requests.EmptyTreeGrave(0)) for _ in range(2)] == [0, 0]
    assert {path.name for path in instance.vhosts.iterdir()} == {".moving", ".graves"}
    assert not list((instance.vhosts / ".graves").iterdir())


def test_while_rules_are_applied_to_one_tree_others_get_theirs(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innkeeper.hostd.accounts.PATIENCE_S", 0.2)
    accounts = Accounts(instance)
    second = dataclasses.replace(FIRST, id=18, site=18, webspace=18, domain="second.example")
    accounts.do(requests.EnsureUsers(("s17", "s17-web", "s18", "s18-web")))
    layout = Layout.of(instance)
    heard: list[str] = []
    with running.locked(layout, hosting.lock_of("first.example")):  # as a long run of a command does
        Path(layout.records, "locks", hosting.lock_of("first.example")).write_text(", 7 objects looked at so far")
        both, deadline = requests.EnsureTrees((FIRST, second)), time.monotonic() + 20
        while "s18" in (answer := accounts.do(both))["running"] and time.monotonic() < deadline:
            pass  # each request waits a little
        assert answer == {"failed": {}, "running": {"s17": 0}}
        assert (instance.vhosts / "second.example" / ".security").exists()
        failed = accounts.do(requests.BuryTrees((FIRST,)))
        assert "still being done" in failed["s17"]
        waiting = threading.Thread(target=_wait_for, args=(layout, heard.append))
        waiting.start()
        while not heard:
            time.sleep(0.01)
    waiting.join()
    assert heard == ["waiting: hosting-first.example is in use, 7 objects looked at so far"]
    deadline = time.monotonic() + 20
    while (failed := accounts.do(requests.BuryTrees((FIRST,)))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert failed == {}
    assert not (instance.vhosts / "first.example").exists()
    accounts.do(requests.RemoveUsers(("s17", "s17-web", "s18", "s18-web")))


def _wait_for(layout: Layout, told: Callable[[str], None]) -> None:
    with running.locked(layout, hosting.lock_of("first.example"), told):
        pass


def test_only_the_instances_own_hosting_users_are_removed(instance: Instance) -> None:
    accounts = Accounts(instance)
    other = f"{instance.name}-s1"
    users._run("useradd", "--system", "--no-create-home", "--comment", "somebody", "--gid", "nogroup", other)
    try:
        with pytest.raises(FileExistsError, match="is not the one"):
            accounts.do(requests.EnsureUsers(("s1", "s2")))
        assert accounts.do(requests.RemoveUsers(("s1",))) == 0
        assert pwd.getpwnam(other)
        assert users.hosting_users(instance) == []
    finally:
        users._run("userdel", other)


def test_an_instance_without_numbers_says_so(instance: Instance) -> None:
    with pytest.raises(users.InstanceError, match="no user id"):
        Accounts(dataclasses.replace(instance, first_id=0)).do(requests.EnsureUsers(("s17",)))
