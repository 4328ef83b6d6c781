"""Changing accounts: `add`, `remove` and `set`, each setting by its own row of the protocol's table."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from innkeeper.core.errors import AlreadyExists, InvalidValue, LimitReached, NotAllowed, NotFound
from innkeeper.core.models import OutboxEvent, SecretEvent
from innkeeper.core.passwords import verify_mail
from innkeeper.core.sealing import unseal
from innkeeper.mail.models import MailAccount
from innkeeper.mail.operations import (
    AccountChange,
    AccountRef,
    Addresses,
    CreateAccounts,
    Mode,
    NewAccount,
    Password,
    RenameAccount,
    UpdateAccounts,
    create_accounts,
    hash_ahead,
    rename_account,
    update_accounts,
)
from innkeeper.mail.queries import AccountInfo, Part, account_infos

from .conftest import World, mail_user

EVERYTHING = Part.ALIASES | Part.RECIPIENTS | Part.GROUPS | Part.FILES | Part.REPLIES
X, Y, Z = "x@other.example", "y@other.example", "z@other.example"


@pytest.fixture
def site(world: World) -> World:
    create_accounts(
        world.alice,
        CreateAccounts(
            world.alice_site,
            (
                NewAccount(
                    "sales", mailbox_enabled=True, quota=1000, aliases=("orders",),
                    redirect=Addresses(True, (X, Y)), description="Shop", password=Password("Kx4!paper-Moon"),
                ),
                NewAccount("team", group=Addresses(True, (X,))),
                NewAccount("bare"),
            ),
        ),
    )  # fmt: skip
    return world


def change(world: World, mode: Mode, name: str, **settings: Any) -> AccountInfo:
    (outcome,) = update_accounts(
        world.alice, UpdateAccounts(world.alice_site, mode, (AccountChange(name, **settings),))
    )
    if outcome.error:
        raise outcome.error
    return info(world, name)


def info(world: World, name: str) -> AccountInfo:
    (found,) = account_infos(world.alice, world.alice_site, [name], EVERYTHING)
    assert isinstance(found, AccountInfo)
    return found


def test_a_change_of_the_password_changes_nothing_else(site: World) -> None:
    before = info(site, "sales")
    after = change(site, Mode.SET, "sales", password=Password("New-One-7!"))
    assert after == before
    assert verify_mail("New-One-7!", MailAccount.objects.get(pk=after.id).password)


def test_set_replaces_a_list_that_is_given_and_keeps_one_that_is_not(site: World) -> None:
    after = change(site, Mode.SET, "sales", forwarding=Addresses(addresses=(Z,)))
    assert (after.redirect, bool(after.redirect_enabled), after.aliases) == ([Z], True, ["orders"])
    after = change(site, Mode.SET, "sales", forwarding=Addresses(enabled=False))
    assert (after.redirect, bool(after.redirect_enabled)) == ([Z], False)


def test_add_unites_and_ignores_what_is_there(site: World) -> None:
    after = change(site, Mode.ADD, "sales", forwarding=Addresses(addresses=(Y, Z)), aliases=("orders", "buy"))
    assert after.redirect == [X, Y, Z]
    assert after.aliases == ["orders", "buy"]


def test_remove_takes_away_and_ignores_what_is_not_there(site: World) -> None:
    after = change(site, Mode.REMOVE, "sales", forwarding=Addresses(addresses=(X, Z)), aliases=("orders", "nothing"))
    assert (after.redirect, bool(after.redirect_enabled), after.aliases) == ([Y], True, [])


def test_removing_the_last_address_switches_forwarding_off(site: World) -> None:
    after = change(site, Mode.REMOVE, "sales", forwarding=Addresses(addresses=(X, Y)))
    assert (after.redirect, bool(after.redirect_enabled)) == ([], False)


def test_an_empty_alias_list_clears_in_set_alone(site: World) -> None:
    assert change(site, Mode.ADD, "sales", aliases=()).aliases == ["orders"]
    assert change(site, Mode.SET, "sales", aliases=()).aliases == []


def test_forwarding_on_without_an_address_is_refused(site: World) -> None:
    with pytest.raises(InvalidValue, match="forwarding"):
        change(site, Mode.SET, "bare", forwarding=Addresses(enabled=True))


def test_a_group_has_no_more_members_than_postfix_expands(site: World) -> None:
    members = tuple(f"m{number}@other.example" for number in range(5_001))
    with pytest.raises(InvalidValue, match="5000"):
        change(site, Mode.SET, "team", group=Addresses(True, members))
    assert len(change(site, Mode.SET, "team", group=Addresses(True, members[1:])).group) == 5_000


def test_group_and_redirect_are_kept_apart_and_one_forwarding_replaces_both(site: World) -> None:
    after = change(site, Mode.SET, "sales", group=Addresses(True, (Z,)))
    assert (after.redirect, after.group) == ([X, Y], [Z])
    after = change(site, Mode.ADD, "sales", forwarding=Addresses(addresses=(Z,)))
    assert (after.redirect, after.group) == ([X, Y], [Z]), "already a member"
    after = change(site, Mode.SET, "sales", forwarding=Addresses(True, (Z,)))
    assert (after.redirect, after.group, bool(after.group_enabled)) == ([Z], [], False)


def test_one_forwarding_lands_in_the_group_of_a_group_account(site: World) -> None:
    after = change(site, Mode.ADD, "team", forwarding=Addresses(addresses=(Y,)))
    assert (after.redirect, after.group, bool(after.group_enabled)) == ([], [X, Y], True)


def test_membership_adds_the_address_to_the_group(site: World) -> None:
    assert change(site, Mode.ADD, "bare", groups=("team",)).groups == ["team"]
    assert info(site, "team").group == [X, "bare@alice.example"]
    assert change(site, Mode.SET, "bare", groups=()).groups == []
    assert info(site, "team").group == [X]


def test_membership_of_an_account_that_is_no_group_is_refused(site: World) -> None:
    for group in ("sales", "nobody"):
        with pytest.raises(NotFound, match="group"):
            change(site, Mode.ADD, "bare", groups=(group,))


def test_mailbox_children_change_apart(site: World) -> None:
    assert change(site, Mode.SET, "sales", quota=-1).quota == -1
    assert info(site, "sales").mailbox_enabled
    after = change(site, Mode.SET, "sales", mailbox_enabled=False)
    assert (bool(after.mailbox_enabled), after.quota) == (False, -1)


def test_panel_access_is_stored_and_revoked_whatever_the_value(site: World) -> None:
    assert change(site, Mode.ADD, "bare", cp_access=True).cp_access
    assert not change(site, Mode.REMOVE, "bare", cp_access=True).cp_access
    assert change(site, Mode.SET, "bare", permissions={"cp_access": True, "manage_drweb": False}).cp_access
    assert json.loads(info(site, "bare").permissions) == {"manage_drweb": False}


def test_a_description_is_cleared_by_an_empty_one(site: World) -> None:
    assert change(site, Mode.SET, "sales", description="").description == ""


def test_names_taken_elsewhere_are_refused_and_given_up_ones_are_free(site: World) -> None:
    with pytest.raises(AlreadyExists):
        change(site, Mode.ADD, "bare", aliases=("orders",))
    with pytest.raises(AlreadyExists):
        change(site, Mode.ADD, "bare", aliases=("team",))
    outcomes = update_accounts(
        site.alice,
        UpdateAccounts(
            site.alice_site, Mode.SET, (AccountChange("sales", aliases=()), AccountChange("bare", aliases=("orders",)))
        ),
    )
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert info(site, "bare").aliases == ["orders"]


def test_the_id_must_agree_with_the_name(site: World) -> None:
    with pytest.raises(NotFound):
        change(site, Mode.SET, "sales", id=info(site, "bare").id)
    assert change(site, Mode.SET, "sales", id=info(site, "sales").id, quota=7).quota == 7


def test_results_come_in_order_and_a_bad_one_leaves_the_others(site: World) -> None:
    outcomes = update_accounts(
        site.alice,
        UpdateAccounts(
            site.alice_site,
            Mode.SET,
            (
                AccountChange("sales", quota=5),
                AccountChange("nobody", quota=5),
                AccountChange("bare", quota=0),
                AccountChange("SALES", description="twice"),
            ),
        ),
    )
    assert [type(o.error) if o.error else None for o in outcomes] == [None, NotFound, InvalidValue, None]
    assert outcomes[1].value == AccountRef(None, "nobody")
    assert (info(site, "sales").quota, info(site, "sales").description) == (5, "twice")


def test_limits_bind_changes_too(site: World) -> None:
    site.limit("max_box", 1)
    site.limit("mbox_quota", 5_000)
    with pytest.raises(LimitReached, match="max_box"):
        change(site, Mode.SET, "bare", mailbox_enabled=True)
    with pytest.raises(LimitReached, match="quota"):
        change(site, Mode.SET, "sales", quota=5_001)
    change(site, Mode.SET, "sales", mailbox_enabled=False)
    change(site, Mode.SET, "bare", mailbox_enabled=True)


def test_handlers_that_may_have_it_get_a_password_that_was_hashed_beforehand(site: World) -> None:
    SecretEvent.objects.create(event="mailname_update")
    new = AccountChange("sales", password=Password("New-One-7!"))
    hashes = hash_ahead(site.alice, site.alice_site, [None, new], Mode.SET)
    change(site, Mode.SET, "sales", password=Password("New-One-7!", hashed=hashes[1]))
    assert MailAccount.objects.get(names__local_part="sales").password == hashes[1]
    assert "New-One-7!" in unseal(bytes(OutboxEvent.objects.latest("id").sealed or b""))


def test_nobody_lets_the_server_hash_for_a_site_that_is_not_his(site: World) -> None:
    new = AccountChange("sales", password=Password("New-One-7!"))
    with pytest.raises(NotFound):
        hash_ahead(site.bob, site.alice_site, [new], Mode.SET)


def test_the_event_tells_old_and_new_and_no_password(site: World) -> None:
    change(site, Mode.SET, "sales", quota=7, redirect=Addresses(False, (Z,)), password=Password("New-One-7!"))
    parameters = json.loads(OutboxEvent.objects.filter(event="mailname_update").get().parameters)
    assert {name: parameters[f"old_{name}"] for name in ("mailbox_quota", "redirect", "redirect_address")} == {
        "mailbox_quota": "1000", "redirect": "true", "redirect_address": f"{X},{Y}",
    }  # fmt: skip
    assert {name: parameters[f"new_{name}"] for name in ("mailname", "mailbox_quota", "redirect", "password")} == {
        "mailname": "sales@alice.example", "mailbox_quota": "7", "redirect": "false", "password": "",
    }  # fmt: skip


def test_a_rename_keeps_everything_and_frees_the_old_name(site: World) -> None:
    change(site, Mode.ADD, "sales", groups=("team",))
    before = MailAccount.objects.get(names__local_part="sales")
    ref = rename_account(site.alice, RenameAccount(site.alice_site, "sales", "Shop"))
    assert ref == AccountRef(before.pk, "shop")
    after = info(site, "shop")
    assert (after.aliases, after.redirect, after.groups, after.quota) == (["orders"], [X, Y], ["team"], 1000)
    assert MailAccount.objects.get(pk=before.pk).storage == before.storage
    create_accounts(site.alice, CreateAccounts(site.alice_site, (NewAccount("sales"),)))


def test_a_rename_to_a_taken_name_or_an_own_alias_is_refused_and_to_itself_is_fine(site: World) -> None:
    for taken in ("bare", "orders"):
        with pytest.raises(AlreadyExists):
            rename_account(site.alice, RenameAccount(site.alice_site, "sales", taken))
    with pytest.raises(InvalidValue):
        rename_account(site.alice, RenameAccount(site.alice_site, "sales", "a b"))
    with pytest.raises(NotFound):
        rename_account(site.alice, RenameAccount(site.alice_site, "nobody", "free"))
    assert rename_account(site.alice, RenameAccount(site.alice_site, "sales", "SALES")).name == "sales"


def test_a_mail_user_changes_the_own_account_alone_and_only_what_is_his(site: World) -> None:
    change(site, Mode.SET, "sales", cp_access=True)
    user = mail_user(info(site, "sales").id)

    def attempt(name: str, **settings: Any) -> type[Exception] | None:
        (outcome,) = update_accounts(
            user, UpdateAccounts(site.alice_site, Mode.SET, (AccountChange(name, **settings),))
        )
        return outcome.error and type(outcome.error)

    assert attempt("sales", password=Password("New-One-7!")) is None
    assert attempt("sales", forwarding=Addresses(True, (Z,))) is None
    assert attempt("sales", quota=-1) is NotAllowed
    assert attempt("sales", antivir="in") is NotAllowed
    assert attempt("bare", password=Password("New-One-7!")) is NotFound
    change(site, Mode.SET, "sales", permissions={"manage_drweb": True})
    assert attempt("sales", antivir="in") is None
    change(site, Mode.SET, "sales", cp_access=False)
    assert attempt("sales", password=Password("New-One-8!")) is NotAllowed
    with pytest.raises(NotAllowed):
        create_accounts(user, CreateAccounts(site.alice_site, (NewAccount("more"),)))
    assert [item.name for item in account_infos(user, site.alice_site) if isinstance(item, AccountInfo)] == ["sales"]


def test_strangers_meet_a_missing_site(site: World) -> None:
    request = UpdateAccounts(site.alice_site, Mode.SET, (AccountChange("sales", quota=5),))
    for actor in (site.bob, site.charlie):
        with pytest.raises(NotFound, match=r"^Site does not exist\.$"):
            update_accounts(actor, request)
        with pytest.raises(NotFound, match=r"^Site does not exist\.$"):
            rename_account(actor, RenameAccount(site.alice_site, "sales", "mine"))


def test_one_and_a_hundred_changes_take_the_same_number_of_statements(site: World) -> None:
    create_accounts(
        site.alice, CreateAccounts(site.alice_site, tuple(NewAccount(f"u{number}") for number in range(101)))
    )

    def statements(first: int, last: int) -> int:
        changes = tuple(
            AccountChange(f"u{n}", quota=5, aliases=(f"a{n}",), forwarding=Addresses(True, (X,)), groups=("team",))
            for n in range(first, last)
        )
        with CaptureQueriesContext(connection) as captured:
            outcomes = update_accounts(site.alice, UpdateAccounts(site.alice_site, Mode.SET, changes))
        assert not any(outcome.error for outcome in outcomes)
        return len(captured)

    one, many = statements(0, 1), statements(1, 101)
    assert many == one if connection.vendor == "sqlite" else many <= one + 2  # it takes single rows together
