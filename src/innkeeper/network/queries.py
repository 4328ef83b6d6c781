"""Which IP addresses a caller may see."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import NotFound
from innkeeper.network.models import IPAddress

if TYPE_CHECKING:
    from django.db.models import QuerySet


def visible_addresses(actor: Actor) -> QuerySet[IPAddress]:
    """The administrator sees all, a reseller the shared ones, nobody else any. The default one comes first."""
    addresses = IPAddress.objects.order_by("-is_default", "pk")
    if actor.is_administrator:
        return addresses
    if actor.kind is ActorKind.RESELLER:
        return addresses.filter(type=IPAddress.Type.SHARED)
    return addresses.none()


def find_address(actor: Actor, text: str) -> IPAddress:
    """The address of that text, however it is written. Raises NotFound."""
    try:
        address = str(ipaddress.ip_address(text.strip()))
    except ValueError:
        address = ""
    found = visible_addresses(actor).filter(address=address).first()
    if found is None:
        raise NotFound("IP address does not exist")
    return found
