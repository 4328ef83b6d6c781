"""The access control lists of Linux: packed as the kernel takes them, and as text."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

from innkeeper.permissions.posix.bits import R, text

ACCESS = "system.posix_acl_access"
DEFAULT = "system.posix_acl_default"
# ext4 with 4 KiB blocks holds 249 named entries in each of a folder's two lists.
MAX_NAMED = 249

_VERSION = struct.pack("<I", 2)
_ENTRY = struct.Struct("<HHI")
_NO_ID = 0xFFFFFFFF
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20


class AclError(ValueError):
    """The bytes are not an access control list."""


class Acl(NamedTuple):
    """One list. ``users`` and ``groups`` are pairs of id and permissions, ids ascending and unique."""

    owner: int
    group: int
    other: int
    users: tuple[tuple[int, int], ...] = ()
    groups: tuple[tuple[int, int], ...] = ()
    mask: int | None = None

    @property
    def is_minimal(self) -> bool:
        """True when the mode bits say the same."""
        return self.mask is None and not self.users and not self.groups

    @property
    def mode(self) -> int:
        """The nine mode bits that the kernel shows for it."""
        return self.owner << 6 | (self.group if self.mask is None else self.mask) << 3 | self.other


def make(owner: int, group: int, other: int, users: Mapping[int, int], groups: Mapping[int, int]) -> Acl:
    """A list with its mask.

    The mask is never empty: the kernel skips the whole list then and judges named users by ``other``.
    """
    if not users and not groups:
        return Acl(owner, group, other)
    mask = group
    for perm in (*users.values(), *groups.values()):
        mask |= perm
    return Acl(owner, group, other, tuple(sorted(users.items())), tuple(sorted(groups.items())), mask or R)


def of_mode(mode: int) -> Acl:
    """The list that nine mode bits stand for."""
    return Acl(mode >> 6 & 7, mode >> 3 & 7, mode & 7)


def pack(acl: Acl) -> bytes:
    """The bytes of the extended attribute."""
    entries = [(_USER_OBJ, acl.owner, _NO_ID)]
    entries += [(_USER, perm, uid) for uid, perm in acl.users]
    entries.append((_GROUP_OBJ, acl.group, _NO_ID))
    entries += [(_GROUP, perm, gid) for gid, perm in acl.groups]
    if acl.mask is not None:
        entries.append((_MASK, acl.mask, _NO_ID))
    entries.append((_OTHER, acl.other, _NO_ID))
    return _VERSION + b"".join(_ENTRY.pack(*entry) for entry in entries)


def unpack(data: bytes) -> Acl:
    """Read the bytes of the extended attribute.

    Raises: AclError.
    """
    if data[:4] != _VERSION or len(data) % 8 != 4:
        raise AclError("not an access control list of version 2")
    single: dict[int, int] = {}
    users: dict[int, int] = {}
    groups: dict[int, int] = {}
    for tag, perm, number in _ENTRY.iter_unpack(data[4:]):
        if tag == _USER:
            users[number] = perm
        elif tag == _GROUP:
            groups[number] = perm
        else:
            single[tag] = perm
    try:
        owner, group, other = single[_USER_OBJ], single[_GROUP_OBJ], single[_OTHER]
    except KeyError:
        raise AclError("the entry of the owner, the group or the others is missing") from None
    return Acl(owner, group, other, tuple(sorted(users.items())), tuple(sorted(groups.items())), single.get(_MASK))


def effective(acl: Acl) -> Acl:
    """The same list with the mask worked in, as the kernel judges by it."""
    if acl.mask is None:
        return acl
    mask = acl.mask
    return acl._replace(
        group=acl.group & mask,
        users=tuple((uid, perm & mask) for uid, perm in acl.users),
        groups=tuple((gid, perm & mask) for gid, perm in acl.groups),
    )


def describe(acl: Acl, user: Callable[[int], str] = str, group: Callable[[int], str] = str) -> str:
    """In the short text form of ``setfacl``."""
    parts = [f"u::{text(acl.owner)}"]
    parts += [f"u:{user(uid)}:{text(perm)}" for uid, perm in acl.users]
    parts.append(f"g::{text(acl.group)}")
    parts += [f"g:{group(gid)}:{text(perm)}" for gid, perm in acl.groups]
    if acl.mask is not None:
        parts.append(f"m::{text(acl.mask)}")
    return ",".join([*parts, f"o::{text(acl.other)}"])
