"""Events of IP addresses, with the parameters of the control panel's catalogue."""

from __future__ import annotations

from innkeeper.core.events import EventType
from innkeeper.network.models import IPAddress

_NAMED = frozenset({"ip_address"})
_ADDRESS = ("ip_address", "ip_mask", "interface", "ip_type")

IP_ADDRESS_CREATE = EventType("ip_address_create", "ip_address", "create", _ADDRESS, _NAMED)
IP_ADDRESS_UPDATE = EventType("ip_address_update", "ip_address", "change", _ADDRESS, _NAMED)
IP_ADDRESS_DELETE = EventType("ip_address_delete", "ip_address", "delete", ("ip_address",), _NAMED)


def described(address: IPAddress) -> dict[str, object]:
    """The values of an address in its events."""
    return {
        "ip_address": address.address,
        "ip_mask": address.netmask,
        "interface": address.interface,
        "ip_type": address.type,
    }
