"""Sizes as people write and read them. Units are powers of 1024, as the mail server counts quotas."""

from __future__ import annotations

from django.utils import formats
from django.utils.translation import gettext_lazy as _

KB, MB, GB, TB = 1024, 1024**2, 1024**3, 1024**4
UNITS = {"MB": MB, "GB": GB, "TB": TB}
UNIT_CHOICES = [("MB", _("MB")), ("GB", _("GB")), ("TB", _("TB"))]


def size_text(value: int) -> str:
    """A number of bytes in the largest unit that leaves a whole part, with one digit behind the point below 10."""
    for name, unit in (("TB", TB), ("GB", GB), ("MB", MB), ("kB", KB)):
        if value >= unit:
            amount = value / unit
            digits = 0 if amount >= 10 or value % unit == 0 else 1
            return f"{formats.number_format(round(amount, digits), digits)} {name}"
    return f"{formats.number_format(value)} B"


def split_size(value: int) -> tuple[str, str]:
    """A number of bytes as (amount, unit) for a form, without loss where a decimal number of megabytes can say it."""
    for name in ("TB", "GB", "MB"):
        unit = UNITS[name]
        if value >= unit and value % unit == 0:
            return str(value // unit), name
    return f"{value / MB:.6f}".rstrip("0").rstrip("."), "MB"
