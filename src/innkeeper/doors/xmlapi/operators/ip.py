"""Operator `ip`: the IP addresses that hosting uses."""

from __future__ import annotations

from collections.abc import Callable

from innkeeper.core.errors import NotSupported, Refused
from innkeeper.doors.xmlapi.call import Call, text_of
from innkeeper.doors.xmlapi.versions import Dialect
from innkeeper.network.operations import AddressChanges, NewAddress, create_address, remove_address, update_address
from innkeeper.network.queries import visible_addresses

OPERATOR = "ip"
DIALECTS = (Dialect.NEW, Dialect.OLD)


def add(call: Call) -> None:
    """Offer another address to hosting."""
    given = call.element
    if given.find("service-node") is not None:
        raise NotSupported("service-node: this server is the only node. Leave it out.")
    address = create_address(
        call.actor,
        NewAddress(
            address=text_of(given, "ip_address") or "",
            netmask=text_of(given, "netmask") or "",
            type=text_of(given, "type") or "",
            interface=text_of(given, "interface") or "",
            public_address=text_of(given, "public_ip_address") or "",
        ),
    )
    with call.result() as writer:
        writer.leaf("ip_address", address.address)


def get(call: Call) -> None:
    """All addresses that the caller may use, the default one first and marked."""
    with call.result() as writer, writer.element("addresses"):
        for row in visible_addresses(call.actor):
            with writer.element("ip_info"):
                writer.leaf("ip_address", row.address)
                writer.leaf("netmask", row.netmask)
                writer.leaf("type", row.type)
                writer.leaf("interface", row.interface)
                if row.public_address:
                    writer.leaf("public_ip_address", row.public_address)
                if row.is_default:
                    writer.leaf("default")


def set_(call: Call) -> None:
    """Change addresses."""
    changes = AddressChanges(
        type=text_of(call.element, "type"),
        public_address=text_of(call.element, "public_ip_address"),
        certificate_name=text_of(call.element, "certificate_name"),
    )

    def change(address: str) -> None:
        if call.element.find("service-node") is not None:
            raise NotSupported("service-node: this server is the only node. Leave it out.")
        update_address(call.actor, address, changes)

    _each(call, change)


def delete(call: Call) -> None:
    """Offer addresses no longer."""
    _each(call, lambda address: remove_address(call.actor, address))


def _each(call: Call, change: Callable[[str], object]) -> None:
    for address in dict.fromkeys(" ".join((child.text or "").split()) for child in call.element[0]):
        error = None
        try:
            change(address)
        except Refused as refused:
            error = refused
        with call.result(error) as writer:
            writer.leaf("ip_address", address)


OPERATIONS = {"add": add, "get": get, "set": set_, "del": delete}
