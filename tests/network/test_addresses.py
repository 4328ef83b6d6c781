from __future__ import annotations

import ipaddress
import json
from typing import Any

import psutil
import pytest
from django.utils import timezone

from innkeeper.accounts.models import Account
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import (
    AlreadyExists,
    Failed,
    InterfaceNotFound,
    InvalidValue,
    IPOperationFailed,
    NotAllowed,
    NotFound,
)
from innkeeper.core.models import OutboxEvent
from innkeeper.hosting.operations import create_webspace
from innkeeper.hosting.requests import NewWebspace
from innkeeper.network import machine
from innkeeper.network.models import IPAddress
from innkeeper.network.operations import (
    AddressChanges,
    NewAddress,
    adopt_machine_addresses,
    create_address,
    remove_address,
    update_address,
)
from innkeeper.network.queries import visible_addresses

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Actor:
    account = Account.objects.create(kind="admin", login="admin", contact_name="Admin", created_at=timezone.now())
    return Actor(ActorKind.ADMINISTRATOR, account.pk, "admin")


def offer(actor: Actor, **changes: Any) -> IPAddress:
    values = {"address": "192.0.2.11", "netmask": "255.255.255.0", "type": "shared", "interface": "lo"} | changes
    return create_address(actor, NewAddress(**values))


def test_the_machine_s_own_addresses_are_offered_once() -> None:
    assert adopt_machine_addresses() == IPAddress.objects.count() >= 1
    assert adopt_machine_addresses() == 0
    main = IPAddress.objects.get(is_default=True)
    assert main.interface in psutil.net_if_addrs()
    assert ipaddress.ip_address(main.address).version == 4
    assert [found.is_main for found in machine.addresses()].count(True) == 1


def test_the_main_address_stays(admin: Actor) -> None:
    adopt_machine_addresses()
    with pytest.raises(Failed):
        remove_address(admin, IPAddress.objects.get(is_default=True).address)


def test_addresses_come_and_go_with_their_events(admin: Actor) -> None:
    offer(admin)
    offer(admin, address="2001:DB8:0::11", netmask="64")
    assert IPAddress.objects.get(address="2001:db8::11").netmask == "ffff:ffff:ffff:ffff::"
    update_address(admin, "2001:0db8::0011", AddressChanges(type="exclusive"))
    remove_address(admin, "2001:db8::11")
    recorded = [(row.event, json.loads(row.parameters)) for row in OutboxEvent.objects.order_by("pk")]
    assert [name for name, _ in recorded] == [
        "ip_address_create", "ip_address_create", "ip_address_update", "ip_address_delete",
    ]  # fmt: skip
    assert recorded[2][1]["old_ip_type"] == "shared" and recorded[2][1]["new_ip_type"] == "exclusive"
    assert recorded[3][1] == {"old_ip_address": "2001:db8::11", "new_ip_address": ""}


def test_an_address_in_use_stays_and_is_not_made_exclusive_between_owners(admin: Actor) -> None:
    offer(admin)
    offer(admin, address="192.0.2.12")
    reseller = Account.objects.create(kind="reseller", login="rita", contact_name="R", created_at=timezone.now())
    for name, owner in (("a.example", admin.account_id), ("b.example", reseller.pk)):
        create_webspace(admin, NewWebspace(name, owner_id=owner, ip_addresses=("192.0.2.12",)))
    with pytest.raises(IPOperationFailed):
        remove_address(admin, "192.0.2.12")
    with pytest.raises(IPOperationFailed):
        update_address(admin, "192.0.2.12", AddressChanges(type="exclusive"))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"address": "192.0.2"}, InvalidValue),
        ({"netmask": "255.0.255.0"}, InvalidValue),
        ({"address": "2001:db8::1", "netmask": "129"}, InvalidValue),
        ({"type": "borrowed"}, InvalidValue),
        ({"interface": "nope0"}, InterfaceNotFound),
        ({"public_address": "x"}, InvalidValue),
    ],
)
def test_bad_addresses_are_refused(admin: Actor, changes: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        offer(admin, **changes)
    assert not IPAddress.objects.exists()


def test_twice_is_once(admin: Actor) -> None:
    offer(admin)
    with pytest.raises(AlreadyExists):
        offer(admin)
    with pytest.raises(NotFound):
        remove_address(admin, "192.0.2.99")


def test_others_change_nothing_and_see_what_they_may_use(admin: Actor) -> None:
    offer(admin)
    offer(admin, address="192.0.2.12", type="exclusive")
    rita = Actor(ActorKind.RESELLER, 99, "rita")
    assert [row.address for row in visible_addresses(rita)] == ["192.0.2.11"]
    assert not visible_addresses(Actor(ActorKind.CUSTOMER, 98, "alice"))
    with pytest.raises(NotAllowed):
        offer(rita, address="192.0.2.13")
    with pytest.raises(NotAllowed):
        remove_address(rita, "192.0.2.11")
