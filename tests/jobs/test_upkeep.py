"""Graves, files and counters, with a hostd that records what it was asked."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from innkeeper.accounts.models import Account, LoginFailure
from innkeeper.core.models import Upload
from innkeeper.hostd.client import Figures
from innkeeper.hosting.models import Site
from innkeeper.jobs import effects, expiry, files, graves, sessions, usage
from innkeeper.jobs.models import Job
from innkeeper.jobs.worker import run_next
from innkeeper.mail.models import Grave, MailAccount, MailName, RepositoryFile

pytestmark = pytest.mark.django_db


class RecordingServices:
    """hostd's null twin: does nothing and remembers everything."""

    def __init__(self) -> None:
        self.kicked: list[str] = []
        self.emptied: list[str] = []
        self.stored: dict[str, Figures] = {}
        self.refuses: set[str] = set()

    def kick(self, usernames: Sequence[str]) -> None:
        self.kicked += usernames

    def figures(self, storages: Iterable[str]) -> Iterator[Figures]:
        return iter([self.stored[s] for s in storages if s in self.stored])

    def empty_grave(self, storage: str) -> None:
        if storage in self.refuses:
            raise RuntimeError("input/output error")
        self.emptied.append(storage)


@pytest.fixture
def hostd(monkeypatch: pytest.MonkeyPatch) -> RecordingServices:
    twin = RecordingServices()
    for module in (sessions, graves, usage):
        monkeypatch.setattr(module, "services", lambda: twin)
    return twin


def make_site(name: str = "example.test") -> Site:
    return Site.objects.create(name=name, ascii_name=name, created_at=timezone.now())


def make_account(site: Site, name: str, **changes: Any) -> MailAccount:
    account = MailAccount.objects.create(
        **{"site": site, "guid": f"{site.name}/{name}", "mailbox_enabled": True, "created_at": timezone.now()} | changes
    )
    MailName.objects.create(
        site=site, local_part=name, address=f"{name}@{site.ascii_name}", kind="account", account=account
    )
    return account


def test_the_sessions_of_a_site_are_those_of_its_mailboxes(hostd: RecordingServices) -> None:
    site, other = make_site(), make_site("other.test")
    make_account(site, "alice")
    make_account(site, "bob")
    make_account(site, "forwarder", mailbox_enabled=False)
    make_account(other, "charlie")
    effects.end_site_sessions([site.pk])
    assert run_next("prompt", "one")
    assert hostd.kicked == ["alice@example.test", "bob@example.test"]


def test_nobody_to_log_out_is_no_job(hostd: RecordingServices) -> None:
    effects.end_site_sessions([make_site().pk])
    assert not Job.objects.exists()


def bury(storage: str, due: timedelta) -> None:
    now = timezone.now()
    Grave.objects.create(storage=storage, site_id=1, address="", snapshot="", buried_at=now, due_at=now + due)


def test_graves_that_are_due_are_emptied_and_others_stay(hostd: RecordingServices) -> None:
    bury("old", timedelta(seconds=-1))
    bury("fresh", timedelta(days=1))
    graves.empty_graves.call()
    assert hostd.emptied == ["old"]
    assert [grave.storage for grave in Grave.objects.all()] == ["fresh"]


def test_a_grave_that_cannot_be_emptied_stays_and_keeps_no_other(
    hostd: RecordingServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graves, "BATCH", 2)
    for name in ("a", "b", "c"):
        bury(name, timedelta(seconds=-1))
    hostd.refuses = {"a"}
    graves.empty_graves.call()
    assert hostd.emptied == ["b", "c"]
    assert [grave.storage for grave in Grave.objects.all()] == ["a"]


def test_usage_counts_mail_and_repository_files(hostd: RecordingServices) -> None:
    site = make_site()
    alice, bob = make_account(site, "alice"), make_account(site, "bob")
    RepositoryFile.objects.create(account=bob, name="price.pdf", size=50, sha256="0" * 64)
    login = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    hostd.stored = {
        alice.storage: Figures(alice.storage, 1000, login),
        bob.storage: Figures(bob.storage, 200, None),
    }
    usage.refresh_usage.call()
    for account in (alice, bob, site):
        account.refresh_from_db()
    assert (alice.used_bytes, alice.last_login_at) == (1000, login)
    assert (bob.used_bytes, bob.last_login_at) == (200, None)
    assert site.used_bytes == 1250


def test_usage_that_has_not_changed_is_not_written(
    hostd: RecordingServices, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    site = make_site()
    for n in range(20):
        account = make_account(site, f"user{n}")
        hostd.stored[account.storage] = Figures(account.storage, n, None)
    usage.refresh_usage.call()
    Account.objects.create(kind="admin", login="admin", contact_name="Ada", created_at=timezone.now())
    # Two reads of accounts and two of sites, each the last being the empty one; the administrator, reached limits.
    with django_assert_num_queries(6):
        usage.refresh_usage.call()


class Store:
    """A file store with files of any age."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, content: bytes, age: timedelta) -> str:
        digest = hashlib.sha256(content).hexdigest()
        path = self.root / digest[:2] / digest
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content)
        at = time.time() - age.total_seconds()
        os.utime(path, (at, at))
        return digest

    def names(self) -> set[str]:
        return {path.name for path in self.root.glob("*/*")}


@pytest.fixture
def store(tmp_path: Path, settings: Settings) -> Store:
    settings.INNKEEPER_FILES = tmp_path
    return Store(tmp_path)


def upload(sha256: str, age: timedelta) -> None:
    Upload.objects.create(
        handle=sha256[:20], owner_kind="admin", owner_id=1, name="f", size=1, sha256=sha256,
        created_at=timezone.now() - age,
    )  # fmt: skip


def test_only_old_files_without_a_row_are_removed(store: Store) -> None:
    old, new = timedelta(days=2), timedelta(hours=1)
    account = make_account(make_site(), "alice")
    kept = {store.put(b"kept %d" % n, old) for n in range(30)}
    for digest in kept:
        RepositoryFile.objects.create(account=account, name=digest, size=1, sha256=digest)
    for n in range(30):
        store.put(b"gone %d" % n, old)
    waiting, fresh, forgotten = store.put(b"waiting", old), store.put(b"fresh", new), store.put(b"forgotten", old)
    upload(waiting, new)
    upload(forgotten, old)
    files.remove_unreferenced_files.call()
    assert store.names() == kept | {waiting, fresh}
    assert [row.sha256 for row in Upload.objects.all()] == [waiting]


def test_a_removal_that_was_cut_off_is_undone(store: Store) -> None:
    account = make_account(make_site(), "alice")
    digest = store.put(b"wanted", timedelta(days=2))
    RepositoryFile.objects.create(account=account, name="f", size=1, sha256=digest)
    path = store.root / digest[:2] / digest
    path.rename(path.with_name(path.name + files.ASIDE))
    files.remove_unreferenced_files.call()
    assert store.names() == {digest}
    assert path.read_bytes() == b"wanted"


def test_no_store_yet_is_no_error(tmp_path: Path, settings: Settings) -> None:
    settings.INNKEEPER_FILES = tmp_path / "nothing"
    files.remove_unreferenced_files.call()


def test_rows_whose_time_is_over_are_removed_and_others_stay() -> None:
    now, hour, month = timezone.now(), timedelta(hours=1), timedelta(days=30)
    for key, ends in (("old", now - hour), ("new", now + hour)):
        Session.objects.create(session_key=key, session_data="", expire_date=ends)
        LoginFailure.objects.create(login=key, address="", failures=1, last_at=ends - timedelta(days=1))
    Job.objects.create(queue="prompt", task="old", created_at=now - month, due_at=now - month, failed_at=now - month)
    Job.objects.create(queue="prompt", task="new", created_at=now, due_at=now, failed_at=now)
    Job.objects.create(queue="prompt", task="waiting", created_at=now - month, due_at=now - month)
    expiry.remove_expired.call()
    assert [row.session_key for row in Session.objects.all()] == ["new"]
    assert [row.login for row in LoginFailure.objects.all()] == ["new"]
    assert {row.task for row in Job.objects.all()} == {"new", "waiting"}
