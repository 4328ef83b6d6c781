"""The three permissions of Linux and the NT bits behind them."""

from __future__ import annotations

from innkeeper.permissions.nt.rights import APPEND_DATA, EXECUTE, READ_DATA, WRITE_DATA

R, W, X = 4, 2, 1
_WRITE = WRITE_DATA | APPEND_DATA

# What a permission that was there before stands for.
_DATA = {R: READ_DATA, W: _WRITE, X: EXECUTE}


def permissions(mask: int) -> int:
    """r, w, x for granted NT bits.

    Files and folders use the same bits. Write needs both NT bits, so never more is granted than NT grants.
    """
    return (R if mask & READ_DATA else 0) | (W if mask & _WRITE == _WRITE else 0) | (X if mask & EXECUTE else 0)


def rights(perm: int) -> int:
    """The NT bits for r, w, x; the inverse of ``permissions``."""
    return sum(bits for bit, bits in _DATA.items() if perm & bit)


def text(perm: int) -> str:
    """As ``ls`` writes it: rw-."""
    return "".join(letter if perm & bit else "-" for letter, bit in zip("rwx", (R, W, X), strict=True))
