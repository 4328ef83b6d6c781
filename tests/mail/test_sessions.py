"""Open sessions end with the access that they came by: the request for it commits with the change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from innkeeper.core.operation import planning
from innkeeper.jobs import effects
from innkeeper.mail.operations import (
    AccountChange,
    CreateAccounts,
    Mode,
    NewAccount,
    Password,
    RemoveAccounts,
    RenameAccount,
    UpdateAccounts,
    create_accounts,
    remove_accounts,
    rename_account,
    set_service_enabled,
    update_accounts,
)

from .conftest import World


@pytest.fixture
def ended(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The log-in names whose sessions are asked to end."""
    create_accounts(
        world.alice,
        CreateAccounts(
            world.alice_site,
            (NewAccount("sales", mailbox_enabled=True, password=Password("Kx4!paper-Moon")), NewAccount("bare")),
        ),
    )
    names: list[str] = []
    enqueue = effects.end_sessions

    def record(usernames: Iterable[str]) -> None:
        given = list(usernames)
        names.extend(given)
        enqueue(given)

    monkeypatch.setattr(effects, "end_sessions", record)
    return names


def change(world: World, **settings: Any) -> None:
    (outcome,) = update_accounts(
        world.alice, UpdateAccounts(world.alice_site, Mode.SET, (AccountChange("sales", **settings),))
    )
    assert outcome.error is None


def test_a_new_password_and_a_mailbox_switched_off_end_them(world: World, ended: list[str]) -> None:
    change(world, quota=5, description="x")
    assert ended == []
    change(world, password=Password("New-One-7!"))
    change(world, mailbox_enabled=False)
    assert ended == ["sales@alice.example"] * 2


def test_a_rename_ends_those_of_the_old_name(world: World, ended: list[str]) -> None:
    rename_account(world.alice, RenameAccount(world.alice_site, "sales", "shop"))
    assert ended == ["sales@alice.example"]


def test_a_removal_ends_those_of_accounts_with_a_mailbox(world: World, ended: list[str]) -> None:
    remove_accounts(world.alice, RemoveAccounts(world.alice_site))
    assert ended == ["sales@alice.example"]


def test_a_service_switched_off_ends_those_of_the_site(world: World, ended: list[str]) -> None:
    set_service_enabled(world.alice, world.alice_site, True)
    assert ended == []
    set_service_enabled(world.alice, world.alice_site, False)
    assert ended == ["sales@alice.example"]


def test_a_plan_of_a_new_password_hashes_nothing(
    world: World, ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("hashed")

    monkeypatch.setattr("innkeeper.core.passwords.hash_mail_many", fail)
    with planning() as plan:
        change(world, password=Password("New-One-7!"))
    assert [(entry.operation, entry.detail) for entry in plan.changes] == [("mail.update", "set: password")]
