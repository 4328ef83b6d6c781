"""Two transactions at once: neither may see what the other is about to break."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection

from innkeeper.core.errors import AlreadyExists, InvalidValue, LimitReached, Refused
from innkeeper.mail.models import MailAccount
from innkeeper.mail.operations import (
    AccountChange,
    Addresses,
    CreateAccounts,
    Mode,
    NewAccount,
    UpdateAccounts,
    create_accounts,
    update_accounts,
)
from innkeeper.mail.operations.book import Book

from .conftest import World, make_world

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
    pytest.mark.django_db(transaction=True),
]


def both(monkeypatch: pytest.MonkeyPatch, *operations: Callable[[], Refused | None]) -> list[Refused | None]:
    """Run two operations so that the second waits for a lock of the first before the first commits."""
    may_write = threading.Event()
    write = Book.write

    def hold(book: Book) -> None:
        assert may_write.wait(20)
        write(book)

    monkeypatch.setattr(Book, "write", hold)
    results: list[Refused | None] = []

    def run(operation: Callable[[], Refused | None]) -> None:
        try:
            results.append(operation())
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[operation]) for operation in operations]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 20
    while time.monotonic() < until and not waiting():
        time.sleep(0.01)
    assert waiting() == 1, "the second operation did not wait for the first"
    may_write.set()
    for thread in threads:
        thread.join()
    return results


def waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def creating(world: World, account: NewAccount) -> Callable[[], Refused | None]:
    return lambda: create_accounts(world.alice, CreateAccounts(world.alice_site, (account,)))[0].error


def kinds(results: list[Refused | None]) -> set[type[Refused] | None]:
    assert len(results) == 2
    return {result and type(result) for result in results}


def test_two_clients_take_the_last_mailbox_and_one_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    world.limit("max_box", 1)
    accounts = [NewAccount(name, mailbox_enabled=True) for name in ("a", "b")]
    results = both(monkeypatch, *(creating(world, account) for account in accounts))
    assert kinds(results) == {None, LimitReached}
    assert MailAccount.objects.filter(mailbox_enabled=True).count() == 1


def test_two_clients_create_the_same_name_and_one_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    results = both(monkeypatch, creating(world, NewAccount("a")), creating(world, NewAccount("A")))
    assert kinds(results) == {None, AlreadyExists}


def test_two_owners_point_at_each_other_and_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    create_accounts(world.alice, CreateAccounts(world.alice_site, (NewAccount("a"),)))
    create_accounts(world.bob, CreateAccounts(world.bob_site, (NewAccount("b"),)))

    def to_bob() -> Refused | None:
        change = AccountChange("a", redirect=Addresses(True, ("b@bob.example",)))
        return update_accounts(world.alice, UpdateAccounts(world.alice_site, Mode.SET, (change,)))[0].error

    def to_alice() -> Refused | None:
        change = AccountChange("b", redirect=Addresses(True, ("a@alice.example",)))
        return update_accounts(world.bob, UpdateAccounts(world.bob_site, Mode.SET, (change,)))[0].error

    assert kinds(both(monkeypatch, to_bob, to_alice)) == {None, InvalidValue}
