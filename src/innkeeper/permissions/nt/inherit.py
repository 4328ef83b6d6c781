"""What a new or existing child receives from its parent folder."""

from __future__ import annotations

from collections.abc import Iterable

from innkeeper.permissions.nt.acl import Ace
from innkeeper.permissions.nt.rights import (
    CONTAINER_INHERIT,
    GENERIC_BITS,
    INHERIT_ONLY,
    INHERITANCE,
    INHERITED,
    NO_PROPAGATE,
    OBJECT_INHERIT,
    specific,
)
from innkeeper.permissions.nt.sid import CREATOR_GROUP, CREATOR_OWNER, Sid


def inherit(parent: Iterable[Ace], is_folder: bool, owner: Sid, group: Sid) -> list[tuple[Ace, int]]:
    """The inherited entries of a child, each with the position of the parent's entry that it comes from.

    Exact duplicates are dropped. CREATOR OWNER and CREATOR GROUP become the child's own owner and group; a
    folder also keeps the original for its own children.
    """
    result: list[tuple[Ace, int]] = []
    seen: set[Ace] = set()

    def add(deny: bool, flags: int, mask: int, sid: Sid, position: int) -> None:
        ace = Ace(deny, flags | INHERITED, mask, sid)
        if ace not in seen:
            seen.add(ace)
            result.append((ace, position))

    for position, (deny, flags, mask, sid) in enumerate(parent):
        applies = flags & (CONTAINER_INHERIT if is_folder else OBJECT_INHERIT)
        if not applies:
            if is_folder and flags & OBJECT_INHERIT and not flags & NO_PROPAGATE:
                add(deny, OBJECT_INHERIT | INHERIT_ONLY, mask, sid, position)
            continue
        resolved = owner if sid == CREATOR_OWNER else group if sid == CREATOR_GROUP else sid
        if not is_folder or flags & NO_PROPAGATE:
            add(deny, 0, specific(mask), resolved, position)
        elif resolved is sid and not mask & GENERIC_BITS:
            add(deny, flags & INHERITANCE, mask, sid, position)
        else:
            add(deny, 0, specific(mask), resolved, position)
            add(deny, flags & INHERITANCE | INHERIT_ONLY, mask, sid, position)
    return result
