"""Protocol versions: which exist, which dialect each speaks, and what a packet's `version` means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache

from innkeeper.core.errors import VersionNotSupported


class Dialect(Enum):
    """The two shapes of the protocol: `domain`, `domain_id`, ... before 1.6.3.0, `site`, `site-id`, ... since."""

    OLD = "old"
    NEW = "new"


@dataclass(frozen=True, order=True)
class Version:
    """A full protocol version such as 1.6.9.1. Versions compare by their numbers."""

    numbers: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Version:
        return cls(tuple(int(part) for part in text.split(".")))

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        return ".".join(map(str, self.numbers))

    @cached_property
    def dialect(self) -> Dialect:
        return Dialect.OLD if self < FIRST_NEW else Dialect.NEW

    @cached_property
    def is_mail_only(self) -> bool:
        """Versions from before the common dialect, accepted for packets that only speak to `mail`."""
        return self < FIRST_OLD


FIRST_OLD = Version.parse("1.4.0.0")
FIRST_NEW = Version.parse("1.6.3.0")
VERSIONS = tuple(
    map(
        Version.parse,
        (
            "1.3.5.0", "1.3.5.1", "1.4.0.0", "1.4.1.2", "1.4.2.0", "1.5.0.0", "1.5.2.0", "1.6.0.0",
            "1.6.0.1", "1.6.0.2", "1.6.2.0", "1.6.3.0", "1.6.3.1", "1.6.3.2", "1.6.3.3", "1.6.3.4",
            "1.6.3.5", "1.6.4.0", "1.6.5.0", "1.6.6.0", "1.6.7.0", "1.6.8.0", "1.6.9.0", "1.6.9.1",
        ),
    )
)  # fmt: skip
NEWEST = VERSIONS[-1]

_FORM = re.compile(r"\d{1,4}(\.\d{1,4}){0,3}", re.ASCII)


@lru_cache(maxsize=64)
def resolve(text: str | None) -> Version:
    """The version that a packet asks for: the newest if it names none, the newest with that prefix if it is short.

    Raises VersionNotSupported for versions that are unknown, newer than the server, or no version at all.
    """
    text = (text or "").strip()
    if not text:
        return NEWEST
    if _FORM.fullmatch(text):
        wanted = Version.parse(text)
        known = [v for v in VERSIONS if v.numbers[: len(wanted.numbers)] == wanted.numbers]
        if known:
            return known[-1]
        # Of the old dialect not every release is recorded anywhere, and its clients still name them.
        if len(wanted.numbers) == 4 and FIRST_OLD < wanted < FIRST_NEW:
            return wanted
    raise VersionNotSupported(
        f"Protocol version {text[:32]!r} is not supported. Use {FIRST_OLD} to {NEWEST}, or leave it out."
    )
