"""Secrets that must be read again later: sealed in the database with a key that lies outside of it."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox


class CannotUnsealError(Exception):
    """The sealed text was made with another key, or was changed."""


def seal(text: str) -> bytes:
    """A text that only a process with the key can read."""
    return bytes(_box().encrypt(text.encode()))


def unseal(sealed: bytes) -> str:
    """The text again. Raises CannotUnsealError."""
    try:
        return _box().decrypt(bytes(sealed)).decode()
    except (CryptoError, ValueError) as error:
        raise CannotUnsealError("It was sealed with another key, or was changed.") from error


@cache
def _box() -> SecretBox:
    return SecretBox(settings.INNKEEPER_SEALING_KEY)
