"""What an object brings along.

The access it has without the rules, as entries that follow those of the rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from innkeeper.permissions.nt import sid as sids
from innkeeper.permissions.nt.access import granted
from innkeeper.permissions.nt.acl import Ace
from innkeeper.permissions.nt.sid import Sid
from innkeeper.permissions.policy import Ground
from innkeeper.permissions.posix.acl import Acl
from innkeeper.permissions.posix.bits import X, permissions, rights
from innkeeper.permissions.principals import EVERYBODY, Principals

_EVERY = 7


@dataclass(slots=True)
class Existing:
    """``kept`` entries belong to accounts whose rules are added to what they had.

    ``foreign`` ones to all other accounts.
    """

    kept: list[Ace]
    foreign: list[Ace]


def read(acl: Acl, ground: Ground, principals: Principals, owner: Sid | None, group: Sid | None) -> Existing:
    """The entries that stand for a list, without those of accounts that the rules decide about.

    ``acl`` must be an effective one. The foreign entries are ordered so that translating them back gives the
    same list: the entry of a user is all that he has, entries of groups add up and shut out the others'
    entry.
    """
    kept: list[Ace] = []
    users: list[Ace] = []
    groups: list[Ace] = []
    shut: list[Ace] = []

    def shutting(sid: Sid, perm: int) -> Ace:
        """What the entry of a group keeps from its members, whoever else may have it.

        The x with which the group merely passes does not count: an earlier run may have put it there, and one of the
        members may be denied what the others pass for.
        """
        return _deny(sid, _EVERY & ~(perm & ~X if ground.lets_pass(principals.token(sid)) else perm))

    def own(sid: Sid, perm: int) -> int:
        """What an entry gives beyond what the rules give anyway, which is what an earlier run may have put
        there.
        """
        token = principals.token(sid)
        return perm & ~permissions(granted(ground.aces, token)) & ~(X if ground.lets_pass(token) else 0)

    decided = ground.sids | ground.strict
    is_shared = bool(ground.keep & EVERYBODY) or not decided & EVERYBODY
    shared = own(sids.EVERYONE, acl.other) if is_shared else 0
    for sid, perm in _users(acl, owner):
        if sid in ground.keep:
            kept.append(_allow(sid, own(sid, perm) & ~shared))
            shut.append(_deny(sid, _EVERY & ~perm))
        elif sid not in decided and (sid == owner or _is_own(sid, ground, principals)):
            users += (_deny(sid, _EVERY & ~perm), _allow(sid, own(sid, perm)))
    for sid, perm in _groups(acl, group):
        if sid in ground.keep:
            kept.append(_allow(sid, own(sid, perm) & ~shared))
            shut.append(shutting(sid, perm))
        elif sid not in decided:
            groups.append(_allow(sid, own(sid, perm)))
            shut.append(shutting(sid, perm))
    foreign = [*users, *groups, *shut]
    if is_shared:
        (kept if ground.keep & EVERYBODY else foreign).append(_allow(sids.EVERYONE, shared))
    return Existing(kept, foreign)


def _users(acl: Acl, owner: Sid | None) -> Iterable[tuple[Sid, int]]:
    if owner is not None:
        yield owner, acl.owner
    for uid, perm in acl.users:
        if sids.user(uid) != owner:
            yield sids.user(uid), perm


def _groups(acl: Acl, group: Sid | None) -> Iterable[tuple[Sid, int]]:
    """Entries of groups; that of the owning group and one that names the same group add up."""
    perms: dict[Sid, int] = {} if group is None else {group: acl.group}
    for gid, perm in acl.groups:
        sid = sids.group(gid)
        perms[sid] = perms.get(sid, 0) | perm
    return perms.items()


def _is_own(sid: Sid, ground: Ground, principals: Principals) -> bool:
    """False when an entry of a user may be one that an earlier run wrote for the sake of his groups' rules.

    Such an entry must not outlive a change of those rules. It is kept where one group of the user has a rule
    at this very object that leaves what is there.
    """
    groups = [
        group for group in principals.token(sid) if group in ground.sids and group not in EVERYBODY and group != sid
    ]
    return not groups or (len(groups) == 1 and groups[0] in ground.keep)


def _allow(sid: Sid, perm: int) -> Ace:
    return Ace(False, 0, rights(perm), sid)


def _deny(sid: Sid, perm: int) -> Ace:
    return Ace(True, 0, rights(perm), sid)
