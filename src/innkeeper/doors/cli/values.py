"""Values as people write them: sizes, switches, lists. Each raises ValueError with what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable

UNLIMITED = -1
_UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", re.IGNORECASE | re.ASCII)
BIGGEST = 2**63 - 1


def size(text: str, *, plain_unit: int = 1) -> int:
    """Bytes. `-1` and `unlimited` are no limit; a number alone counts in `plain_unit` bytes."""
    folded = text.strip()
    if folded.lower() in ("-1", "unlimited"):
        return UNLIMITED
    match = _SIZE.fullmatch(folded)
    if not match:
        raise ValueError("a size such as 500MB, 2GB or unlimited")
    number, unit = match[1], match[2].upper()
    factor = _UNITS[unit] if unit or folded[-1:].isalpha() else plain_unit
    result = int(float(number) * factor) if "." in number else int(number) * factor
    if result > BIGGEST:
        raise ValueError("a size below 8 exabytes")
    return result


def shown_size(count: int | None) -> str:
    """A size for people: exact where a unit fits exactly, else with one digit behind the point."""
    if count is None or count < 0:
        return "unlimited"
    for unit in ("T", "G", "M", "K"):
        if count >= _UNITS[unit]:
            whole, rest = divmod(count, _UNITS[unit])
            return f"{whole}{unit}B" if rest == 0 else f"{count / _UNITS[unit]:.1f}{unit}B"
    return f"{count}B"


def switch(text: str) -> bool:
    """A boolean."""
    folded = text.strip().lower()
    if folded in ("true", "on", "yes", "1"):
        return True
    if folded in ("false", "off", "no", "0"):
        return False
    raise ValueError("true or false")


def listed(text: str) -> tuple[str, list[str]]:
    """`add:a,b`, `del:a,b` or `set:a,b`: what to do, and the members."""
    action, colon, members = text.partition(":")
    if not colon or action not in ("add", "del", "set"):
        raise ValueError("add:A,B or del:A,B or set:A,B")
    names = [name.strip() for name in members.split(",") if name.strip()]
    if not names and action != "set":
        raise ValueError(f"{action}: with at least one member behind it")
    return {"add": "add", "del": "remove", "set": "set"}[action], names


def unknown_addresses(text: str) -> dict[str, str]:
    """What becomes of mail for unknown addresses: `reject`, `bounce`, `bounce:TEXT` or an address."""
    action, _, value = text.partition(":")
    if text == "reject" or action == "bounce":
        return {"unknown": action, "unknown_value": value}
    if "@" in text:
        return {"unknown": "forward", "unknown_value": text}
    raise ValueError("reject, bounce, bounce:TEXT or an address to forward to")


def hourly(text: str) -> str:
    """Messages an hour: `default`, `-1` or `unlimited`, or a number."""
    folded = text.strip().lower()
    if folded == "unlimited":
        return str(UNLIMITED)
    if folded in ("default", "-1") or folded.isdigit():
        return folded
    raise ValueError("a number of messages an hour, unlimited or default")


def one_of(*choices: str) -> Callable[[str], str]:
    """Reads one of a few words."""

    def read_choice(text: str) -> str:
        if text not in choices:
            raise ValueError(" or ".join(choices))
        return text

    return read_choice
