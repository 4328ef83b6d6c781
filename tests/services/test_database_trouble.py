"""A database that is full, locked or away: what clients are told, and what goes on working."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from services import mail_clients
from services.cluster import Cluster
from services.packets import Element, PacketRefused
from services.private import Account, PrivateInstance, Site, xml

INTERNAL_ERROR = 1023
LOCKED = "The database cannot be written now. Nothing was changed; try again."


def refusal(site: Site, name: str) -> PacketRefused:
    """What an account that cannot be created is answered."""
    with pytest.raises(PacketRefused) as refused:
        site.create(xml("name", name))
    return refused.value


def existing(site: Site) -> list[str]:
    """The names of the accounts, by a packet."""
    found: list[Element] = site.mail(f"<get_info><filter>{xml('site-id', site.id)}</filter></get_info>")
    return sorted(each.findtext("mailname/name") or "" for each in found)


def assert_nothing_half(site: Site, *names: str) -> None:
    """These accounts exist, whole, and no other left a trace."""
    assert existing(site) == sorted(names)
    suffix = f"@{site.name}"
    audited = site.instance.sql(
        f"SELECT object_name FROM core_auditentry WHERE operation = 'mail.create' AND object_name LIKE '%{suffix}'"
    )
    assert sorted(name for (name,) in audited) == sorted(name + suffix for name in names)
    ((events,),) = site.instance.sql(
        f"SELECT COUNT(*) FROM core_outboxevent WHERE event = 'mailname_create' AND parameters LIKE '%{suffix}%'"
    )
    assert events == len(names)


@contextlib.contextmanager
def written_by_another(instance: PrivateInstance) -> Iterator[None]:
    """Another program holds what a change of accounts needs, as long as this lasts."""
    if instance.database_url:
        with psycopg.connect(instance.database_url) as server:
            server.execute("LOCK TABLE mail_mailaccount IN EXCLUSIVE MODE")
            yield
            server.rollback()
        return
    with contextlib.closing(sqlite3.connect(instance.state / "db/innkeeper.sqlite3", isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")
        yield
        file.execute("ROLLBACK")


def test_a_locked_database_refuses_changes_after_a_while_and_answers_look_ups(
    instance: PrivateInstance, site: Site
) -> None:
    anna = site.account("anna")
    answers: list[PacketRefused] = []
    with written_by_another(instance):
        waiting = threading.Thread(target=lambda: answers.append(refusal(site, "berta")))
        waiting.start()
        begun = time.monotonic()
        site.instance.send("someone@peer.invalid", anna.address, "While it is locked")
        assert anna.subjects() == ["While it is locked"]
        assert existing(site) == ["anna"]
        assert time.monotonic() - begun < 10
        assert waiting.is_alive()
        waiting.join(60)
    assert [(each.code, each.text) for each in answers] == [(INTERNAL_ERROR, LOCKED)]
    site.account("berta")
    assert_nothing_half(site, "anna", "berta")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of its own, just large enough for an instance."""
    if os.geteuid() != 0:
        pytest.skip("mounts a file system: run as root")
    folder = Path(tempfile.mkdtemp(prefix="inn-", dir="/var/tmp"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=340m,mode=755", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
        shutil.rmtree(folder)


def test_a_full_disk_refuses_changes_and_answers_look_ups(small_disk: Path) -> None:
    instance = PrivateInstance(state=small_disk / "s")
    try:
        instance.up()
        site = instance.webspace("full.test")
        anna = site.account("anna")
        instance.send("someone@peer.invalid", anna.address, "Before")
        with (small_disk / "filler").open("wb") as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(65536))
        answers = [refusal(site, f"full{number}") for number in range(3)]
        assert {(each.code, each.text) for each in answers} == {(INTERNAL_ERROR, LOCKED)}
        assert existing(site) == ["anna"]
        assert anna.subjects() == ["Before"]
        assert not instance.takes(site.address("nobody"))
        (small_disk / "filler").unlink()
        assert "disk is full" in (instance.state / "log/panel.log").read_text()
        site.account("berta")
        assert_nothing_half(site, "anna", "berta")
        assert instance.command("status").returncode == 0
    finally:
        instance.down()
        small_disk.mkdir(exist_ok=True)


def test_a_database_server_that_is_away_is_said_and_costs_no_mail(cluster: Cluster) -> None:
    name = "away"
    instance = PrivateInstance(cluster.database(name))
    try:
        instance.up()
        site = instance.webspace("away.test")
        anna: Account = site.account("anna")
        take_away(cluster, name)
        refused = refusal(site, "berta")
        assert refused.code == INTERNAL_ERROR
        assert "database cannot be reached now" in refused.text
        code, _ = mail_clients.refusal(instance.ports["smtp"], anna.address)
        assert 400 <= code < 500
        code, _ = mail_clients.refusal(instance.ports["smtp"], site.address("nobody"))
        assert 400 <= code < 500
        cluster.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        site.account("berta")
        assert_nothing_half(site, "anna", "berta")
        mail_clients.wait_for("log-ins are answered again", anna.logs_in, 60)
        take_away(cluster, name)
        roles = cluster.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'innkeeper%'").split()
        done = instance.command("down", "--purge")
        assert not instance.state.exists()
        assert len(roles) == 2
        assert all(role in done.stdout for role in roles), done.stdout
    finally:
        cluster.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        instance.down()


def take_away(cluster: Cluster, name: str) -> None:
    """Let nobody reach a database any more."""
    cluster.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    cluster.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
