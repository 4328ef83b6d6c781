"""Removing accounts: gone at once, restorable from a grave, and a new account of the name starts empty."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from innkeeper.core.errors import NotAllowed, NotFound
from innkeeper.core.models import AuditEntry, OutboxEvent
from innkeeper.core.operation import planning
from innkeeper.mail.models import Grave, MailAccount, MailName
from innkeeper.mail.operations import (
    Addresses,
    CreateAccounts,
    NewAccount,
    RemoveAccounts,
    create_accounts,
    remove_accounts,
    set_retention,
)

from .conftest import World


@pytest.fixture
def site(world: World) -> World:
    create_accounts(
        world.alice,
        CreateAccounts(
            world.alice_site,
            (
                NewAccount("sales", mailbox_enabled=True, aliases=("orders",)),
                NewAccount("info", redirect=Addresses(True, ("sales@alice.example",))),
                NewAccount("third"),
            ),
        ),
    )
    create_accounts(world.bob, CreateAccounts(world.bob_site, (NewAccount("keep"),)))
    return world


def test_named_accounts_go_and_missing_ones_say_so_in_their_places(site: World) -> None:
    outcomes = remove_accounts(site.alice, RemoveAccounts(site.alice_site, ("SALES", "nobody", "sales")))
    assert [(o.value.name, o.error and o.error.message) for o in outcomes] == [
        ("sales", None),
        ("nobody", "The mail name nobody does not exist."),
        ("sales", "The mail name sales does not exist."),
    ]
    assert sorted(MailName.objects.values_list("address", flat=True)) == [
        "info@alice.example", "keep@bob.example", "third@alice.example",
    ]  # fmt: skip


def test_the_mail_of_removed_accounts_is_kept_as_long_as_the_setting_says(site: World) -> None:
    remove_accounts(site.alice, RemoveAccounts(site.alice_site, ("sales",)))
    with pytest.raises(NotAllowed):
        set_retention(site.alice, "1")
    set_retention(site.admin, "90")
    remove_accounts(site.alice, RemoveAccounts(site.alice_site, ("info",)))
    assert [(grave.due_at - grave.buried_at).days for grave in Grave.objects.order_by("pk")] == [14, 90]


def test_an_alias_is_no_account(site: World) -> None:
    (outcome,) = remove_accounts(site.alice, RemoveAccounts(site.alice_site, ("orders",)))
    assert isinstance(outcome.error, NotFound)


def test_without_names_every_account_of_the_site_goes_and_no_other(site: World) -> None:
    outcomes = remove_accounts(site.alice, RemoveAccounts(site.alice_site))
    assert [o.value.name for o in outcomes] == ["sales", "info", "third"]
    assert list(MailName.objects.values_list("address", flat=True)) == ["keep@bob.example"]
    assert remove_accounts(site.alice, RemoveAccounts(site.alice_site)) == []


def test_the_storage_becomes_a_grave_and_a_new_account_has_another(site: World) -> None:
    old = MailAccount.objects.get(names__local_part="sales")
    remove_accounts(site.alice, RemoveAccounts(site.alice_site, ("sales",)))
    grave = Grave.objects.get()
    assert (grave.storage, grave.address) == (old.storage, "sales@alice.example")
    create_accounts(site.alice, CreateAccounts(site.alice_site, (NewAccount("sales"),)))
    new = MailAccount.objects.get(names__local_part="sales")
    assert new.storage != old.storage and new.pk > old.pk


def test_the_event_names_the_old_address_alone(site: World) -> None:
    remove_accounts(site.alice, RemoveAccounts(site.alice_site, ("sales",)))
    event = OutboxEvent.objects.get(event="mailname_delete")
    assert json.loads(event.parameters) == {"old_mailname": "sales@alice.example", "new_mailname": ""}


def test_a_plan_of_a_removal_removes_nothing(site: World) -> None:
    with planning() as plan:
        remove_accounts(site.alice, RemoveAccounts(site.alice_site))
    assert len(plan.changes) == 3
    assert MailAccount.objects.count() == 4 and not Grave.objects.exists()


def test_foreign_and_missing_sites_answer_alike(site: World) -> None:
    for actor, site_id in ((site.charlie, site.alice_site), (site.bob, site.alice_site), (site.alice, 999_999)):
        with pytest.raises(NotFound, match=r"^Site does not exist\.$"):
            remove_accounts(actor, RemoveAccounts(site_id))


def test_records_of_many_are_written_on_the_way_and_all_of_them(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("innkeeper.core.operation.RECORDS_IN_MEMORY", 2)
    monkeypatch.setattr("innkeeper.mail.operations.remove.BATCH", 2)
    AuditEntry.objects.all().delete()
    remove_accounts(site.alice, RemoveAccounts(site.alice_site))
    assert list(AuditEntry.objects.order_by("id").values_list("object_name", flat=True)) == [
        "sales@alice.example", "info@alice.example", "third@alice.example",
    ]  # fmt: skip
    assert OutboxEvent.objects.filter(event="mailname_delete").count() == 3


def test_two_and_a_hundred_take_the_same_number_of_statements(site: World) -> None:
    create_accounts(
        site.alice, CreateAccounts(site.alice_site, tuple(NewAccount(f"u{number}") for number in range(102)))
    )

    def statements(first: int, last: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            names = tuple(f"u{number}" for number in range(first, last))
            assert all(o.error is None for o in remove_accounts(site.alice, RemoveAccounts(site.alice_site, names)))
        return len(captured)

    assert statements(0, 2) == statements(2, 102)
