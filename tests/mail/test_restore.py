"""A removed account comes back whole, as long as its grave is not due."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone

from innkeeper.core.errors import AlreadyExists, LimitReached, NotFound
from innkeeper.hosting.models import Site
from innkeeper.hosting.operations.renaming import rename_site
from innkeeper.mail.models import Grave, MailAccount, MailName, SieveScript
from innkeeper.mail.operations import (
    Addresses,
    Attachment,
    CreateAccounts,
    NewAccount,
    NewFile,
    Password,
    RemoveAccounts,
    Replies,
    ReplyChange,
    RestoreAccount,
    create_accounts,
    remove_accounts,
    restore_account,
)
from innkeeper.mail.queries import AccountInfo, Part, account_infos, buried_files

from .conftest import World

EVERYTHING = Part.ALIASES | Part.RECIPIENTS | Part.GROUPS | Part.FILES | Part.REPLIES


@pytest.fixture
def site(world: World) -> World:
    reply = ReplyChange(
        "away", enabled=True, text="Back soon", end_date=date(2030, 1, 1), attachments=(Attachment("list.txt"),)
    )
    account = NewAccount(
        "sales", mailbox_enabled=True, quota=77, aliases=("orders", "buy"), redirect=Addresses(False, ("x@o.example",)),
        group=Addresses(True, ("y@o.example",)), files=(NewFile("list.txt", b"1 2 3"),), description="Shop",
        autoresponders=Replies(True, (reply,)), password=Password("Kx4!paper-Moon"), cp_options={"locale": "de"},
    )  # fmt: skip
    (outcome,) = create_accounts(world.alice, CreateAccounts(world.alice_site, (account,)))
    assert outcome.error is None
    return world


def read(world: World) -> AccountInfo:
    (found,) = account_infos(world.alice, world.alice_site, ["sales"], EVERYTHING)
    assert isinstance(found, AccountInfo)
    return found


def remove(world: World) -> None:
    (outcome,) = remove_accounts(world.alice, RemoveAccounts(world.alice_site, ("sales",)))
    assert outcome.error is None


def test_everything_comes_back_under_a_new_id(site: World) -> None:
    before, row = read(site), MailAccount.objects.get()
    script = SieveScript.objects.get().script
    remove(site)
    restored = restore_account(site.alice, RestoreAccount(site.alice_site, "Sales"))
    after, new = read(site), MailAccount.objects.get()
    assert restored.account.id == after.id > before.id and restored.lost_aliases == ()
    before.id = after.id
    assert after == before
    assert (new.storage, new.password, new.guid) == (row.storage, row.password, row.guid)
    assert SieveScript.objects.get().script == script
    assert not Grave.objects.exists()


def test_aliases_that_others_took_are_left_out_and_named(site: World) -> None:
    remove(site)
    create_accounts(site.alice, CreateAccounts(site.alice_site, (NewAccount("orders"),)))
    assert restore_account(site.alice, RestoreAccount(site.alice_site, "sales")).lost_aliases == ("orders",)
    assert read(site).aliases == ["buy"]


def test_a_taken_name_keeps_the_grave(site: World) -> None:
    remove(site)
    create_accounts(site.alice, CreateAccounts(site.alice_site, (NewAccount("sales"),)))
    with pytest.raises(AlreadyExists):
        restore_account(site.alice, RestoreAccount(site.alice_site, "sales"))
    assert Grave.objects.count() == 1


def test_the_plans_limits_bind(site: World) -> None:
    remove(site)
    site.limit("max_box", 0)
    with pytest.raises(LimitReached):
        restore_account(site.alice, RestoreAccount(site.alice_site, "sales"))


def test_a_due_grave_a_name_without_one_and_a_foreign_site_give_nothing(site: World) -> None:
    remove(site)
    with pytest.raises(NotFound):
        restore_account(site.bob, RestoreAccount(site.alice_site, "sales"))
    with pytest.raises(NotFound):
        restore_account(site.alice, RestoreAccount(site.alice_site, "orders"))
    Grave.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotFound):
        restore_account(site.alice, RestoreAccount(site.alice_site, "sales"))


def test_an_account_of_a_renamed_site_comes_back_under_the_new_name(site: World) -> None:
    remove(site)
    create_accounts(site.alice, CreateAccounts(site.alice_site, (NewAccount("other"),)))
    rename_site(site.alice, Site.objects.get(pk=site.alice_site), "new.example", "new.example")
    restore_account(site.alice, RestoreAccount(site.alice_site, "sales"))
    assert MailName.objects.filter(address="sales@new.example").exists()
    assert "sales@new.example" in SieveScript.objects.get().script


def test_a_renamed_site_renders_its_replies_again(site: World) -> None:
    first = SieveScript.objects.get()
    rename_site(site.alice, Site.objects.get(pk=site.alice_site), "new.example", "new.example")
    second = SieveScript.objects.get()
    assert second.revision == first.revision + 1
    assert "orders@new.example" in second.script and "alice.example" not in second.script


def test_files_of_a_removed_account_are_kept_for_it(site: World) -> None:
    sha256 = read(site).files[0].sha256
    assert buried_files() == set()
    remove(site)
    assert buried_files() == {sha256}
