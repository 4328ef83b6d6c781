"""Reading accounts back."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from innkeeper.core.errors import NotFound
from innkeeper.mail import queries
from innkeeper.mail.operations import Addresses, CreateAccounts, NewAccount, create_accounts
from innkeeper.mail.queries import AccountInfo, Part, account_infos

from .conftest import World


@pytest.fixture
def site(world: World) -> World:
    create_accounts(
        world.alice,
        CreateAccounts(
            world.alice_site,
            (
                NewAccount(
                    "sales", mailbox_enabled=True, quota=1000, aliases=("orders", "buy"), description="Shop",
                    redirect=Addresses(False, ("z@bücher.example", "a@other.example")),
                ),
                NewAccount("info", antivir="in", outgoing_limit="12", cp_access=True),
            ),
        ),
    )  # fmt: skip
    return world


def test_accounts_come_by_ascending_id(site: World) -> None:
    sales, info = account_infos(site.alice, site.alice_site)
    assert isinstance(sales, AccountInfo) and isinstance(info, AccountInfo)
    assert (sales.name, sales.quota, sales.outgoing_limit, sales.antivir) == ("sales", 1000, None, "off")
    assert (info.name, info.antivir, info.outgoing_limit, bool(info.cp_access)) == ("info", "in", 12, True)
    assert (sales.aliases, sales.redirect) == ([], [])


def test_lists_come_as_they_were_written(site: World) -> None:
    (sales,) = account_infos(site.alice, site.alice_site, ["sales"], Part.ALIASES | Part.RECIPIENTS)
    assert isinstance(sales, AccountInfo)
    assert sales.aliases == ["orders", "buy"]
    assert (bool(sales.redirect_enabled), sales.redirect) == (False, ["z@bücher.example", "a@other.example"])


def test_named_accounts_come_in_the_order_of_the_request_and_missing_ones_in_their_place(site: World) -> None:
    found = list(account_infos(site.alice, site.alice_site, ["INFO", "nobody", "sales", "orders"]))
    names = [item.name if isinstance(item, AccountInfo) else item for item in found]
    assert names[0] == "info" and names[2] == "sales"
    assert isinstance(names[1], tuple) and names[1][0] == "nobody"
    assert isinstance(names[1][1], NotFound)
    assert isinstance(names[3], tuple), "an alias is no account"


def test_chunks_join_without_gaps(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "CHUNK", 3)
    create_accounts(site.alice, CreateAccounts(site.alice_site, tuple(NewAccount(f"u{n}") for n in range(7))))
    everything = [item.name for item in account_infos(site.alice, site.alice_site) if isinstance(item, AccountInfo)]
    assert everything == ["sales", "info", *(f"u{n}" for n in range(7))]


def test_foreign_and_missing_sites_answer_alike(site: World) -> None:
    for actor, site_id in ((site.charlie, site.alice_site), (site.alice, site.bob_site), (site.alice, 999_999)):
        with pytest.raises(NotFound, match=r"^Site does not exist\.$"):
            account_infos(actor, site_id)


def test_statements_do_not_grow_with_the_accounts(site: World) -> None:
    everything = Part.ALIASES | Part.RECIPIENTS | Part.GROUPS | Part.FILES | Part.REPLIES

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            list(account_infos(site.alice, site.alice_site, None, everything))
        return len(captured)

    few = statements()
    create_accounts(site.alice, CreateAccounts(site.alice_site, tuple(NewAccount(f"u{n}") for n in range(500))))
    assert statements() == few
