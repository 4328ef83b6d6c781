"""The store that the kernel enforces.

Mode bits, owner and the two access control lists of a file system object.
"""

from __future__ import annotations

import errno
import os
import stat
from os import getxattr, listxattr, setxattr
from typing import Any, ClassVar, NamedTuple

from innkeeper.permissions.policy import Ground, Policy
from innkeeper.permissions.posix import acl as posix_acl
from innkeeper.permissions.posix.acl import ACCESS, DEFAULT
from innkeeper.permissions.posix.translate import Translator
from innkeeper.permissions.stores.base import NO_MEASURES, Change, Measures

# A new file takes the group of a set-gid folder. Group 0 has no members, so no group of customers becomes the
# owning one.
NEUTRAL_GID = 0
_ACCESS = ACCESS.encode()  # a text would be turned into bytes for each file


class PosixState(NamedTuple):
    """All twelve mode bits, owner, group, and the two lists as the kernel packs them."""

    mode: int
    uid: int
    gid: int
    access: bytes | None
    default: bytes | None


class PosixStore:
    """Access and default lists by their extended attributes, a call each and no other program."""

    name: ClassVar[str] = "posix"

    def __init__(self, policy: Policy) -> None:
        """Keep what this policy says."""
        self.translator = Translator(policy)
        self._expect_list = False

    def read(self, target: int | str, st: os.stat_result) -> PosixState:
        """What is there now."""
        if isinstance(target, int):
            names = listxattr(target)
            access = getxattr(target, ACCESS) if ACCESS in names else None
            default = getxattr(target, DEFAULT) if DEFAULT in names else None
            return PosixState(st.st_mode & 0o7777, st.st_uid, st.st_gid, access, default)
        return self.seen(self.glance(target), st)

    def glance(self, name: str) -> bytes | None:
        """The access list of a file."""
        # Listing is cheaper than a failed read and dearer than a successful one, and neighbours are alike.
        if self._expect_list:
            try:
                return getxattr(name, _ACCESS, follow_symlinks=False)
            except OSError as error:
                if error.errno != errno.ENODATA:
                    raise
                self._expect_list = False
        elif ACCESS in listxattr(name, follow_symlinks=False):
            self._expect_list = True
            return getxattr(name, ACCESS, follow_symlinks=False)
        return None

    def seen(self, glance: bytes | None, st: os.stat_result) -> PosixState:
        """The state of a file with this access list."""
        return PosixState(st.st_mode & 0o7777, st.st_uid, st.st_gid, glance, None)

    def want(self, ground: Ground, state: PosixState, measures: Measures = NO_MEASURES) -> PosixState:
        """What the rules want.

        Raises: TooManyEntriesError, AclError.
        """
        raw = posix_acl.unpack(state.access) if state.access else posix_acl.of_mode(state.mode)
        now = posix_acl.effective(raw)
        special, uid, gid = state.mode & 0o7000, state.uid, state.gid
        if ground.is_folder:
            if ground.governed:
                special, gid = special | stat.S_ISGID, NEUTRAL_GID
            if measures.sticky:
                special |= stat.S_ISVTX
            if measures.root_owned:
                uid = 0
        elif not state.mode & stat.S_IXGRP:
            # Set-gid means nothing on a file that its group cannot execute, so its owner could set it for any group. A
            # list may let the group execute, and must not turn it into that group's power.
            special &= ~stat.S_ISGID
        acl = self.translator.access(ground, now, uid, gid)
        # Bits that the mask hides grant nothing; where they are the whole difference, nothing is written.
        if (uid, gid) == (state.uid, state.gid) and acl == posix_acl.make(
            now.owner, now.group, now.other, dict(now.users), dict(now.groups)
        ):
            access, mode = state.access, state.mode & 0o777
        else:
            access, mode = (None if acl.is_minimal else posix_acl.pack(acl)), acl.mode
        default = state.default
        if ground.is_folder:
            current = posix_acl.unpack(state.default) if state.default else None
            wanted = self.translator.default(ground, acl, posix_acl.effective(current) if current else None)
            if ground.passes or (current is not None and ground.strict):
                default = posix_acl.pack(wanted) if wanted else None
        return PosixState(special | mode, uid, gid, access, default)

    def change(self, old: PosixState, new: PosixState, *, is_folder: bool, follow: bool = False) -> Change:
        """What turns old into new."""
        if is_folder or old[1:3] != new[1:3] or (old.mode ^ new.mode) & 0o7000:
            return lambda target: _write(target, old, new, is_folder=is_folder, follow=follow)
        packed = _packed(new)
        return lambda target: setxattr(target, _ACCESS, packed, 0, follow_symlinks=follow)

    def is_cut_off(self, old: PosixState, new: PosixState, now: PosixState) -> bool:
        """Each part is as it is in one of the two: a change is several calls, and may end between any of them."""
        parts = zip(old[1:], new[1:], now[1:], strict=True)
        bits = {state.mode & 0o777 for state in (old, new)}
        special = now.mode & 0o7000 & ~(old.mode | new.mode)
        return not special and now.mode & 0o777 in bits and all(part in either for *either, part in parts)

    def dump(self, state: PosixState) -> Any:
        """As a list of numbers and hexadecimal text."""
        return [
            state.mode, state.uid, state.gid,
            state.access.hex() if state.access else None, state.default.hex() if state.default else None,
        ]  # fmt: skip

    def load(self, data: Any) -> PosixState:
        """The inverse of ``dump``."""
        mode, uid, gid, access, default = data
        return PosixState(
            mode,
            uid,
            gid,
            bytes.fromhex(access) if access else None,
            bytes.fromhex(default) if default else None,
        )

    def describe(self, state: PosixState) -> str:
        """In the words of ls and setfacl."""
        principals = self.translator.principals
        names_u = {uid: name for name, uid in principals.users.items()}
        names_g = {gid: name for name, gid in principals.groups.items()}

        def user(uid: int) -> str:
            return names_u.get(uid, str(uid))

        def group(gid: int) -> str:
            return names_g.get(gid, str(gid))

        access = posix_acl.unpack(state.access) if state.access else posix_acl.of_mode(state.mode)
        text = f"{user(state.uid)}:{group(state.gid)} {state.mode:04o} {posix_acl.describe(access, user, group)}"
        if state.default:
            text += f" default {posix_acl.describe(posix_acl.unpack(state.default), user, group)}"
        return text


def _packed(state: PosixState) -> bytes:
    """The list to set. One that says no more than mode bits is turned into mode bits by the kernel."""
    return state.access or posix_acl.pack(posix_acl.of_mode(state.mode))


def _write(target: int | str, old: PosixState, new: PosixState, *, is_folder: bool, follow: bool) -> None:
    """Turn old into new.

    Owner first, for it clears bits; then the lists, which set the mode bits; special bits last. Those that a file
    loses go before its list lets anybody execute it.
    """
    plain = isinstance(target, int)
    if not is_folder and (lost := old.mode & ~new.mode & 0o7000):
        _chmod(target, old.mode & ~lost, follow=follow)
    owner_changed = old.uid != new.uid or old.gid != new.gid
    if owner_changed:
        os.chown(target, new.uid, new.gid, follow_symlinks=plain or follow)
    if old.access != new.access or (old.mode ^ new.mode) & 0o777:
        setxattr(target, _ACCESS, _packed(new), 0, follow_symlinks=plain or follow)
    if old.default != new.default:
        if new.default is None:
            os.removexattr(target, DEFAULT, follow_symlinks=plain or follow)
        else:
            setxattr(target, DEFAULT, new.default, 0, follow_symlinks=plain or follow)
    if is_folder and (owner_changed or (old.mode ^ new.mode) & 0o7000):
        os.chmod(target, new.mode)  # noqa: PTH101 (a descriptor)
    elif new.mode & 0o7000 and (owner_changed or new.mode & ~old.mode & 0o7000):
        _chmod(target, new.mode, follow=follow)


def _chmod(target: int | str, mode: int, *, follow: bool) -> None:
    """Set the mode bits of a file. The system has no call that does it by name without following a link."""
    if follow or isinstance(target, int):
        os.chmod(target, mode)  # noqa: PTH101 (a descriptor, or a name of one)
        return
    descriptor = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)
