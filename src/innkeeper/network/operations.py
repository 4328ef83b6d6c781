"""Changes of the IP addresses that hosting uses.

They are the server's list: interfaces of the machine are configured by its administrator, not by the panel.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from django.db import IntegrityError
from django.db.models import Q

from innkeeper.core.actor import Actor
from innkeeper.core.errors import (
    AlreadyExists,
    Failed,
    InterfaceNotFound,
    InvalidValue,
    IPOperationFailed,
    NotAllowed,
    NotFound,
)
from innkeeper.core.operation import Operation
from innkeeper.network import events, machine
from innkeeper.network.models import IPAddress
from innkeeper.network.queries import find_address

IPV6_BITS = 128


@dataclass(frozen=True, slots=True)
class NewAddress:
    """An address to offer to hosting. The netmask of IPv6 may be a prefix length."""

    address: str
    netmask: str
    type: str
    interface: str
    public_address: str = ""


@dataclass(frozen=True, slots=True)
class AddressChanges:
    """What to change of an address; None leaves a thing as it is."""

    type: str | None = None
    public_address: str | None = None
    certificate_name: str | None = None


def adopt_machine_addresses(listening: str = "") -> int:
    """Offer the machine's addresses to hosting, if none is offered yet; returns how many. Part of the set-up.

    `listening` as in `machine.addresses`.
    """
    if IPAddress.objects.exists():
        return 0
    rows = [
        IPAddress(
            address=found.address,
            netmask=found.netmask,
            type=IPAddress.Type.SHARED,
            interface=found.interface,
            is_default=found.is_main,
        )
        for found in machine.addresses(listening)
    ]
    return len(IPAddress.objects.bulk_create(rows))


def create_address(actor: Actor, request: NewAddress) -> IPAddress:
    """Offer another address. Raises NotAllowed, InvalidValue, InterfaceNotFound, AlreadyExists."""
    _require_administrator(actor)
    address = _address(request.address, "ip_address")
    row = IPAddress(
        address=str(address),
        netmask=_netmask(request.netmask, address.version),
        type=_type(request.type),
        interface=request.interface.strip(),
        public_address=_public(request.public_address),
    )
    if row.interface not in machine.interface_names():
        raise InterfaceNotFound(
            f"interface: there is no network interface {row.interface!r}. server/get/interfaces lists them.",
            field="interface",
        )
    with Operation(actor, "ip_address.create") as operation:
        if IPAddress.objects.filter(address=row.address).exists():
            raise AlreadyExists(f"IP address {row.address} already exists.", field="ip_address")
        row.is_default = not IPAddress.objects.filter(is_default=True).exists()
        try:
            row.save()
        except IntegrityError as error:
            raise AlreadyExists(f"IP address {row.address} already exists.", field="ip_address") from error
        operation.audit("ip_address", row.pk, row.address)
        operation.event(events.IP_ADDRESS_CREATE, row.pk, new=events.described(row))
    return row


def update_address(actor: Actor, address: str, changes: AddressChanges) -> IPAddress:
    """Change an address. Raises NotAllowed, NotFound, InvalidValue, IPOperationFailed."""
    _require_administrator(actor)
    with Operation(actor, "ip_address.update") as operation:
        row = _locked(actor, address)
        before = events.described(row)
        if changes.type is not None:
            row.type = _type(changes.type)
            if row.type == IPAddress.Type.EXCLUSIVE and _owners(row) > 1:
                raise IPOperationFailed(
                    f"IP address {row.address} is used by several owners. Leave it shared, or move their webspaces.",
                    field="type",
                )
        if changes.public_address is not None:
            row.public_address = _public(changes.public_address)
        if changes.certificate_name is not None:
            raise NotFound(f"certificate_name: there is no certificate {changes.certificate_name!r}.")
        row.save()
        operation.audit("ip_address", row.pk, row.address)
        operation.event(events.IP_ADDRESS_UPDATE, row.pk, old=before, new=events.described(row))
    return row


def _locked(actor: Actor, address: str) -> IPAddress:
    """The address as it is when other changes of it are complete: events say what was before. Raises NotFound."""
    found = find_address(actor, address)
    IPAddress.objects.select_for_update().filter(pk=found.pk).first()
    return find_address(actor, address)


def remove_address(actor: Actor, address: str) -> None:
    """Offer an address no longer. Raises NotAllowed, NotFound, Failed (main address), IPOperationFailed (in use)."""
    _require_administrator(actor)
    with Operation(actor, "ip_address.remove") as operation:
        row = _locked(actor, address)
        if row.is_default:
            raise Failed(f"IP address {row.address} is the main address of the server and cannot be removed.")
        if _owners(row):
            raise IPOperationFailed(f"IP address {row.address} is in use. Move its webspaces to another one first.")
        operation.audit("ip_address", row.pk, row.address)
        operation.event(events.IP_ADDRESS_DELETE, row.pk, old={"ip_address": row.address})
        row.delete()


def _owners(row: IPAddress) -> int:
    from innkeeper.hosting.models import Webspace  # hosting stands on network

    return Webspace.objects.filter(Q(ipv4=row) | Q(ipv6=row)).values("owner").distinct().count()


def _require_administrator(actor: Actor) -> None:
    if not actor.is_administrator:
        raise NotAllowed("Permission denied: only the administrator changes IP addresses.")


def _address(text: str, field: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text.strip())
    except ValueError:
        raise InvalidValue(f"{field}: {text!r} is not an IP address.", field=field) from None


def _public(text: str) -> str:
    return str(_address(text, "public_ip_address")) if text.strip() else ""


def _type(text: str) -> str:
    if text not in IPAddress.Type.values:
        raise InvalidValue(f"type: {text!r} is unknown. Use shared or exclusive.", field="type")
    return text


def _netmask(text: str, version: int) -> str:
    mask = text.strip()
    try:
        if version == 4:
            return str(ipaddress.IPv4Network(f"0.0.0.0/{mask}").netmask)
        if mask.isascii() and mask.isdigit() and int(mask) <= IPV6_BITS:
            return str(ipaddress.IPv6Network(f"::/{mask}").netmask)
        bits = f"{int(ipaddress.IPv6Address(mask)):0{IPV6_BITS}b}"
        if "01" not in bits:
            return str(ipaddress.IPv6Address(mask))
    except ValueError:
        pass
    raise InvalidValue(f"netmask: {text!r} is not a netmask. Give one such as 255.255.255.0 or 64.", field="netmask")
