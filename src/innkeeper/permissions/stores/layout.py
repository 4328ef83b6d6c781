"""What no list can say: who may delete a folder. Linux asks the parent folder, NT asks the folder too."""

from __future__ import annotations

from innkeeper.permissions.nt import sid as sids
from innkeeper.permissions.nt.access import granted
from innkeeper.permissions.nt.rights import DELETE, DELETE_CHILD
from innkeeper.permissions.nt.sid import Sid
from innkeeper.permissions.policy import Ground, Node, Policy
from innkeeper.permissions.posix.bits import W, permissions
from innkeeper.permissions.rules.vocabulary import ACCESS_MASKS
from innkeeper.permissions.stores.base import Measures

_NON_REMOVABLE = ACCESS_MASKS["FileNonRemovable"]


def protected_from(node: Node | None) -> frozenset[Sid]:
    """The accounts whose rules at this very object forbid them to remove it."""
    if node is None or node.leave_alone:
        return frozenset()
    return frozenset(
        placed.sid
        for placed in node.placed
        if placed.rule.access_mask == _NON_REMOVABLE or (placed.rule.deny and placed.rule.access_mask & DELETE)
    )


def measures(policy: Policy, ground: Ground, node: Node | None, uid: int) -> Measures:
    """What a folder with this owner needs.

    It becomes root's when its owner may not remove it, because an owner can change every permission. It
    becomes sticky when an account may write in it but not remove a folder in it, and root's if that account
    owns it, because the owner of a sticky folder may remove everything in it.
    """
    root_owned = _is_one_of(policy, uid, protected_from(node))
    sticky = False
    for child in node.children.values() if node else ():
        for account in protected_from(child):
            token = policy.principals.token(account)
            here = granted(ground.aces, token)
            below = policy.child(ground, child, True)
            if permissions(here) & W and not here & DELETE_CHILD and not granted(below.aces, token) & DELETE:
                sticky = True
                root_owned |= _is_one_of(policy, uid, frozenset((account,)))
    return Measures(sticky, root_owned and uid != 0)


def _is_one_of(policy: Policy, uid: int, accounts: frozenset[Sid]) -> bool:
    return not accounts.isdisjoint(policy.principals.token(sids.user(uid)))
