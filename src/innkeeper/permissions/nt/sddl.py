"""Descriptors as text (SDDL).

Masks are written in hexadecimal and identifiers in full: every reader agrees on those.
"""

from __future__ import annotations

import re

from innkeeper.permissions.nt import rights
from innkeeper.permissions.nt.acl import Ace, Descriptor
from innkeeper.permissions.nt.sid import Sid, SidError, parse

_ALIASES = {
    "WD": "S-1-1-0", "CO": "S-1-3-0", "CG": "S-1-3-1", "OW": "S-1-3-4", "AN": "S-1-5-7", "AU": "S-1-5-11",
    "SY": "S-1-5-18", "LS": "S-1-5-19", "NS": "S-1-5-20", "NU": "S-1-5-2", "IU": "S-1-5-4", "SU": "S-1-5-6",
    "BA": "S-1-5-32-544", "BU": "S-1-5-32-545", "BG": "S-1-5-32-546", "PU": "S-1-5-32-547",
    "AO": "S-1-5-32-548", "SO": "S-1-5-32-549", "PO": "S-1-5-32-550", "BO": "S-1-5-32-551",
}  # fmt: skip
_RIGHTS = {
    "FA": 0x1F01FF, "FR": 0x120089, "FW": 0x120116, "FX": 0x1200A0,
    "GA": rights.GENERIC_ALL, "GR": rights.GENERIC_READ, "GW": rights.GENERIC_WRITE, "GX": rights.GENERIC_EXECUTE,
    "CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
    "SD": 0x10000, "RC": 0x20000, "WD": 0x40000, "WO": 0x80000,
}  # fmt: skip
_FLAGS = {"OI": 1, "CI": 2, "NP": 4, "IO": 8, "ID": 16}
_ACE = re.compile(r"\(([^()]*)\)")
_WHOLE = re.compile(
    r"(?:O:(?P<owner>S-[0-9A-Fa-fxX-]+|[A-Z]{2}))?(?:G:(?P<group>S-[0-9A-Fa-fxX-]+|[A-Z]{2}))?"
    r"D:(?P<control>(?:P|AI|AR)*)(?P<aces>(?:\([^()]*\))*)"
)


class SDDLError(ValueError):
    """The text is not a descriptor that this reader understands."""


def format_dacl(descriptor: Descriptor) -> str:
    """The ``D:`` part alone, as ``icacls /restore`` reads it."""
    aces = "".join(
        f"({'D' if ace.deny else 'A'};{_letters(ace.flags)};0x{ace.mask:x};;;{ace.sid})" for ace in descriptor.aces
    )
    return f"D:{'P' if descriptor.protected else ''}AI{aces}"


def format(descriptor: Descriptor) -> str:
    """The whole descriptor with its owner and group."""
    return f"O:{descriptor.owner}G:{descriptor.group}{format_dacl(descriptor)}"


def read(text: str, owner: Sid | None = None, group: Sid | None = None) -> Descriptor:
    """Read a descriptor. ``owner`` and ``group`` stand in when the text does not name them.

    Raises: SDDLError for anything else than owner, group and a list of allow and deny entries. A null list is
    refused: it would mean access for everybody.
    """
    match = _WHOLE.fullmatch(text.strip())
    if not match:
        raise SDDLError(f"not a descriptor of the form O:..G:..D:(..): {text[:80]!r}")
    who = _sid(match["owner"]) if match["owner"] else owner
    what = _sid(match["group"]) if match["group"] else group
    if who is None or what is None:
        raise SDDLError("the descriptor names no owner or no group")
    aces = tuple(_ace(body) for body in _ACE.findall(match["aces"]))
    return Descriptor(who, what, aces, protected="P" in match["control"].replace("AI", "").replace("AR", ""))


def _letters(flags: int) -> str:
    return "".join(name for name, bit in _FLAGS.items() if flags & bit)


def _sid(text: str) -> Sid:
    try:
        return parse(_ALIASES.get(text, text))
    except SidError as error:
        raise SDDLError(str(error)) from None


def _ace(body: str) -> Ace:
    parts = body.split(";")
    if len(parts) != 6 or parts[0] not in ("A", "D") or parts[3] or parts[4]:
        raise SDDLError(f"not an allow or deny entry: ({body})")
    flags = 0
    for name in _pairs(parts[1]):
        if name not in _FLAGS:
            raise SDDLError(f"unknown flag {name} in ({body})")
        flags |= _FLAGS[name]
    return Ace(parts[0] == "D", flags, _mask(parts[2], body), _sid(parts[5]))


def _mask(text: str, body: str) -> int:
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}|\d{1,10}", text):
        mask = int(text, 0) if text[:2].lower() == "0x" else int(text)
    else:
        mask = 0
        for name in _pairs(text):
            if name not in _RIGHTS:
                raise SDDLError(f"unknown right {name} in ({body})")
            mask |= _RIGHTS[name]
    if mask >> 32:
        raise SDDLError(f"the mask of ({body}) has more than 32 bits")
    return mask


def _pairs(text: str) -> list[str]:
    return [text[at : at + 2] for at in range(0, len(text), 2)]
