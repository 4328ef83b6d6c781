"""Many objects cost as many statements as few."""

from __future__ import annotations

import packet_world
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from lxml import etree
from packet_client import request

from innkeeper.accounts.models import Account
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.hosting.operations import create_site, create_webspace
from innkeeper.hosting.requests import NewSite, NewWebspace

pytestmark = pytest.mark.usefixtures("world")
ALL = {
    "customer": "<gen_info/><stat/>",
    "webspace": "<gen_info/><hosting/><limits/><stat/><prefs/><disk_usage/><permissions/><php-settings/><mail/>",
    "site": "<gen_info/><hosting/><stat/><prefs/><disk_usage/>",
}


def ask(packet: str) -> tuple[etree._Element, int]:
    """The answer, and how many statements it took."""
    with CaptureQueriesContext(
        connection,
    ) as queries:
        _, _, content = request(packet.encode(), {"KEY": "admin-key"})
    return etree.fromstring(content), len(queries)


@pytest.mark.parametrize("operator", ALL)
def test_many_take_as_many_statements_as_two(operator: str) -> None:
    admin = Actor(ActorKind.ADMINISTRATOR, Account.objects.get(login="admin").pk, "admin")
    keys: list[str] = []
    for number in range(30):
        name = f"s{number}.test"
        owner = packet_world.account(200 + number, f"owner{number}", Account.Kind.CUSTOMER, Account.objects.get(pk=1))
        webspace = create_webspace(admin, NewWebspace(name, owner_id=owner.pk))
        site = create_site(admin, NewSite(f"addon.{name}", webspace_id=webspace.pk))
        keys.append(str({"customer": owner.pk, "webspace": webspace.pk, "site": site.pk}[operator]))
    packet = "<packet><{0}><get><filter>{1}</filter><dataset>{2}</dataset></get></{0}></packet>"
    counts = []
    for chosen in (keys[:2], keys, []):
        filter_ = "".join(f"<id>{key}</id>" for key in chosen)
        answer, statements = ask(packet.format(operator, filter_, ALL[operator]))
        results = answer.findall(f"{operator}/get/result")
        assert {result.findtext("status") for result in results} == {"ok"}
        assert len(results) >= (len(chosen) or len(keys))
        counts.append(statements)
    assert len(set(counts)) == 1, counts


def test_ten_thousand_keys_are_looked_up_together() -> None:
    keys = "".join(f"<name>s{number}.test</name>" for number in range(10_000))
    answer, statements = ask(f"<packet><site><get><filter>{keys}</filter><dataset/></get></site></packet>")
    assert len(answer.findall("site/get/result")) == 10_000
    assert statements < 40


def test_a_subdomain_is_renamed_by_its_id() -> None:
    added, _ = ask("<packet><subdomain><add><parent>example.test</parent><name>shop</name></add></subdomain></packet>")
    pk = added.findtext("subdomain/add/result/id")
    answer, _ = ask(
        f"<packet><subdomain><rename><id>{pk}</id><name>store</name></rename>"
        f"<get><filter><id>{pk}</id></filter></get></subdomain></packet>"
    )
    (renamed,) = answer.findall("subdomain/rename/result")
    assert [(child.tag, child.text) for child in renamed] == [("status", "ok")]
    assert answer.findtext("subdomain/get/result/data/name") == "store.example.test"
