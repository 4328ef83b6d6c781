"""The access check."""

from __future__ import annotations

from collections.abc import Iterable, Set

from innkeeper.permissions.nt.acl import Ace, Descriptor
from innkeeper.permissions.nt.rights import FULL, INHERIT_ONLY, READ_CONTROL, WRITE_DAC, specific
from innkeeper.permissions.nt.sid import OWNER_RIGHTS, Sid


def granted(aces: Iterable[Ace], token: Set[Sid]) -> int:
    """All bits that the entries grant to a holder of these identifiers.

    The first entry that speaks of a bit decides it.
    """
    allowed = denied = 0
    for ace in aces:
        if ace.flags & INHERIT_ONLY or ace.sid not in token:
            continue
        mask = specific(ace.mask)
        if ace.deny:
            denied |= mask & ~allowed
        else:
            allowed |= mask & ~denied
    return allowed


def maximum(descriptor: Descriptor, token: Set[Sid]) -> int:
    """All bits that the object grants, those that its owner has by being the owner included."""
    if descriptor.owner not in token:
        return granted(descriptor.aces, token)
    speaks = any(ace.sid == OWNER_RIGHTS and not ace.flags & INHERIT_ONLY for ace in descriptor.aces)
    allowed = granted(descriptor.aces, token | {OWNER_RIGHTS})
    return allowed if speaks else allowed | READ_CONTROL | WRITE_DAC


def check(descriptor: Descriptor, token: Set[Sid], desired: int) -> bool:
    """True when every desired bit is granted."""
    wanted = specific(desired) & FULL
    return maximum(descriptor, token) & wanted == wanted
