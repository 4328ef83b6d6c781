"""The control-panel events of IP addresses."""

from __future__ import annotations

from innkeeper.events.catalogue import event
from innkeeper.network.models import IPAddress

IP_ADDRESS_CREATE = event("ip_address_create")
IP_ADDRESS_UPDATE = event("ip_address_update")
IP_ADDRESS_DELETE = event("ip_address_delete")


def described(address: IPAddress) -> dict[str, object]:
    """The values of an address in its events."""
    return {
        "ip_address": address.address,
        "ip_mask": address.netmask,
        "interface": address.interface,
        "ip_type": address.type,
    }
