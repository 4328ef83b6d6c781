"""What holds for every mail operation: its plan tells the truth, and its statements walk indexes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from innkeeper.core.models import AuditEntry, OutboxEvent
from innkeeper.core.operation import planning
from innkeeper.mail.models import (
    Autoresponder,
    Grave,
    MailAccount,
    MailName,
    MailService,
    Recipient,
    RepositoryFile,
    SieveScript,
)
from innkeeper.mail.operations import (
    AccountChange,
    Addresses,
    Attachment,
    CreateAccounts,
    Mode,
    NewAccount,
    NewFile,
    Password,
    Preferences,
    RemoveAccounts,
    RenameAccount,
    Replies,
    ReplyChange,
    RestoreAccount,
    UpdateAccounts,
    create_accounts,
    remove_accounts,
    rename_account,
    restore_account,
    set_preferences,
    set_service_enabled,
    update_accounts,
)
from innkeeper.mail.queries import Part, account_infos, preferences

from .conftest import World

TABLES = (MailService, MailAccount, MailName, Recipient, RepositoryFile, Autoresponder, SieveScript, Grave)


def full(name: str) -> NewAccount:
    reply = ReplyChange("away", enabled=True, text="x", forward="f@o.example", attachments=(Attachment("a.txt"),))
    return NewAccount(
        name, mailbox_enabled=True, aliases=(f"{name}-alias",), redirect=Addresses(True, ("x@o.example",)),
        group=Addresses(True, ("y@o.example",)), files=(NewFile("a.txt", b"a"),), password=Password("Kx4!paper-Moon"),
        autoresponders=Replies(True, (reply,)),
    )  # fmt: skip


def changed(name: str) -> AccountChange:
    return AccountChange(
        name, quota=5, aliases=("new-alias",), forwarding=Addresses(True, ("z@o.example",)), groups=("team",),
        files=(NewFile("b.txt", b"b"),), autoresponder=ReplyChange(text="y"), password=Password("New-One-7!"),
    )  # fmt: skip


OPERATIONS: dict[str, Callable[[World], object]] = {
    "create": lambda w: create_accounts(w.alice, CreateAccounts(w.alice_site, (full("new"), NewAccount("sales")))),
    "add": lambda w: update_accounts(w.alice, UpdateAccounts(w.alice_site, Mode.ADD, (changed("sales"),))),
    "set": lambda w: update_accounts(w.alice, UpdateAccounts(w.alice_site, Mode.SET, (changed("sales"),))),
    "take": lambda w: update_accounts(w.alice, UpdateAccounts(w.alice_site, Mode.REMOVE, (changed("sales"),))),
    "rename": lambda w: rename_account(w.alice, RenameAccount(w.alice_site, "sales", "shop")),
    "remove": lambda w: remove_accounts(w.alice, RemoveAccounts(w.alice_site, ("sales", "nobody"))),
    "remove all": lambda w: remove_accounts(w.alice, RemoveAccounts(w.alice_site)),
    "restore": lambda w: restore_account(w.alice, RestoreAccount(w.alice_site, "gone")),
    "disable": lambda w: set_service_enabled(w.alice, w.alice_site, False),
    "preferences": lambda w: set_preferences(
        w.alice, [w.alice_site], Preferences(unknown_action="forward", unknown_value="x@o.example")
    ),
}
READS: dict[str, Callable[[World], object]] = {
    "all accounts": lambda w: list(account_infos(w.alice, w.alice_site, None, ~Part.NOTHING)),
    "named accounts": lambda w: list(account_infos(w.alice, w.alice_site, ["sales"], ~Part.NOTHING)),
    "preferences of one": lambda w: list(preferences(w.alice, [w.alice_site])),
    "preferences of all": lambda w: list(preferences(w.alice)),
}


@pytest.fixture
def site(world: World) -> World:
    accounts = (full("sales"), full("gone"), NewAccount("team", group=Addresses(True, ("x@o.example",))))
    outcomes = create_accounts(world.alice, CreateAccounts(world.alice_site, accounts))
    assert not any(outcome.error for outcome in outcomes)
    remove_accounts(world.alice, RemoveAccounts(world.alice_site, ("gone",)))
    return world


def everything() -> list[list[tuple[object, ...]]]:
    return [list(table._default_manager.order_by("pk").values_list()) for table in TABLES]


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_plan_changes_nothing_and_says_what_the_operation_then_does(site: World, name: str) -> None:
    rows, audit, events = everything(), AuditEntry.objects.count(), OutboxEvent.objects.count()
    with planning() as plan:
        OPERATIONS[name](site)
    assert everything() == rows
    assert (AuditEntry.objects.count(), OutboxEvent.objects.count()) == (audit, events)
    OPERATIONS[name](site)
    done = AuditEntry.objects.order_by("id")[audit:]
    assert everything() != rows
    assert plan.changes
    assert [(c.operation, c.object_type, c.object_name, c.detail) for c in plan.changes] == [
        (entry.operation, entry.object_type, entry.object_name, entry.detail) for entry in done
    ]


@contextmanager
def no_scans() -> Iterator[None]:
    """PostgreSQL scans small tables because that is cheapest; what it can look up shows when it must not."""
    if connection.vendor == "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        try:
            yield
        finally:
            cursor.execute("SET enable_seqscan = on")


def plan_of(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{sql}")
        return [str(row[-1]) for row in cursor.fetchall()]


@pytest.mark.parametrize("name", [*OPERATIONS, *READS])
def test_every_statement_walks_an_index(site: World, name: str) -> None:
    with CaptureQueriesContext(connection) as captured:
        (OPERATIONS | READS)[name](site)
    looked_at = 0
    with no_scans():
        for query in captured:
            sql = query["sql"]
            if not sql.startswith(("SELECT", "UPDATE mail", "DELETE")) or "pg_advisory" in sql or "nextval" in sql:
                continue
            looked_at += 1
            for step in plan_of(sql):
                scans = step.startswith("SCAN") or "Seq Scan" in step
                assert not scans or "json_each" in step or "sqlite_sequence" in step, f"{step}\n{sql}"
    assert looked_at
