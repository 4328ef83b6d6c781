"""From the rules' entries to the lists that the kernel enforces.

No account gets more or less of r, w, x than NT grants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from itertools import combinations

from innkeeper.permissions.nt import sid as sids
from innkeeper.permissions.nt.access import granted
from innkeeper.permissions.nt.acl import Ace
from innkeeper.permissions.nt.sid import Sid
from innkeeper.permissions.policy import Ground, Policy
from innkeeper.permissions.posix import existing
from innkeeper.permissions.posix.acl import MAX_NAMED, Acl, effective, make
from innkeeper.permissions.posix.bits import R, W, X, permissions
from innkeeper.permissions.principals import EVERYBODY, Principals

# A list for new things settles at the second look; this bounds what a mistake here could cost.
_SETTLES = 4

Passes = Callable[[Set[Sid]], bool]


class TooManyEntriesError(ValueError):
    """The list would have more named entries than file systems hold."""


@dataclass(slots=True)
class Rights:
    """r, w, x of everybody without an entry, of groups, and of the users for whom their groups' entries are
    not enough.
    """

    other: int
    groups: dict[Sid, int]
    users: dict[Sid, int]


class Translator:
    """Translates grounds for one policy; remembers which users are in several groups."""

    def __init__(self, policy: Policy) -> None:
        """Translate what this policy says, with its accounts."""
        self.policy = policy
        self.principals: Principals = policy.principals
        self._shared: dict[frozenset[int], frozenset[int]] = {}

    def entries(self, ground: Ground, acl: Acl, uid: int, gid: int) -> list[Ace]:
        """All entries of an object in the order in which they are judged.

        The rules' own, what was kept, inherited, foreign.
        """
        if ground.governed:
            return list(ground.aces)
        extra = existing.read(acl, ground, self.principals, sids.user(uid), sids.group(gid))
        return self._joined(ground, extra)

    def access(self, ground: Ground, acl: Acl, uid: int, gid: int) -> Acl:
        """The list of one object; ``acl`` is the effective one that it has now.

        Raises: TooManyEntriesError.
        """
        aces = self.entries(ground, acl, uid, gid)
        passes: Passes = ground.lets_pass
        rights = self._rights(aces, ground, passes, gid)
        if len(rights.users) + len(rights.groups) > MAX_NAMED and ground.closure:
            # A folder on the way to more accounts than a list holds lets everybody pass, as Windows does
            # everywhere.
            passes = _everybody_passes
            rights = self._rights(aces, ground, passes, gid)
        owner = sids.user(uid)
        owning_group = rights.groups.pop(sids.group(gid), rights.other)
        rights.users.pop(owner, None)
        owner_perm = self._root_perm(ground, acl) if uid == 0 else self._of_user(owner, aces, passes)
        return _list(owner_perm, owning_group, rights)

    def default(self, ground: Ground, acl: Acl, current: Acl | None) -> Acl | None:
        """The list that things made in a folder start with; ``acl`` is the folder's own effective one.

        A folder has only one such list, so what files and folders would get differently becomes what both
        get. The x of folders may stay: programs create files without it.

        Raises: TooManyEntriesError.
        """
        if not ground.passes:
            # Nothing is inherited, so the list stays, without accounts that get exactly what the rules say.
            return _without(current, ground.strict) if current else None
        # What both get may take something from an account that has no rule for one of the two; the list that says so
        # is the one that a second run finds.
        found = self._start(ground, acl, current)
        for _ in range(_SETTLES):
            again = self._start(ground, acl, effective(found))
            if again == found:
                break
            found = again
        return found

    def _start(self, ground: Ground, acl: Acl, current: Acl | None) -> Acl:
        base = (
            _without(current, ground.sids | ground.strict) if current else acl._replace(users=(), groups=(), mask=None)
        )
        parts = []
        for is_folder in (True, False):
            child = self.policy.creation(ground, is_folder)
            if child.governed:
                aces, group = list(child.aces), None
            else:
                extra = existing.read(base, child, self.principals, None, None)
                aces, group = self._joined(child, extra), base.group
            rights = self._rights(aces, child, child.lets_pass, None)
            if sids.CREATOR_OWNER in child.sids:
                token = EVERYBODY | {sids.CREATOR_OWNER}
                owner = _perm(aces, token, child.lets_pass)
            else:
                owner = 7 if child.governed else base.owner
            if group is None:
                group = rights.other
            for sid, perm in rights.groups.items():
                # A new file belongs to its maker's first group, which may be one that the rules deny
                # something.
                if any(ace.deny and ace.sid == sid for ace in child.aces):
                    group &= perm
            parts.append((owner, group, rights, aces, child))
        (
            (owner, group, folder, folder_aces, folder_child),
            (file_owner, file_group, file, file_aces, file_child),
        ) = parts
        joined = Rights(_common(folder.other, file.other), {}, {})
        for sid in folder.groups.keys() | file.groups.keys():
            joined.groups[sid] = _common(folder.groups.get(sid, folder.other), file.groups.get(sid, file.other))
        named = folder.users.keys() | file.users.keys()
        for sid in named | set(map(sids.user, self._in_several(_gids(joined.groups)) - {0})):
            wanted = _common(
                self._of_user(sid, folder_aces, folder_child.lets_pass),
                self._of_user(sid, file_aces, file_child.lets_pass),
            )
            # Whom one of the two lists names by one group, and the other by another, now has an entry of each.
            if sid in named or not _same_answers(self._of_groups(sid, joined), wanted):
                joined.users[sid] = wanted
        return _list(_common(owner, file_owner), _common(group, file_group), joined)

    @staticmethod
    def _joined(ground: Ground, extra: existing.Existing) -> list[Ace]:
        if not extra.kept:
            return [*ground.aces, *extra.foreign]
        own = ground.explicit
        return [*ground.aces[:own], *extra.kept, *ground.aces[own:], *extra.foreign]

    def _rights(self, aces: list[Ace], ground: Ground, passes: Passes, gid: int | None) -> Rights:
        spoken_of = {ace.sid for ace in aces}
        named = spoken_of | ground.closure
        other = _perm(aces, EVERYBODY, passes)
        groups: dict[Sid, int] = {}
        for sid in named:
            if sids.gid_of(sid) is not None:
                groups[sid] = _perm(aces, EVERYBODY | {sid}, passes)
        owning = None if gid is None else sids.group(gid)
        # Whoever is spoken of has an entry, even one that says what everybody has: it outlives a chmod of the
        # others' bits. Those who only pass through need one only if it makes a difference.
        entries = {sid: perm for sid, perm in groups.items() if sid in spoken_of or perm != other or sid == owning}
        if owning is not None:
            entries.setdefault(owning, other)
        uids = {uid for sid in named if (uid := sids.uid_of(sid)) is not None}
        rights = Rights(other, entries, {})
        for uid in uids | self._in_several(_gids({*groups, *entries})):
            if uid == 0:
                continue
            sid = sids.user(uid)
            wanted = self._of_user(sid, aces, passes)
            if sid in spoken_of or not _same_answers(self._of_groups(sid, rights), wanted):
                rights.users[sid] = wanted
        return rights

    def _of_groups(self, user: Sid, rights: Rights) -> list[int]:
        """What the kernel chooses from for a user without an entry."""
        uid = sids.uid_of(user)
        groups = () if uid is None else map(sids.group, self.principals.groups_of(uid))
        return [rights.groups[group] for group in groups if group in rights.groups] or [rights.other]

    def _of_user(self, sid: Sid, aces: Iterable[Ace], passes: Passes) -> int:
        return _perm(aces, self.principals.token(sid), passes)

    @staticmethod
    def _root_perm(ground: Ground, acl: Acl) -> int:
        """Root needs no permission, but x on a file says that it is a program, so it stays as it is."""
        if not ground.governed:
            return acl.owner
        return R | W | X if ground.is_folder else R | W | (acl.owner & X)

    def _in_several(self, gids: frozenset[int]) -> frozenset[int]:
        """The users who are in two or more of these groups.

        The kernel does not add up the entries of groups.
        """
        found = self._shared.get(gids)
        if found is None:
            members = self.principals.members
            sets = [members[gid] for gid in gids if gid in members]
            found = frozenset().union(*(one & two for one, two in combinations(sets, 2)))
            self._shared[gids] = found
        return found


def _gids(groups: Iterable[Sid]) -> frozenset[int]:
    return frozenset(gid for sid in groups if (gid := sids.gid_of(sid)) is not None)


def _without(acl: Acl, accounts: Set[Sid]) -> Acl:
    """The list without the entries of some accounts."""
    users = {uid: perm for uid, perm in acl.users if sids.user(uid) not in accounts}
    groups = {gid: perm for gid, perm in acl.groups if sids.group(gid) not in accounts}
    if len(users) == len(acl.users) and len(groups) == len(acl.groups):
        return acl
    return make(acl.owner, acl.group, acl.other, users, groups)


def _perm(aces: Iterable[Ace], token: Set[Sid], passes: Passes) -> int:
    perm = permissions(granted(aces, token))
    return perm | X if not perm & X and passes(token) else perm


def _everybody_passes(token: Set[Sid]) -> bool:
    return bool(token)


def _same_answers(entries: list[int], wanted: int) -> bool:
    """True when the kernel, which needs one entry that holds all bits of a request, grants exactly
    ``wanted``.
    """
    return wanted in entries and all(entry | wanted == wanted for entry in entries)


def _common(folder: int, file: int) -> int:
    return (folder & file & (R | W)) | (folder & X)


def _list(owner: int, group: int, rights: Rights) -> Acl:
    users = {uid: perm for sid, perm in rights.users.items() if (uid := sids.uid_of(sid)) is not None}
    groups = {gid: perm for sid, perm in rights.groups.items() if (gid := sids.gid_of(sid)) is not None}
    if len(users) + len(groups) > MAX_NAMED:
        raise TooManyEntriesError(
            f"{len(users) + len(groups)} accounts need an entry of their own and a list holds {MAX_NAMED}; use a group"
        )
    return make(owner, group, rights.other, users, groups)
