"""Creating accounts: whole or not at all, each in its place, in a fixed number of statements."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from innkeeper.core.errors import AlreadyExists, InvalidValue, LimitReached, NotAllowed, NotFound, Refused
from innkeeper.core.models import AuditEntry, OutboxEvent
from innkeeper.core.operation import Outcome, planning
from innkeeper.core.passwords import verify_mail
from innkeeper.hosting.models import WebspacePermission
from innkeeper.mail.models import MailAccount, MailName
from innkeeper.mail.operations import (
    AccountRef,
    Addresses,
    CreateAccounts,
    NewAccount,
    Password,
    create_accounts,
)

from .conftest import World

HASH = "{BLF-CRYPT}$2y$04$abcdefghijklmnopqrstuuOIUYtrewqasdfghjklzxcvbnmPLOIUY"


def create(world: World, *accounts: NewAccount) -> list[Outcome[AccountRef]]:
    return create_accounts(world.alice, CreateAccounts(world.alice_site, accounts))


def lookups(view: str, key: str, value: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {view} WHERE {key} = %s", [value])
        return cursor.fetchall()


def refusals(outcomes: list[Outcome[AccountRef]]) -> list[type[Refused] | None]:
    return [None if outcome.error is None else type(outcome.error) for outcome in outcomes]


def test_a_new_account_can_log_in_at_once(world: World) -> None:
    (outcome,) = create(
        world,
        NewAccount("Sales", mailbox_enabled=True, quota=1000, aliases=("orders",), password=Password("Kx4!paper-Moon")),
    )
    assert outcome.error is None and outcome.value.name == "sales"
    ((_username, password, home, quota_rule),) = lookups("svc_mail_login", "username", "sales@alice.example")
    assert verify_mail("Kx4!paper-Moon", str(password))
    assert quota_rule == "*:bytes=1000"
    assert home == f"{MailAccount.objects.get().storage[:2]}/{MailAccount.objects.get().storage}"
    assert [row[1] for row in lookups("svc_mail_alias", "source", "orders@alice.example")] == ["sales@alice.example"]


def test_an_account_without_a_mailbox_takes_no_mail(world: World) -> None:
    create(world, NewAccount("empty"))
    assert not lookups("svc_mail_recipient", "address", "empty@alice.example")


def test_a_creation_leaves_one_audit_entry_and_one_event_with_it(world: World) -> None:
    create(world, NewAccount("sales", password=Password("Kx4!paper-Moon")))
    entry, event = AuditEntry.objects.get(), OutboxEvent.objects.get()
    assert (entry.login, entry.operation, entry.object_name) == ("alice", "mail.create", "sales@alice.example")
    assert event.event == "mailname_create"
    assert json.loads(event.parameters) == {"old_mailname": "", "new_mailname": "sales@alice.example"}


def test_a_taken_name_or_alias_is_refused_also_within_one_request(world: World) -> None:
    create(world, NewAccount("one", aliases=("uno",)))
    outcomes = create(
        world,
        NewAccount("ONE"),
        NewAccount("uno"),
        NewAccount("two", aliases=("uno",)),
        NewAccount("three"),
        NewAccount("Three"),
        NewAccount("four", aliases=("four",)),
    )
    taken = AlreadyExists
    assert refusals(outcomes) == [taken, taken, taken, None, taken, taken]
    assert outcomes[0].value == AccountRef(None, "ONE")


def test_the_same_name_on_two_sites_are_two_accounts(world: World) -> None:
    create(world, NewAccount("info"))
    (outcome,) = create_accounts(world.bob, CreateAccounts(world.bob_site, (NewAccount("info"),)))
    assert outcome.error is None


def test_bad_values_are_refused_by_field_and_the_others_exist(world: World) -> None:
    bad = [
        (NewAccount("a+b"), "name"),
        (NewAccount("has space"), "name"),
        (NewAccount("x1", quota=0), "quota"),
        (NewAccount("x2", quota=-2), "quota"),
        (NewAccount("x3", antivir="none"), "antivir"),
        (NewAccount("x4", outgoing_limit="many"), "outgoing-messages-mbox-limit"),
        (NewAccount("x5", password=Password("")), "password"),
        (NewAccount("x6", password=Password("abcde", "sym")), "password"),
        (NewAccount("x7", password=Password("nohash", "crypt")), "password"),
        (NewAccount("charlie", password=Password("xcharliex")), "password"),
        (NewAccount("x8", redirect=Addresses(True, ("nobody",))), "redirect"),
        (NewAccount("x9", redirect=Addresses(True)), "redirect"),
        (NewAccount("x10", description="x" * 256), "description"),
    ]
    outcomes = create(world, *(account for account, _ in bad), NewAccount("good"))
    assert refusals(outcomes) == [InvalidValue] * len(bad) + [None]
    assert [outcome.error and outcome.error.field for outcome in outcomes[:-1]] == [field for _, field in bad]
    assert list(MailName.objects.values_list("local_part", flat=True)) == ["good"]


def test_a_refusal_never_repeats_the_password(world: World) -> None:
    for password in (Password("tiny"), Password("hunter2-hash", "crypt"), Password("hunter2-hash", "sym")):
        (outcome,) = create(world, NewAccount("sales", password=password))
        assert outcome.error is not None and password.value not in outcome.error.message
        assert password.value not in repr(password)


def test_ten_thousand_accounts_of_which_three_are_bad(world: World) -> None:
    accounts = [NewAccount(f"user{number}", password=Password(HASH, "crypt")) for number in range(10_000)]
    accounts[17] = NewAccount("a+b")
    accounts[5_000] = NewAccount("user4999")
    accounts[9_999] = NewAccount("last", quota=0)
    outcomes = create(world, *accounts)
    wrong = {position: type(outcome.error) for position, outcome in enumerate(outcomes) if outcome.error}
    assert wrong == {17: InvalidValue, 5_000: AlreadyExists, 9_999: InvalidValue}
    assert MailAccount.objects.count() == 9_997
    assert [outcome.value.id for outcome in outcomes if outcome.value.id] == sorted(
        MailAccount.objects.values_list("id", flat=True)
    )


def test_one_account_and_a_thousand_take_the_same_number_of_statements(world: World) -> None:
    def statements(*accounts: NewAccount) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert refusals(create(world, *accounts)) == [None] * len(accounts)
        return len(captured)

    def account(name: str) -> NewAccount:
        return NewAccount(
            name, mailbox_enabled=True, aliases=(f"alias-{name}",), password=Password(HASH, "crypt"),
            redirect=Addresses(True, (f"{name}@other.example",)),
        )  # fmt: skip

    create(world, account("warm"))
    one = statements(account("single"))
    many = statements(*(account(f"many{number}") for number in range(1_000)))
    assert many == one if connection.vendor == "sqlite" else many <= one + 2  # it takes single rows together
    assert one <= 15


def test_limits_count_over_the_webspace_and_refuse_the_one_too_many(world: World) -> None:
    world.limit("max_box", 2)
    world.limit("max_redir", 1)
    outcomes = create(
        world,
        NewAccount("a", mailbox_enabled=True),
        NewAccount("b"),
        NewAccount("c", mailbox_enabled=True),
        NewAccount("d", mailbox_enabled=True),
        NewAccount("e", redirect=Addresses(True, ("x@other.example",))),
        NewAccount("f", redirect=Addresses(True, ("x@other.example",))),
        NewAccount("d"),
    )
    assert refusals(outcomes) == [None, None, None, LimitReached, None, LimitReached, None]
    assert outcomes[3].error is not None and "max_box" in outcomes[3].error.message


def test_the_plans_quota_is_the_default_and_the_bound(world: World) -> None:
    world.limit("mbox_quota", 5_000)
    outcomes = create(
        world, NewAccount("a"), NewAccount("b", quota=4_000), NewAccount("c", quota=5_001), NewAccount("d", quota=-1)
    )
    assert refusals(outcomes) == [None, None, LimitReached, LimitReached]
    assert "5000 bytes a mailbox, no limit is more" in str(outcomes[3].error)
    assert list(MailAccount.objects.order_by("id").values_list("quota", flat=True)) == [5_000, 4_000]


def test_strangers_meet_a_missing_site(world: World) -> None:
    request = (NewAccount("sales", password=Password("Kx4!paper-Moon")),)
    answers = []
    for actor, site_id in ((world.charlie, world.alice_site), (world.bob, world.alice_site), (world.charlie, 999_999)):
        with pytest.raises(NotFound) as caught:
            create_accounts(actor, CreateAccounts(site_id, request))
        answers.append((caught.value.message, caught.value.field))
    assert len(set(answers)) == 1


def test_reseller_and_administrator_may(world: World) -> None:
    for actor, name in ((world.rita, "by-rita"), (world.admin, "by-admin")):
        (outcome,) = create_accounts(actor, CreateAccounts(world.alice_site, (NewAccount(name),)))
        assert outcome.error is None


def test_an_owner_without_the_permission_may_not_but_the_reseller_may(world: World) -> None:
    WebspacePermission.objects.create(webspace_id=world.alice_site, name="manage_mail_settings", value=False)
    with pytest.raises(NotAllowed):
        create(world, NewAccount("sales"))
    (outcome,) = create_accounts(world.rita, CreateAccounts(world.alice_site, (NewAccount("sales"),)))
    assert outcome.error is None


def test_a_plan_says_what_would_be_and_leaves_nothing(world: World) -> None:
    with planning() as plan:
        create(world, NewAccount("sales", password=Password("Kx4!paper-Moon")))
    assert [(change.operation, change.object_name) for change in plan.changes] == [
        ("mail.create", "sales@alice.example")
    ]
    assert not MailAccount.objects.exists() and not OutboxEvent.objects.exists() and not AuditEntry.objects.exists()


def test_too_much_to_hash_is_refused_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("innkeeper.core.passwords.hashing_seconds", lambda count: count * 11.0)
    good = NewAccount("ready", password=Password(HASH, "crypt"))
    plain = [NewAccount(name, password=Password("Kx4!paper-Moon")) for name in ("a", "b")]
    with pytest.raises(LimitReached, match="crypt"):
        create(world, good, *plain)
    assert not MailAccount.objects.exists()
