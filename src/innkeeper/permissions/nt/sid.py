"""Security identifiers.

Local accounts use Samba's mapping: S-1-22-1-UID for users, S-1-22-2-GID for groups.
"""

from __future__ import annotations

import re
from typing import NewType

Sid = NewType("Sid", str)

EVERYONE = Sid("S-1-1-0")
CREATOR_OWNER = Sid("S-1-3-0")
CREATOR_GROUP = Sid("S-1-3-1")
OWNER_RIGHTS = Sid("S-1-3-4")
AUTHENTICATED_USERS = Sid("S-1-5-11")
SYSTEM = Sid("S-1-5-18")
LOCAL_SERVICE = Sid("S-1-5-19")
NETWORK_SERVICE = Sid("S-1-5-20")
ADMINISTRATORS = Sid("S-1-5-32-544")
USERS = Sid("S-1-5-32-545")

WELL_KNOWN = {
    "everyone": EVERYONE,
    "creator owner": CREATOR_OWNER,
    "creator group": CREATOR_GROUP,
    "owner rights": OWNER_RIGHTS,
    "authenticated users": AUTHENTICATED_USERS,
    "system": SYSTEM,
    "local system": SYSTEM,
    "local service": LOCAL_SERVICE,
    "network service": NETWORK_SERVICE,
    "administrators": ADMINISTRATORS,
    "users": USERS,
}

_USER = "S-1-22-1-"
_GROUP = "S-1-22-2-"
_PATTERN = re.compile(r"S-1-(0x[0-9a-f]{1,12}|\d{1,15})((?:-\d{1,10}){0,15})", re.IGNORECASE)


class SidError(ValueError):
    """The text or the bytes are not a security identifier."""


def parse(text: str) -> Sid:
    """Return the canonical form of an identifier written as text.

    Raises: SidError.
    """
    match = _PATTERN.fullmatch(text.strip())
    if not match:
        raise SidError(f"{text!r} is not a security identifier such as S-1-5-32-544")
    authority = int(match[1], 0) if match[1].lower().startswith("0x") else int(match[1])
    subs = [int(part) for part in match[2].split("-")[1:]]
    if authority >= 1 << 48 or any(sub >= 1 << 32 for sub in subs):
        raise SidError(f"{text!r} has a part that is too large")
    return _join(authority, subs)


def _join(authority: int, subs: list[int]) -> Sid:
    # From 2**32 on the authority is written in hexadecimal (MS-DTYP 2.4.2.1).
    head = str(authority) if authority < 1 << 32 else f"0x{authority:012x}"
    return Sid("-".join(["S-1", head, *map(str, subs)]))


def pack(sid: Sid) -> bytes:
    """Return the binary form of an identifier."""
    head, *subs = sid.split("-")[2:]
    authority = int(head, 16) if head.startswith("0x") else int(head)
    return (
        bytes((1, len(subs))) + authority.to_bytes(6, "big") + b"".join(int(sub).to_bytes(4, "little") for sub in subs)
    )


def unpack(data: bytes, offset: int = 0) -> tuple[Sid, int]:
    """Read a binary identifier at offset; return it with the offset behind it.

    Raises: SidError when the bytes end too early or the revision is not 1.
    """
    if len(data) < offset + 8 or data[offset] != 1 or data[offset + 1] > 15:
        raise SidError(f"no security identifier at byte {offset}")
    count = data[offset + 1]
    end = offset + 8 + 4 * count
    if len(data) < end:
        raise SidError(f"the security identifier at byte {offset} is cut off")
    authority = int.from_bytes(data[offset + 2 : offset + 8], "big")
    subs = [int.from_bytes(data[at : at + 4], "little") for at in range(offset + 8, end, 4)]
    return _join(authority, subs), end


def user(uid: int) -> Sid:
    """The identifier of a local user."""
    return Sid(f"{_USER}{uid}")


def group(gid: int) -> Sid:
    """The identifier of a local group."""
    return Sid(f"{_GROUP}{gid}")


def uid_of(sid: Sid) -> int | None:
    """The local user id behind an identifier, if it is that of a local user."""
    return int(sid[len(_USER) :]) if sid.startswith(_USER) else None


def gid_of(sid: Sid) -> int | None:
    """The local group id behind an identifier, if it is that of a local group."""
    return int(sid[len(_GROUP) :]) if sid.startswith(_GROUP) else None
