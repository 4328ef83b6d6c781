"""Descriptors as bytes: the self-relative form, and the envelope in which Samba stores it."""

from __future__ import annotations

import struct

from innkeeper.permissions.nt import sid
from innkeeper.permissions.nt.acl import Ace, Descriptor

_CONTROL = 0x8404  # self-relative, list present, list inherited automatically
_PROTECTED = 0x1000
# NDR of xattr_NTACL: version, the same again as the union's switch, a pointer that is not null.
_SAMBA_V1 = struct.pack("<HHI", 1, 1, 0x00020000)


class DescriptorError(ValueError):
    """The bytes are not a descriptor with a list of allow and deny entries."""


def pack(descriptor: Descriptor, base: int = 0) -> bytes:
    """The self-relative binary form: header, owner, group, list.

    ``base`` is where it will begin in what its offsets count from.
    """
    owner, group = sid.pack(descriptor.owner), sid.pack(descriptor.group)
    aces = b"".join(map(_pack_ace, descriptor.aces))
    acl = struct.pack("<BBHHH", 2, 0, 8 + len(aces), len(descriptor.aces), 0) + aces
    at_owner = base + 20
    at_group = at_owner + len(owner)
    control = _CONTROL | (_PROTECTED if descriptor.protected else 0)
    header = struct.pack("<BBHIIII", 1, 0, control, at_owner, at_group, 0, at_group + len(group))
    return header + owner + group + acl


def unpack(data: bytes, start: int = 0) -> Descriptor:
    """Read the self-relative binary form, whose header begins at ``start`` and whose offsets count from the beginning.

    Raises: DescriptorError. A missing or null list is refused: it would mean access for everybody.
    """
    try:
        revision, _, control, at_owner, at_group, _, at_acl = struct.unpack_from("<BBHIIII", data, start)
        if revision != 1 or not control & 0x4 or not at_acl or not at_owner or not at_group:
            raise DescriptorError("the descriptor lacks an owner, a group or a list")
        owner, _ = sid.unpack(data, at_owner)
        group, _ = sid.unpack(data, at_group)
        _, _, size, count, _ = struct.unpack_from("<BBHHH", data, at_acl)
        at, aces = at_acl + 8, []
        for _ in range(count):
            kind, flags, length, mask = struct.unpack_from("<BBHI", data, at)
            if kind not in (0, 1) or length < 16 or at + length > at_acl + size:
                raise DescriptorError(f"entry at byte {at} is neither an allow nor a deny entry")
            who, _ = sid.unpack(data, at + 8)
            aces.append(Ace(kind == 1, flags, mask, who))
            at += length
    except (struct.error, sid.SidError) as error:
        raise DescriptorError(f"the descriptor is cut off or damaged: {error}") from None
    return Descriptor(owner, group, tuple(aces), protected=bool(control & _PROTECTED))


def pack_samba(descriptor: Descriptor) -> bytes:
    """The value of ``security.NTACL`` in version 1, which Samba takes without a hash of the POSIX ACL.

    The offsets in the descriptor count from the beginning of the whole value.
    """
    return _SAMBA_V1 + pack(descriptor, len(_SAMBA_V1))


def unpack_samba(data: bytes) -> Descriptor:
    """Read ``security.NTACL`` of any version from 1 to 4.

    Raises: DescriptorError.
    """
    if len(data) < 8:
        raise DescriptorError("the attribute is too short")
    (version,) = struct.unpack_from("<H", data)
    if version == 1:
        return unpack(data, len(_SAMBA_V1))
    if version not in (2, 3, 4):
        raise DescriptorError(f"version {version} of the attribute is not known")
    # Versions 2 to 4 wrap the descriptor and hashes in a structure of their own. Its deferred parts lie
    # behind the fixed part, so the descriptor is found by its header: revision 1, self-relative, owner right
    # behind the header, counted from the beginning of the value.
    at = data.find(b"\x01\x00", 8)
    while at != -1 and at + 20 <= len(data):
        (control, owner) = struct.unpack_from("<HI", data, at + 2)
        if control & 0x8004 == 0x8004 and owner == at + 20:
            return unpack(data, at)
        at = data.find(b"\x01\x00", at + 1)
    raise DescriptorError("the attribute holds no descriptor")


def _pack_ace(ace: Ace) -> bytes:
    who = sid.pack(ace.sid)
    return struct.pack("<BBHI", int(ace.deny), ace.flags, 8 + len(who), ace.mask) + who
