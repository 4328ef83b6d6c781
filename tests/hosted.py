"""A hosting account on disk for tests of doors: a tree, a real system user, and hostd's part about files before it."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from innkeeper.hostd.client import Client
from innkeeper.permissions.server import hosting
from innkeeper.permissions.server.layout import Layout
from tests import file_hostd
from tests.permissions.servers import layout as make_layout

FOLDERS = {"httpdocs": 0o755, "private": 0o700, ".trash": 0o700}


@dataclass(frozen=True, slots=True)
class Hosted:
    """A machine with hosting accounts, all of one system user."""

    layout: Layout
    user: str
    client: Client

    @property
    def vhosts(self) -> Path:
        return self.layout.vhosts

    def tree(self, domain: str) -> Path:
        """A new tree as it is laid out: the root and `conf` are root's, the rest is the account's. Without rules."""
        owner = pwd.getpwnam(self.user)
        root = self.vhosts / domain
        if root.exists():
            shutil.rmtree(root)
        root.mkdir()
        root.chmod(0o755)
        for name, mode in FOLDERS.items():
            (root / name).mkdir(mode=mode)
            os.chown(root / name, owner.pw_uid, owner.pw_gid)
        (root / "conf").mkdir(mode=0o700)
        return root

    def rule(self, domain: str) -> None:
        """Give a tree its rules, and apply them."""
        users = {
            "DomainUser": self.user, "AnonymousDomainUser": "www-data", "FtpSubaccounts": "news", "PsaAdmin": "sys",
            "psaServer": "www-data",
        }  # fmt: skip
        account = hosting.Hosted("s1", "domain", (domain,), users)
        hosting.remove_instance(self.layout, account)
        for outcome in hosting.instantiate(self.layout, [account], "test", "test"):
            assert not outcome.run.report.stopped
            assert not outcome.policy.findings

    def own(self, path: Path) -> None:
        """Give what a test made to the account."""
        owner = pwd.getpwnam(self.user)
        os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


@contextmanager
def hosting_machine(*, changes_hostd: bool = False) -> Iterator[Hosted]:
    """Make the user and serve hostd's socket. The accounts' ids do not matter: all have the one user."""
    from pytest import MonkeyPatch

    from innkeeper.doors.panel.views.file_places import account_name
    from innkeeper.hosting.operations.file_work import carry_out

    folder = Path(tempfile.mkdtemp(prefix="ik-"))
    folder.chmod(0o700)
    layout = make_layout(folder)
    user = f"ikt{secrets.token_hex(3)}"
    account_name.cache_clear()  # numbers of users that earlier tests had are given again
    subprocess.run(["useradd", "-M", "-d", "/nonexistent", "-s", "/usr/sbin/nologin", user], check=True)
    try:
        with MonkeyPatch.context() as patch:
            if changes_hostd:
                file_hostd.give_all_to_one_user(folder, user, patch.setattr)
                serving = file_hostd.in_this_process(folder, user)
            else:
                serving = file_hostd.in_its_own(folder, user, one_user=True)
            with serving as client:
                patch.setattr("innkeeper.hosting.files.services", lambda: client)
                # There is no worker: what takes its time is done where it is asked for.
                patch.setattr("innkeeper.hosting.operations.file_work.services", lambda: client)
                patch.setattr("innkeeper.jobs.effects.work_on_files", lambda number, _after_s=0: carry_out(number))
                yield Hosted(layout, user, client)
    finally:
        subprocess.run(["userdel", user], check=True)
        shutil.rmtree(folder)
