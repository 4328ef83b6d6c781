"""The store for Samba: the descriptor itself, in ``security.NTACL``."""

from __future__ import annotations

import os
from typing import Any, ClassVar, NamedTuple

from innkeeper.permissions.nt import binary, sddl
from innkeeper.permissions.nt import sid as sids
from innkeeper.permissions.nt.acl import Descriptor, is_canonical
from innkeeper.permissions.nt.rights import INHERITED
from innkeeper.permissions.policy import Ground, Policy
from innkeeper.permissions.posix import acl as posix_acl
from innkeeper.permissions.posix.translate import Translator
from innkeeper.permissions.stores.base import NO_MEASURES, Change, Measures

ATTRIBUTE = "security.NTACL"


class NTState(NamedTuple):
    """Owner, group, mode bits and list, which say what the object brings along, and the attribute."""

    uid: int
    gid: int
    mode: int
    access: bytes | None
    attribute: bytes | None


def descriptor(ground: Ground, state: NTState, translator: Translator) -> Descriptor:
    """The descriptor of an object: the rules' entries, and what the object brings along where inheritance is
    not broken.

    Explicit entries of accounts that no rule names stay. Where there is no descriptor yet, the mode bits say
    what others have.
    """
    owner, group = sids.user(state.uid), sids.group(state.gid)
    aces = list(ground.aces)
    if not ground.governed:
        old = _unpacked(state.attribute)
        if old is None:
            now = posix_acl.unpack(state.access) if state.access else posix_acl.of_mode(state.mode)
            found = translator.entries(ground, posix_acl.effective(now), state.uid, state.gid)
            aces = [ace for ace in found if ace.mask]
        else:
            own = ground.explicit
            decided = (ground.sids | ground.strict) - ground.keep
            kept = [ace for ace in old.aces if not ace.flags & INHERITED and ace.sid not in decided and ace not in aces]
            # What an earlier run found and wrote down behind the inherited entries keeps its place there.
            first_inherited = next((at for at, ace in enumerate(old.aces) if ace.flags & INHERITED), len(old.aces))
            own_before = old.aces[:first_inherited]
            before = [ace for ace in kept if ace in own_before]
            behind = [ace for ace in kept if ace not in own_before]
            explicit = [*aces[:own], *before]
            if is_canonical(own_before):
                explicit.sort(key=lambda ace: not ace.deny)
            aces = [*explicit, *aces[own:], *behind]
    return Descriptor(owner, group, tuple(aces), protected=ground.protected)


def _unpacked(attribute: bytes | None) -> Descriptor | None:
    try:
        return binary.unpack_samba(attribute) if attribute else None
    except binary.DescriptorError:
        return None


class NTStore:
    """Writes version 1 of the attribute, which Samba takes without a hash of the POSIX list.

    Reads versions 1 to 4.
    """

    name: ClassVar[str] = "nt"

    def __init__(self, policy: Policy) -> None:
        """Keep what this policy says."""
        self.translator = Translator(policy)

    def read(self, target: int | str, st: os.stat_result) -> NTState:
        """What is there now."""
        return self.seen(self.glance(target), st)

    def glance(self, name: int | str) -> tuple[bytes | None, bytes | None]:
        """The access list and the attribute."""
        follow = isinstance(name, int)
        present = os.listxattr(name, follow_symlinks=follow)
        access, attribute = (
            os.getxattr(name, wanted, follow_symlinks=follow) if wanted in present else None
            for wanted in (posix_acl.ACCESS, ATTRIBUTE)
        )
        return access, attribute

    def seen(self, glance: tuple[bytes | None, bytes | None], st: os.stat_result) -> NTState:
        """The state of an object with these."""
        return NTState(st.st_uid, st.st_gid, st.st_mode & 0o777, *glance)

    def want(self, ground: Ground, state: NTState, measures: Measures = NO_MEASURES) -> NTState:
        """What the rules want. Measures are needless: Samba itself judges deletion by the descriptor."""
        del measures
        return state._replace(attribute=binary.pack_samba(descriptor(ground, state, self.translator)))

    def change(self, old: NTState, new: NTState, *, is_folder: bool, follow: bool = False) -> Change:
        """Set or remove the attribute."""
        del old
        through, attribute = is_folder or follow, new.attribute
        if attribute is None:
            return lambda target: os.removexattr(target, ATTRIBUTE, follow_symlinks=through)
        return lambda target: os.setxattr(target, ATTRIBUTE, attribute, 0, follow_symlinks=through)

    def is_cut_off(self, old: NTState, new: NTState, now: NTState) -> bool:
        """Never: a change is one call."""
        del old, new, now
        return False

    def dump(self, state: NTState) -> Any:
        """As a list of numbers and hexadecimal text."""
        hexed = (data.hex() if data else None for data in (state.access, state.attribute))
        return [state.uid, state.gid, state.mode, *hexed]

    def load(self, data: Any) -> NTState:
        """The inverse of ``dump``."""
        uid, gid, mode, access, attribute = data
        plain = (bytes.fromhex(text) if text else None for text in (access, attribute))
        return NTState(uid, gid, mode, *plain)

    def describe(self, state: NTState) -> str:
        """As SDDL."""
        found = _unpacked(state.attribute)
        return sddl.format(found) if found else "no descriptor"
