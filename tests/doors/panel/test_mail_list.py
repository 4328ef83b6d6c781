"""The list of mail accounts."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from innkeeper.accounts.models import Account
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.hosting.models import Site
from innkeeper.mail import listing
from innkeeper.mail.listing import ListRequest, Sort
from innkeeper.mail.models import MailAccount, MailName, MailService
from tests.people import make_account, make_mailbox, make_many_mailboxes, make_site

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Client]
ADDRESS = re.compile(r'<th scope="row"><a href="/mail/\d+/">([^<]+)</a>')


def addresses(page: str) -> list[str]:
    return ADDRESS.findall(page)


def next_link(page: str, rel: str = "next") -> str:
    link = re.search(rf'rel="{rel}" href="([^"]+)"', page)
    return link[1].replace("&amp;", "&") if link else ""


def pages(client: Client, query: str) -> Iterator[list[str]]:
    """Every page of a list, by its own link to the next."""
    path = f"/mail/{query}"
    while path:
        page = client.get(path).content.decode()
        yield addresses(page)
        path = next_link(page)


def test_an_owner_sees_its_accounts_and_nobody_elses(
    alice: Account, charlie: Account, bob: MailAccount, log_in: LogIn
) -> None:
    make_mailbox(make_site(charlie, "charlie.test"), "carl")
    assert addresses(log_in("alice").get("/mail/").content.decode()) == ["bob@example.test"]
    assert addresses(log_in("charlie").get("/mail/").content.decode()) == ["carl@charlie.test"]
    assert addresses(log_in("admin").get("/mail/").content.decode()) == ["bob@example.test", "carl@charlie.test"]


def test_a_reseller_sees_its_own_and_its_customers_accounts(admin: Account, bob: MailAccount, log_in: LogIn) -> None:
    rita = make_account("rita", "reseller", owner=admin)
    make_mailbox(make_site(rita, "rita.test"), "rob")
    make_mailbox(make_site(make_account("cora", owner=rita), "cora.test"), "cid")
    assert addresses(log_in("rita").get("/mail/").content.decode()) == ["cid@cora.test", "rob@rita.test"]


def test_a_foreign_site_filters_like_a_missing_one(
    alice: Account, charlie: Account, bob: MailAccount, log_in: LogIn
) -> None:
    foreign = make_site(charlie, "charlie.test")
    make_mailbox(foreign, "carl")
    client = log_in("alice")
    answers = []
    for number in (foreign.pk, 999_999):
        page = client.get(f"/mail/?site={number}").content.decode()
        answers.append(re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page).replace(f'"{number}"', '"N"'))
    assert addresses(answers[0]) == []
    assert answers[0].replace(f"site={foreign.pk}", "") == answers[1].replace("site=999999", "")


@pytest.mark.parametrize("sort", ["name", "-name", "used", "-used", "login", "-login"])
def test_pages_show_every_account_once_in_order(sort: str, site: Site, log_in: LogIn) -> None:
    make_many_mailboxes(site, 130)
    never = timezone.now() - timedelta(days=10_000)
    keys: dict[str, Callable[[MailName], Any]] = {
        "name": lambda n: (n.address,),
        "used": lambda n: (n.account.used_bytes, n.account_id),
        "login": lambda n: (n.account.last_login_at or never, n.account_id),
    }
    rows = MailName.objects.select_related("account").filter(kind="account")
    expected = [n.address for n in sorted(rows, key=keys[sort.lstrip("-")], reverse=sort.startswith("-"))]
    for login in ("admin", "alice"):
        assert [address for page in pages(log_in(login), f"?sort={sort}") for address in page] == expected


@pytest.mark.parametrize("sort", ["name", "-used", "login", "-login"])
def test_the_way_back_shows_the_same_pages(sort: str, site: Site, log_in: LogIn) -> None:
    make_many_mailboxes(site, 130)
    client = log_in("alice")
    path, forward = f"/mail/?sort={sort}", []
    while path:
        page = client.get(path).content.decode()
        forward.append(addresses(page))
        path = next_link(page)
    backward = [addresses(page)]
    while path := next_link(page, "prev"):
        page = client.get(path).content.decode()
        backward.insert(0, addresses(page))
    assert backward == forward
    assert len(forward) == 3


def test_an_account_created_meanwhile_neither_repeats_nor_hides_another(site: Site, log_in: LogIn) -> None:
    make_many_mailboxes(site, 100)
    everything = list(MailName.objects.order_by("address").values_list("address", flat=True))
    walk = pages(log_in("alice"), "")
    first = next(walk)
    make_mailbox(site, "aaa")
    assert first + next(walk) == everything


def test_search_finds_parts_of_addresses_and_takes_signs_literally(site: Site, log_in: LogIn) -> None:
    for name in ("ann", "joanna", "a_b", "axb", "zoe"):
        make_mailbox(site, name)
    client = log_in("alice")

    def found(text: str) -> list[str]:
        return [a.split("@")[0] for a in addresses(client.get("/mail/", {"q": text}).content.decode())]

    assert found("ANN") == ["ann", "joanna"]
    assert found("a_b") == ["a_b"]
    assert found("%") == []
    assert found("zoe@example") == ["zoe"]


def test_every_page_tells_how_many_there_are_and_a_short_list_is_searched_once(site: Site, log_in: LogIn) -> None:
    make_many_mailboxes(site, 51)
    make_mailbox(site, "zoe")
    client = log_in("alice")
    first = client.get("/mail/").content.decode()
    assert "52 accounts" in first
    assert "52 accounts" in client.get(next_link(first)).content.decode()
    with CaptureQueriesContext(connection) as queries:
        found = client.get("/mail/?q=zoe").content.decode()
    assert "1 account" in found and addresses(found) == ["zoe@example.test"]
    assert len([query for query in queries if "'zoe'" in query["sql"]]) == 1


def test_search_finds_a_domain_in_its_own_letters(alice: Account, log_in: LogIn) -> None:
    make_mailbox(make_site(alice, "bücher.test"), "ann")
    page = log_in("alice").get("/mail/", {"q": "bücher"}).content.decode()
    assert addresses(page) == ["ann@bücher.test"]


def test_filters_show_what_is_wrong(site: Site, log_in: LogIn) -> None:
    make_mailbox(site, "full", quota=10, used_bytes=10, last_login_at=timezone.now())
    make_mailbox(site, "off", mailbox_enabled=False)
    make_mailbox(site, "new")
    client = log_in("alice")
    for show, name in (("full", "full"), ("suspended", "off"), ("never", "new")):
        assert addresses(client.get(f"/mail/?show={show}").content.decode()) == [f"{name}@example.test"]


def test_the_worst_state_comes_first(site: Site, log_in: LogIn) -> None:
    make_mailbox(site, "a", quota=10, used_bytes=11, password="")
    make_mailbox(site, "b", quota=100, used_bytes=95)
    make_mailbox(site, "c", mailbox_enabled=False)
    make_mailbox(site, "d", mailbox_enabled=False, redirect_enabled=True)
    make_mailbox(site, "e", password="")
    make_mailbox(site, "f")
    make_mailbox(site, "g", last_login_at=timezone.now())
    client = log_in("alice")

    def words() -> list[str]:
        return re.findall(r'class="state[^"]*">.*?</svg>([^<]+)<', client.get("/mail/").content.decode())

    assert words() == [
        "Mailbox full", "Nearly full", "Suspended", "Forwards only", "No password", "Never logged in", "Active",
    ]  # fmt: skip
    MailService.objects.update(enabled=False)
    assert set(words()) == {"Mail service off"}


@pytest.mark.parametrize(
    "query",
    [
        "?after=%00",
        "?after=AAAA",
        "?before=W10",
        "?sort=nonsense",
        "?site=abc",
        "?site=" + "9" * 30,
        "?show=x",
        "?q=%00",
    ],
)
def test_a_broken_link_shows_the_list_all_the_same(query: str, bob: MailAccount, log_in: LogIn) -> None:
    assert log_in("alice").get(f"/mail/{query}", follow=True).status_code == 200


def test_an_empty_list_says_what_lives_here(alice: Account, log_in: LogIn) -> None:
    client = log_in("alice")
    assert "No mail account yet" in client.get("/mail/").content.decode()
    assert "No account matches" in client.get("/mail/?q=x").content.decode()


def exported(response: Any) -> str:
    return b"".join(response.streaming_content).decode("utf-8-sig")


def test_export_gives_every_row_of_the_filter_in_order(site: Site, log_in: LogIn) -> None:
    make_many_mailboxes(site, 2345)
    text = exported(log_in("alice").get("/mail/export.csv?sort=-used"))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 2345
    used = [int(row["used_bytes"]) for row in rows]
    assert used == sorted(used, reverse=True)
    assert "BLF-CRYPT" not in text


def test_export_of_picked_rows_leaves_out_what_is_not_ones_own(
    alice: Account, charlie: Account, bob: MailAccount, log_in: LogIn
) -> None:
    carl = make_mailbox(make_site(charlie, "charlie.test"), "carl")
    text = exported(log_in("alice").post("/mail/bulk/", {"do": "export", "id": [bob.pk, carl.pk]}))
    assert "bob@example.test" in text and "carl" not in text


def test_export_never_starts_a_formula(site: Site, log_in: LogIn) -> None:
    make_mailbox(site, "-cmd")
    assert ",'-cmd@example.test," in exported(log_in("alice").get("/mail/export.csv"))


@pytest.mark.scale
def test_the_list_keeps_its_budget_at_100_000_accounts(site: Site, log_in: LogIn) -> None:
    make_many_mailboxes(site, 100_000)
    for login in ("admin", "alice"):
        client = log_in(login)
        for query in ("", "?sort=-used", "?sort=login", "?q=99", "?show=full", "?q=nobody"):
            with CaptureQueriesContext(connection) as queries:
                response = client.get(f"/mail/{query}")
            assert response.status_code == 200
            assert len(queries) <= 12
            assert len(response.content) < 150_000
        owner = Account.objects.get(login=login)
        actor = Actor(ActorKind(owner.kind), owner.pk, login)
        for sort in Sort:
            key, seen = "", []
            for _ in range(4):
                page = listing.page(actor, ListRequest(sort=sort, descending=True, after=key, size=500))
                seen += [row.id for row in page.rows]
                key = page.after
            assert len(seen) == len(set(seen)) == 2000


def test_no_page_of_the_whole_list_scans_or_sorts_it(site: Site, admin: Account) -> None:
    """SQLite has no statistics to lean on: the index of the order must drive, and nothing be sorted."""
    if connection.vendor != "sqlite":
        pytest.skip("reads SQLite's plan")
    make_many_mailboxes(site, 300)
    actor = Actor(ActorKind.ADMINISTRATOR, admin.pk, "admin")
    plans = []
    for sort in Sort:
        for descending in (False, True):
            first = listing.page(actor, ListRequest(sort=sort, descending=descending))
            with CaptureQueriesContext(connection) as queries:
                listing.page(actor, ListRequest(sort=sort, descending=descending, after=first.after))
            with connection.cursor() as cursor:
                for query in [q["sql"] for q in queries if " ORDER BY " in q["sql"] and " LIMIT " in q["sql"]]:
                    cursor.execute("EXPLAIN QUERY PLAN " + query)
                    plans.append([row[3] for row in cursor.fetchall()])
    assert len(plans) >= 6
    for plan in plans:
        assert "INDEX" in plan[0] and "TEMP" not in " ".join(plan), plan
