"""One ACL entry, `x` for a user or group on a folder, read and written as the kernel's packed attribute.

Parents of a state folder that are closed to everybody (a clone in /root) are opened to the service users this way, and
no further: the entry lets them pass, not list. `setfacl` is not on a minimal system.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
from pathlib import Path
from typing import Literal

ATTRIBUTE = "system.posix_acl_access"
VERSION = 2
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NO_ID = 0xFFFFFFFF
EXECUTE = 1

Entry = tuple[int, int, int]  # tag, permissions, id
Kind = Literal["user", "group"]
TAGS: dict[Kind, int] = {"user": USER, "group": GROUP}


def read(path: Path) -> list[Entry]:
    """The entries of a folder; those of its mode if it has no ACL."""
    try:
        data = os.getxattr(path, ATTRIBUTE)
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.EOPNOTSUPP):
            raise
        mode = path.stat().st_mode
        return [
            (USER_OBJ, mode >> 6 & 7, NO_ID),
            (GROUP_OBJ, mode >> 3 & 7, NO_ID),
            (OTHER, mode & 7, NO_ID),
        ]
    return list(struct.iter_unpack("<HHI", data[4:]))


def named_users(path: Path) -> list[int]:
    """The users that have an entry of their own. A folder that is gone has none."""
    with contextlib.suppress(FileNotFoundError):
        return [number for tag, _, number in read(path) if tag == USER]
    return []


def write(path: Path, entries: list[Entry]) -> None:
    """Set the entries of a folder. Raises OSError where the file system has no ACLs."""
    data = struct.pack("<I", VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in sorted(entries, key=_order))
    os.setxattr(path, ATTRIBUTE, data)


def _order(entry: Entry) -> tuple[int, int]:
    return entry[0], entry[2]


def let_pass(path: Path, kind: Kind, number: int) -> bool:
    """Add `x` for one user or group, unless it is there. Tells whether the folder was changed."""
    entries = read(path)
    tag = TAGS[kind]
    old = next((e for e in entries if e[0] == tag and e[2] == number), None)
    mask = next((e for e in entries if e[0] == MASK), None)
    if old is not None and old[1] & EXECUTE and (mask is None or mask[1] & EXECUTE):
        return False
    if old is not None:
        entries.remove(old)
    entries.append((tag, (old[1] if old else 0) | EXECUTE, number))
    group = next(e for e in entries if e[0] == GROUP_OBJ)
    if mask is not None:
        entries.remove(mask)
        # Raising the mask must not give others more than they had under it.
        entries = [
            (t, p & mask[1] if (t in (USER, GROUP, GROUP_OBJ)) and (t, i) != (tag, number) else p, i)
            for t, p, i in entries
        ]
    entries.append((MASK, (mask[1] if mask else group[1]) | EXECUTE, NO_ID))
    write(path, entries)
    return True


def take_back(path: Path, kind: Kind, number: int) -> None:
    """Remove the entry again; the folder's mode is what it was before. A folder that is gone is no error."""
    with contextlib.suppress(FileNotFoundError):
        entries = read(path)
        kept = [e for e in entries if not (e[0] == TAGS[kind] and e[2] == number)]
        if kept == entries:
            return
        if any(e[0] in (USER, GROUP) for e in kept):
            write(path, kept)
            return
        mode = path.stat().st_mode
        permissions = {tag: bits for tag, bits, _ in kept}
        with contextlib.suppress(OSError):
            os.removexattr(path, ATTRIBUTE)
        bits = permissions[USER_OBJ] << 6 | permissions[GROUP_OBJ] << 3 | permissions[OTHER]
        path.chmod(stat.S_IMODE(mode) & ~0o777 | bits)
