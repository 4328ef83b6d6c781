"""Access control entries and security descriptors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from innkeeper.permissions.nt.rights import INHERITED
from innkeeper.permissions.nt.sid import Sid


class Ace(NamedTuple):
    """One entry: it allows or denies the bits of ``mask`` to ``sid``; ``flags`` say what inherits it."""

    deny: bool
    flags: int
    mask: int
    sid: Sid


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Owner, group and the list of entries of one object.

    There is always a list: an absent one would mean access for everybody, which no rule can ask for.
    """

    owner: Sid
    group: Sid
    aces: tuple[Ace, ...]
    protected: bool = False


def canonical(explicit: Iterable[Ace], inherited: Iterable[Ace] = ()) -> tuple[Ace, ...]:
    """Order entries as Windows does: explicit denies, explicit allows, then the inherited ones as they came.

    ``inherited`` must already be in the order of its levels, nearest parent first, as ``inherit`` returns it.
    """
    own = sorted(explicit, key=lambda ace: not ace.deny)
    return (*own, *inherited)


def is_canonical(aces: Iterable[Ace]) -> bool:
    """True when no explicit entry follows an inherited one and no explicit deny follows an explicit allow."""
    stage = 0
    for ace in aces:
        rank = 2 if ace.flags & INHERITED else 0 if ace.deny else 1
        if rank < stage:
            return False
        stage = rank
    return True


def merge(aces: Iterable[Ace]) -> list[Ace]:
    """Join entries of the same kind, flags and account by combining their bits; the first place is kept."""
    bits: dict[tuple[bool, int, Sid], int] = {}
    for ace in aces:
        key = (ace.deny, ace.flags, ace.sid)
        bits[key] = bits.get(key, 0) | ace.mask
    return [Ace(deny, flags, mask, sid) for (deny, flags, sid), mask in bits.items()]
