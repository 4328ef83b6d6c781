"""Two real transactions at once: a limit and a name each hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from hosting_records import MakeCustomer, MakeWebspace

from innkeeper.accounts.models import Account
from innkeeper.core.actor import Actor
from innkeeper.core.errors import AlreadyExists, LimitReached, Refused
from innkeeper.core.operation import Operation
from innkeeper.hosting.models import Site
from innkeeper.hosting.operations import create_site, update_webspace
from innkeeper.hosting.requests import Entitlements, NewSite, WebspaceChanges

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
    pytest.mark.django_db(transaction=True),
]


def both(monkeypatch: pytest.MonkeyPatch, *operations: Callable[[], object]) -> list[type[Refused] | None]:
    """Run two operations so that the second waits for the first, which has written and not committed."""
    may_commit = threading.Event()
    leave = Operation.__exit__

    def hold(operation: Operation, *error: Any) -> None:
        if error[0] is None:
            assert may_commit.wait(20)
        leave(operation, *error)

    monkeypatch.setattr(Operation, "__exit__", hold)
    results: list[type[Refused] | None] = []

    def run(operation: Callable[[], object]) -> None:
        try:
            operation()
            results.append(None)
        except Refused as refused:
            results.append(type(refused))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[operation]) for operation in operations]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 20
    while not waiting() and time.monotonic() < until:
        time.sleep(0.01)
    assert waiting() == 1, "the second operation did not wait for the first"
    may_commit.set()
    for thread in threads:
        thread.join()
    return results


def waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


def test_two_clients_take_the_last_site_and_one_gets_it(
    admin: Actor, alice: Actor, webspace: MakeWebspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = webspace(admin, alice, entitlements=Entitlements(limits={"max_site": "2"}))
    wanted = [NewSite(name, webspace_id=made.pk) for name in ("a.example", "b.example")]
    results = both(monkeypatch, *(lambda site=site: create_site(alice, site) for site in wanted))
    assert set(results) == {None, LimitReached}
    assert Site.objects.count() == 2


def test_two_providers_take_the_same_name_and_one_gets_it(
    admin: Actor, alice: Actor, charlie: Actor, webspace: MakeWebspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = both(monkeypatch, lambda: webspace(admin, alice), lambda: webspace(admin, charlie))
    assert set(results) == {None, AlreadyExists}
    assert Site.objects.count() == 1


def test_two_customers_take_the_same_login_and_one_gets_it(
    admin: Actor, customer: MakeCustomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = both(monkeypatch, lambda: customer(admin, "bob"), lambda: customer(admin, "BOB"))
    assert set(results) == {None, AlreadyExists}
    assert Account.objects.filter(kind="customer").count() == 1


def test_the_last_two_webspaces_that_permit_the_api_are_closed_and_their_owner_is_shut_out(
    admin: Actor, alice: Actor, webspace: MakeWebspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [webspace(admin, alice, name) for name in ("a.example", "b.example")]
    closed = WebspaceChanges(entitlements=Entitlements(permissions={"remote_access_interface": "false"}))
    results = both(monkeypatch, *(lambda each=each: update_webspace(admin, each.pk, closed) for each in made))
    assert results == [None, None]
    assert not Account.objects.get(pk=alice.account_id).may_use_api
