"""Bits of an access mask and of an entry's inheritance flags."""

from __future__ import annotations

READ_DATA = 0x000001
WRITE_DATA = 0x000002
APPEND_DATA = 0x000004
READ_EA = 0x000008
WRITE_EA = 0x000010
EXECUTE = 0x000020
DELETE_CHILD = 0x000040
READ_ATTRIBUTES = 0x000080
WRITE_ATTRIBUTES = 0x000100
DELETE = 0x010000
READ_CONTROL = 0x020000
WRITE_DAC = 0x040000
WRITE_OWNER = 0x080000
SYNCHRONIZE = 0x100000
GENERIC_ALL = 0x10000000
GENERIC_EXECUTE = 0x20000000
GENERIC_WRITE = 0x40000000
GENERIC_READ = 0x80000000

FULL = 0x1F01FF
READ = 0x120089
WRITE = 0x120116
RUN = 0x1200A0

GENERIC = {GENERIC_ALL: FULL, GENERIC_EXECUTE: RUN, GENERIC_WRITE: WRITE, GENERIC_READ: READ}
GENERIC_BITS = 0xF0000000
VALID = GENERIC_BITS | FULL

# Inheritance flags of an entry.
OBJECT_INHERIT = 0x01
CONTAINER_INHERIT = 0x02
NO_PROPAGATE = 0x04
INHERIT_ONLY = 0x08
INHERITED = 0x10
INHERITANCE = OBJECT_INHERIT | CONTAINER_INHERIT
SETTABLE_FLAGS = 0x0F

LETTERS = {
    READ_DATA: "RD", WRITE_DATA: "WD", APPEND_DATA: "AD", READ_EA: "REA", WRITE_EA: "WEA", EXECUTE: "X",
    DELETE_CHILD: "DC", READ_ATTRIBUTES: "RA", WRITE_ATTRIBUTES: "WA", DELETE: "DE", READ_CONTROL: "RC",
    WRITE_DAC: "WDAC", WRITE_OWNER: "WO", SYNCHRONIZE: "S",
}  # fmt: skip

# The rights that somebody may ask about, with all the bits that each needs.
ASKABLE = {
    "read": READ_DATA,
    "write": WRITE_DATA | APPEND_DATA,
    "execute": EXECUTE,
    "delete": DELETE,
    "delete-in-folder": DELETE_CHILD,
    "change-permissions": WRITE_DAC,
    "take-ownership": WRITE_OWNER,
    "read-attributes": READ_ATTRIBUTES,
    "write-attributes": WRITE_ATTRIBUTES,
}


def specific(mask: int) -> int:
    """Replace the generic bits of a mask by the file rights they stand for."""
    for generic, rights in GENERIC.items():
        if mask & generic:
            mask |= rights
    return mask & ~GENERIC_BITS


def describe(mask: int) -> str:
    """The letters that Windows' own tools print for a mask, separated by commas."""
    return ",".join(letters for bit, letters in LETTERS.items() if mask & bit) or "none"
