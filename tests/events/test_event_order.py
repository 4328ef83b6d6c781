"""The outbox's order is the order in which an object changed, however many change it at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from django.db import connection
from handler_world import ADMINISTRATOR

from innkeeper.accounts.operations import CustomerChanges, update_customer
from innkeeper.core.models import OutboxEvent
from innkeeper.hosting.operations import update_site
from innkeeper.hosting.requests import SiteChanges
from innkeeper.network.models import IPAddress
from innkeeper.network.operations import AddressChanges, update_address
from tests.people import make_account, make_site

pytestmark = pytest.mark.django_db(transaction=True)
WRITERS, CHANGES = 4, 5


def at_once(change: Callable[[int], object]) -> None:
    failures: list[BaseException] = []

    def work(writer: int) -> None:
        try:
            for number in range(CHANGES):
                change(writer * CHANGES + number)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[writer]) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def chain(event: str, parameter: str) -> None:
    """Each event begins where the one before ended."""
    rows = [json.loads(row.parameters) for row in OutboxEvent.objects.filter(event=event).order_by("pk")]
    assert len(rows) == WRITERS * CHANGES
    for before, after in pairwise(rows):
        assert after[f"old_{parameter}"] == before[f"new_{parameter}"]


def test_each_event_of_an_object_begins_where_the_one_before_ended() -> None:
    actor = replace(ADMINISTRATOR, account_id=make_account("admin", kind="admin").pk)
    ines = make_account("ines")
    at_once(lambda n: update_customer(actor, ines.pk, CustomerChanges(contact={"company_name": f"Firm {n}"})))
    chain("client_update", "company_name")

    site = make_site(ines, "example.com")
    at_once(lambda n: update_site(actor, site.pk, SiteChanges(name=f"n{n}.example.com")))
    chain("domain_update", "domain_name")

    IPAddress.objects.create(address="192.0.2.7", netmask="255.255.255.0", interface="lo", type="shared")
    at_once(lambda n: update_address(actor, "192.0.2.7", AddressChanges(type=("shared", "exclusive")[n % 2])))
    chain("ip_address_update", "ip_type")
