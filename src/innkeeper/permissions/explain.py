"""Why somebody may or may not do something.

The rule, its place in its file, and the way it reached the object.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from innkeeper.permissions.apply import Options, run_below
from innkeeper.permissions.nt import rights
from innkeeper.permissions.nt import sid as sids
from innkeeper.permissions.nt.acl import Ace
from innkeeper.permissions.nt.rights import ASKABLE, INHERIT_ONLY, INHERITED, specific
from innkeeper.permissions.nt.sid import Sid
from innkeeper.permissions.policy import Ground, Node, Policy
from innkeeper.permissions.posix import acl as posix_acl
from innkeeper.permissions.posix.bits import X, permissions
from innkeeper.permissions.posix.translate import Translator
from innkeeper.permissions.report import Report
from innkeeper.permissions.stores.base import NO_MEASURES, Measures
from innkeeper.permissions.stores.layout import measures
from innkeeper.permissions.stores.posix import PosixState, PosixStore

_PASS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_KERNEL = {"read": os.R_OK, "write": os.W_OK, "execute": os.X_OK}


@dataclass(frozen=True, slots=True)
class Reason:
    """One entry that decided.

    ``rules`` are numbers of rules; without any, the object itself brought the entry along.
    """

    ace: Ace
    rules: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer about one right of one account, in the three views."""

    account: Sid
    right: str
    nt: bool
    posix: bool | None
    kernel: bool | None
    reasons: tuple[Reason, ...]
    passes: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything about one object. ``drift`` is set when it is not as the rules want it."""

    path: str
    ground: Ground
    entries: tuple[Reason, ...]
    now: PosixState
    wanted: PosixState
    verdicts: tuple[Verdict, ...]

    @property
    def drift(self) -> bool:
        """True when the object differs from what the rules say."""
        return self.now != self.wanted


def explain(
    policy: Policy, root_path: str, parts: tuple[str, ...], accounts: list[Sid], asked: list[str]
) -> Explanation:
    """Explain the rights of accounts on one object below the root.

    Raises: OSError when the object cannot be reached without following a link.
    """
    store = PosixStore(policy)
    ground, node, state = _reach(policy, root_path, parts)
    translator = store.translator
    needs = NO_MEASURES
    if node and ground.is_folder:
        needs = measures(policy, ground, node, state.uid)
    wanted = store.want(ground, state, needs) if ground.reaches else state
    now = posix_acl.unpack(state.access) if state.access else posix_acl.of_mode(state.mode)
    entries = tuple(_traced(translator, ground, posix_acl.effective(now), state))
    accounts = accounts or sorted({item.ace.sid for item in entries if not item.ace.flags & INHERIT_ONLY})
    path = "/".join([root_path.rstrip("/"), *parts])
    verdicts = [
        _verdict(policy, ground, entries, wanted, account, right, path) for account in accounts for right in asked
    ]
    return Explanation(path, ground, entries, state, wanted, tuple(verdicts))


def below(policy: Policy, root_path: str, parts: tuple[str, ...], account: Sid, right: str) -> Iterator[str]:
    """Every object at or below a folder on which the rules give a right to an account, as paths relative to
    the root.
    """
    store = _Asking(policy, account, ASKABLE[right])
    found: list[str] = []

    def watch(path: tuple[str, ...], ground: Ground | None, old: Any, new: Any) -> None:
        del ground, old, new
        found.append("/".join(path) or ".")

    run_below(policy, store, root_path, parts, Options(dry=True, watch=watch), Report())
    yield from found


class _Asking(PosixStore):
    """Answers one question about every object that the walk meets: those granted count as different."""

    name = "question"

    def __init__(self, policy: Policy, account: Sid, bits: int) -> None:
        super().__init__(policy)
        self.account, self.bits = account, bits

    def want(self, ground: Ground, state: PosixState, measures: Measures = NO_MEASURES) -> PosixState:
        del measures
        now = posix_acl.effective(posix_acl.unpack(state.access) if state.access else posix_acl.of_mode(state.mode))
        entries = tuple(_traced(self.translator, ground, now, state))
        allowed, _ = _decide(entries, self.translator.principals.token(self.account), self.bits)
        return state._replace(uid=-1) if allowed else state


def _reach(policy: Policy, root_path: str, parts: tuple[str, ...]) -> tuple[Ground, Node | None, PosixState]:
    """Go down from the root part by part, and read the last one.

    Passing is enough on the way, and nothing is read of the last one but its lists: who asks need not be root.
    """
    fd = os.open(root_path, _PASS | os.O_DIRECTORY)
    try:
        st = os.fstat(fd)
        ground, node = policy.start((st.st_uid, st.st_gid)), policy.root
        at: Node | None = node
        for position, name in enumerate(parts, 1):
            above = at
            opened = os.open(name, _PASS, dir_fd=fd)
            os.close(fd)
            fd = opened
            st = os.fstat(fd)
            at = above.children.get(name) if above else None
            owner = (st.st_uid, st.st_gid)
            if stat.S_ISDIR(st.st_mode):
                ground = policy.child(ground, at, True, owner)
            elif position < len(parts):
                raise NotADirectoryError(errno.ENOTDIR, "is no folder", name)
            else:
                ground = policy.child_file(ground, at, policy.matching(above, name), owner)
        return ground, at, read_pinned(fd)
    finally:
        os.close(fd)


def read_pinned(fd: int) -> PosixState:
    """What the object of a descriptor has, whatever the descriptor was opened for. Raises OSError for a link."""
    st = os.fstat(fd)
    if stat.S_ISLNK(st.st_mode):
        raise OSError(errno.ELOOP, "is a link; explain what it leads to")
    path = f"/proc/self/fd/{fd}"
    names = os.listxattr(path)
    access, default = (
        os.getxattr(path, name) if name in names else None for name in (posix_acl.ACCESS, posix_acl.DEFAULT)
    )
    return PosixState(st.st_mode & 0o7777, st.st_uid, st.st_gid, access, default)


def _traced(translator: Translator, ground: Ground, now: posix_acl.Acl, state: PosixState) -> Iterator[Reason]:
    """The entries in the order of judgement, each with its rules."""
    # A rule's entry can stand in the list once only, so an equal one of the object itself comes from the
    # object.
    origins = dict(zip(ground.aces, ground.origins, strict=True))
    for ace in translator.entries(ground, now, state.uid, state.gid):
        if ace.mask:
            yield Reason(ace, origins.get(ace, ()))


def _decide(entries: tuple[Reason, ...], token: frozenset[Sid], bits: int) -> tuple[bool, tuple[Reason, ...]]:
    """Whether all bits are granted, and the entries that decided; what refuses comes alone."""
    reasons: dict[Reason, None] = {}
    left = bits
    for reason in entries:
        ace = reason.ace
        if not left or ace.flags & INHERIT_ONLY or ace.sid not in token:
            continue
        hit = specific(ace.mask) & left
        if not hit:
            continue
        if ace.deny:
            return False, (reason,)
        reasons[reason] = None
        left &= ~hit
    return not left, tuple(reasons)


def _verdict(  # noqa: PLR0917 (one call, in this file)
    policy: Policy,
    ground: Ground,
    entries: tuple[Reason, ...],
    wanted: PosixState,
    account: Sid,
    right: str,
    path: str,
) -> Verdict:
    token = policy.principals.token(account)
    allowed, reasons = _decide(entries, token, ASKABLE[right])
    perm = permissions(ASKABLE[right])
    passes = right == "execute" and ground.lets_pass(token)
    posix = None
    if perm:
        posix = _posix(wanted, policy, account, perm)
    uid = sids.uid_of(account)
    kernel = None
    if uid is not None and right in _KERNEL and os.geteuid() == 0:
        kernel = _ask_kernel(uid, policy.principals.groups_of(uid), path, _KERNEL[right])
    return Verdict(account, right, allowed, posix, kernel, reasons, passes and bool(perm & X) and not allowed)


def _posix(state: PosixState, policy: Policy, account: Sid, perm: int) -> bool | None:
    """What the wanted list answers a user, without looking at the folders above."""
    uid = sids.uid_of(account)
    if uid is None:
        return None
    acl = posix_acl.effective(posix_acl.unpack(state.access) if state.access else posix_acl.of_mode(state.mode))
    if uid == 0:
        return True
    if uid == state.uid:
        return acl.owner & perm == perm
    for user, entry in acl.users:
        if user == uid:
            return entry & perm == perm
    mine = policy.principals.groups_of(uid)
    entries = [entry for gid, entry in ((state.gid, acl.group), *acl.groups) if gid in mine]
    return any(entry & perm == perm for entry in entries) if entries else acl.other & perm == perm


def _ask_kernel(uid: int, gids: frozenset[int], path: str, mode: int) -> bool:
    """Ask the kernel in a process that has become the account, with all its groups."""
    child = os.fork()
    if child == 0:
        answer = 2
        try:
            os.setgroups(sorted(gids))
            gid = min(gids, default=65534)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            answer = 0 if os.access(path, mode) else 1
        finally:
            os._exit(answer)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def told(policy: Policy, reason: Reason) -> str:
    """A reason in words."""
    ace = reason.ace
    who = policy.principals.name(ace.sid)
    verb = "denies" if ace.deny else "allows"
    if not reason.rules:
        return f"the object's own list {verb} {who} {rights.describe(ace.mask)}"
    parts = []
    for number in reason.rules:
        rule = policy.rules[number]
        way = "at this object"
        if ace.flags & INHERITED:
            way = "inherited from /" + "/".join(policy.places.locate(rule))
        parts.append(f"{rule.place} {verb} {who} {rights.describe(ace.mask)}, {way}")
    return "; ".join(parts)
