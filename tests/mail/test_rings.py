"""Forwarding that would come back is refused when it is saved, and the refusal names the ring."""

from __future__ import annotations

from typing import Any

import pytest

from innkeeper.core.errors import InvalidValue
from innkeeper.mail.models import MailService
from innkeeper.mail.operations import (
    AccountChange,
    Addresses,
    CreateAccounts,
    Mode,
    NewAccount,
    Preferences,
    RenameAccount,
    Replies,
    ReplyChange,
    UpdateAccounts,
    create_accounts,
    rename_account,
    set_preferences,
    update_accounts,
)
from innkeeper.mail.operations.rings import LONGEST_CHAIN

from .conftest import World


def to(*addresses: str) -> Addresses:
    return Addresses(True, addresses)


def create(world: World, *accounts: NewAccount) -> list[str | None]:
    outcomes = create_accounts(world.alice, CreateAccounts(world.alice_site, accounts))
    return [outcome.error and outcome.error.message for outcome in outcomes]


def change(world: World, name: str, mode: Mode = Mode.SET, **settings: Any) -> str | None:
    (outcome,) = update_accounts(
        world.alice, UpdateAccounts(world.alice_site, mode, (AccountChange(name, **settings),))
    )
    assert outcome.error is None or isinstance(outcome.error, InvalidValue)
    return outcome.error and outcome.error.message


def test_an_account_does_not_forward_to_itself_its_alias_or_its_tags(world: World) -> None:
    errors = create(
        world,
        NewAccount("a", redirect=to("a@alice.example")),
        NewAccount("a", redirect=to("A+tag@Alice.Example")),
        NewAccount("a", aliases=("b",), group=to("b@alice.example")),
        NewAccount("a", autoresponders=Replies(True, (ReplyChange("r", enabled=True, forward="a@alice.example"),))),
    )
    assert all(error and "a@alice.example -> " in error for error in errors)


def test_a_ring_over_several_accounts_is_named(world: World) -> None:
    assert create(
        world,
        NewAccount("a", redirect=to("b@alice.example")),
        NewAccount("b", group=to("x@other.example", "c@alice.example")),
        NewAccount("c", aliases=("see",)),
    ) == [None, None, None]
    error = change(world, "c", redirect=to("a@alice.example"))
    assert error is not None
    assert "c@alice.example -> a@alice.example -> b@alice.example -> c@alice.example" in error
    assert change(world, "c", redirect=to("d@alice.example")) is None


def test_a_ring_within_one_request_refuses_the_one_that_closes_it(world: World) -> None:
    errors = create(
        world,
        NewAccount("a", redirect=to("b@alice.example")),
        NewAccount("b", redirect=to("c@alice.example")),
        NewAccount("c", redirect=to("a@alice.example")),
        NewAccount("d", redirect=to("a@alice.example")),
    )
    assert [bool(error) for error in errors] == [False, False, True, False]


def test_lists_that_are_off_make_no_ring_until_they_are_switched_on(world: World) -> None:
    create(
        world,
        NewAccount("a", redirect=to("b@alice.example")),
        NewAccount("b", redirect=Addresses(False, ("a@alice.example",))),
    )
    assert change(world, "b", redirect=Addresses(True)) is not None
    assert change(world, "a", redirect=Addresses(False)) is None
    assert change(world, "b", redirect=Addresses(True)) is None


def test_a_new_alias_or_name_can_close_a_ring(world: World) -> None:
    create(
        world,
        NewAccount("a", redirect=to("b@alice.example")),
        NewAccount("b", redirect=to("later@alice.example")),
    )
    assert change(world, "a", Mode.ADD, aliases=("later",)) is not None
    with pytest.raises(InvalidValue, match="for ever"):
        rename_account(world.alice, RenameAccount(world.alice_site, "a", "later"))


def test_joining_a_group_can_close_a_ring(world: World) -> None:
    create(world, NewAccount("team", group=to("x@other.example")), NewAccount("a", redirect=to("team@alice.example")))
    error = change(world, "a", Mode.ADD, groups=("team",))
    assert error is not None and "a@alice.example -> team@alice.example -> a@alice.example" in error
    assert change(world, "a", Mode.SET, redirect=to("x@other.example"), groups=("team",)) is None


def test_the_catch_all_of_a_site_belongs_to_the_ring(world: World) -> None:
    create(world, NewAccount("a", redirect=to("nobody@alice.example")))

    def catch_all(address: str) -> str | None:
        (outcome,) = set_preferences(
            world.alice, [world.alice_site], Preferences(unknown_action="forward", unknown_value=address)
        )
        return outcome.error and outcome.error.message

    assert "@alice.example -> a@alice.example -> nobody@alice.example" in (catch_all("a@alice.example") or "")
    assert catch_all("nobody@alice.example") is not None
    assert catch_all("x@other.example") is None
    MailService.objects.filter(site_id=world.alice_site).update(forward_address="b@alice.example")
    assert create(world, NewAccount("b", redirect=to("unknown@alice.example")))[0] is not None


def test_a_ring_through_another_owner_does_not_show_his_forwarding(world: World) -> None:
    create_accounts(
        world.bob,
        CreateAccounts(
            world.bob_site,
            (
                NewAccount("front", redirect=to("secret@bob.example")),
                NewAccount("secret", redirect=to("a@alice.example")),
            ),
        ),
    )
    (error,) = create(world, NewAccount("a", redirect=to("front@bob.example")))
    assert error is not None and "secret" not in error
    assert "a@alice.example -> front@bob.example -> an address of somebody else -> a@alice.example" in error
    (outcome,) = create_accounts(
        world.admin, CreateAccounts(world.alice_site, (NewAccount("a", redirect=to("front@bob.example")),))
    )
    assert outcome.error is not None and "secret@bob.example" in outcome.error.message


def test_a_chain_without_end_is_refused(world: World) -> None:
    length = LONGEST_CHAIN + 5
    accounts = [NewAccount(f"n{n}", redirect=to(f"n{n + 1}@alice.example")) for n in range(length)]
    for account in reversed(accounts):  # each at the head of the chain
        (error,) = create(world, account)
        if error:
            break
    assert error is not None and str(LONGEST_CHAIN) in error
