"""Passwords: the policy, the hashes of panel, mail and FTP log-ins, and their verification.

Panel log-ins use ARGON2ID. Mail and FTP use BLF-CRYPT: no memory burst when many log in at once, and understood by
every daemon. Both are computed in C without Python's global lock.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hmac
import os
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from functools import cache

import nacl.exceptions
import nacl.pwhash.argon2id

from innkeeper.core.errors import InvalidValue

MINIMUM_LENGTH = 5
MAXIMUM_LENGTH = 255
LOGIN_OPERATIONS = nacl.pwhash.argon2id.OPSLIMIT_INTERACTIVE
LOGIN_MEMORY = nacl.pwhash.argon2id.MEMLIMIT_INTERACTIVE
BCRYPT_COST = 10
BCRYPT_MAXIMUM_BYTES = 72  # bcrypt ignores what is longer; such passwords get SHA512-CRYPT instead
_OUTPUT_SIZE = 384
_DATA_SIZE = 32768


class Strength(IntEnum):
    """The five levels of the password policy."""

    VERY_WEAK = 0
    WEAK = 1
    MEDIOCRE = 2
    STRONG = 3
    VERY_STRONG = 4


def strength(password: str) -> Strength:
    """How strong a password is: by length and by the kinds of characters in it."""
    kinds = sum(bool(re.search(pattern, password)) for pattern in (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^A-Za-z0-9]"))
    length = len(password)
    if length >= 16 and kinds == 4:
        return Strength.VERY_STRONG
    if length >= 10 and kinds >= 3:
        return Strength.STRONG
    if length >= 8 and kinds >= 2:
        return Strength.MEDIOCRE
    return Strength.WEAK if length >= 6 else Strength.VERY_WEAK


def check(password: str, name: str, *, required: Strength = Strength.VERY_WEAK, field: str = "password") -> None:
    """Refuse a password that breaks the policy. `name` is the login, mail name or user it is for.

    Raises InvalidValue. The message never repeats the password.
    """
    if not MINIMUM_LENGTH <= len(password) <= MAXIMUM_LENGTH:
        raise InvalidValue(f"{field}: use {MINIMUM_LENGTH} to {MAXIMUM_LENGTH} characters.", field=field)
    if any(ord(c) < 32 or ord(c) == 127 for c in password):
        raise InvalidValue(f"{field}: control characters are not allowed.", field=field)
    if len(name) >= 3 and name.lower() in password.lower():
        raise InvalidValue(f"{field}: it must not contain the name {name!r}.", field=field)
    if strength(password) < required:
        raise InvalidValue(
            f"{field}: too weak. Make it longer and mix upper and lower case, digits and other characters.",
            field=field,
        )


@cache
def _libcrypt() -> ctypes.CDLL:
    library = ctypes.CDLL("libcrypt.so.1")  # CDLL gives up the global lock during a call
    library.crypt_r.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
    library.crypt_r.restype = ctypes.c_char_p
    library.crypt_gensalt_rn.argtypes = [
        ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int,
    ]  # fmt: skip
    library.crypt_gensalt_rn.restype = ctypes.c_char_p
    return library


def _crypt(password: bytes, setting: bytes) -> bytes:
    data = ctypes.create_string_buffer(_DATA_SIZE)
    result: bytes | None = _libcrypt().crypt_r(password, setting, data)
    if result is None or result.startswith(b"*"):
        raise ValueError("crypt does not know this setting")
    return result


def hash_mail(password: str) -> str:
    """The hash of a mail or FTP password, with Dovecot's scheme prefix."""
    raw = password.encode()
    prefix, cost, scheme = (b"$2y$", BCRYPT_COST, "BLF-CRYPT")
    if len(raw) > BCRYPT_MAXIMUM_BYTES:
        prefix, cost, scheme = (b"$6$", 0, "SHA512-CRYPT")
    output = ctypes.create_string_buffer(_OUTPUT_SIZE)
    setting = _libcrypt().crypt_gensalt_rn(prefix, cost, os.urandom(16), 16, output, _OUTPUT_SIZE)
    return f"{{{scheme}}}{_crypt(raw, setting).decode('ascii')}"


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="hash")


def hash_mail_many(passwords: Sequence[str]) -> list[str]:
    """`hash_mail` of each, on all cores."""
    if len(passwords) == 1:
        return [hash_mail(passwords[0])]
    return list(_pool().map(hash_mail, passwords))


@cache
def _seconds_per_hash() -> float:
    # The thread's own time: a machine that is busy at that moment would seem slow for ever.
    start = time.thread_time()
    hash_mail("calibration only")
    return time.thread_time() - start


def hashing_seconds(count: int) -> float:
    """How long `hash_mail_many` of so many passwords would take on this machine, in seconds."""
    return count * _seconds_per_hash() / (os.cpu_count() or 1) if count else 0.0


def hash_login(password: str) -> str:
    """The ARGON2ID hash of a panel login's password."""
    hashed = nacl.pwhash.argon2id.str(password.encode(), opslimit=LOGIN_OPERATIONS, memlimit=LOGIN_MEMORY)
    return hashed.decode("ascii")


def verify_login(password: str, stored: str) -> bool:
    """True if `password` is the one that `hash_login` made `stored` of."""
    try:
        return nacl.pwhash.verify(stored.encode("ascii"), password.encode())
    except (nacl.exceptions.InvalidkeyError, ValueError):
        return False


# What Dovecot 2.3 verifies, without the schemes that keep the clear text.
_CRYPT_SHAPES = {
    "BLF-CRYPT": re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}"),
    "SHA512-CRYPT": re.compile(r"\$6\$(?:rounds=\d+\$)?[^$\s]{0,16}\$[./A-Za-z0-9]{86}"),
    "SHA256-CRYPT": re.compile(r"\$5\$(?:rounds=\d+\$)?[^$\s]{0,16}\$[./A-Za-z0-9]{43}"),
    "MD5-CRYPT": re.compile(r"\$1\$[^$\s]{0,8}\$[./A-Za-z0-9]{22}"),
    "ARGON2ID": re.compile(r"\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[+/A-Za-z0-9]+\$[+/A-Za-z0-9]+"),
    "ARGON2I": re.compile(r"\$argon2i\$v=19\$m=\d+,t=\d+,p=\d+\$[+/A-Za-z0-9]+\$[+/A-Za-z0-9]+"),
    "DES-CRYPT": re.compile(r"[./A-Za-z0-9]{13}"),
}
_OTHER_SCHEMES = frozenset(
    [
        "CRYPT",
        "SHA",
        "SHA1",
        "SHA256",
        "SHA512",
        "SSHA",
        "SSHA256",
        "SSHA512",
        "MD5",
        "PLAIN-MD5",
        "LDAP-MD5",
        "SMD5",
        "CRAM-MD5",
        "DIGEST-MD5",
        "HMAC-MD5",
        "NTLM",
        "LANMAN",
        "PBKDF2",
        "SCRAM-SHA-1",
        "SCRAM-SHA-256",
    ]
)
_PREFIXED = re.compile(r"\{([A-Za-z0-9-]+)((?:\.[A-Za-z0-9]+)?)\}([\x21-\x7e]+)")


def import_hash(value: str, *, field: str = "password") -> str:
    """A ready hash with its scheme prefix, as Dovecot reads it. Takes `{SCHEME}hash` or a bare crypt(3) hash.

    Raises InvalidValue for a scheme that Dovecot does not know or that keeps the clear text.
    """
    if len(value) > MAXIMUM_LENGTH:
        raise InvalidValue(f"{field}: the hash is longer than {MAXIMUM_LENGTH} characters.", field=field)
    if match := _PREFIXED.fullmatch(value):
        scheme, encoding, digest = match[1].upper(), match[2], match[3]
        shape = _CRYPT_SHAPES.get(scheme)
        known = shape.fullmatch(digest) if shape else scheme in _OTHER_SCHEMES
        if known and (not encoding or encoding.lower() in {".b64", ".base64", ".hex"}):
            return value
    else:
        for scheme, shape in _CRYPT_SHAPES.items():
            if shape.fullmatch(value):
                return f"{{{scheme}}}{value}"
    raise InvalidValue(
        f"{field}: this is no hash that the mail server can verify. Send a crypt(3) hash ($2y$, $6$, $5$, $1$,"
        " $argon2id$) or {SCHEME}hash of a scheme that Dovecot knows.",
        field=field,
    )


def verify_mail(password: str, stored: str) -> bool:
    """True if `password` matches a stored mail hash of the crypt(3) or ARGON2 family.

    Other imported schemes are verified by Dovecot alone, so they answer False here.
    """
    match = _PREFIXED.fullmatch(stored)
    if not match or match[2]:
        return False
    scheme, digest = match[1].upper(), match[3]
    if scheme in {"ARGON2ID", "ARGON2I"}:
        return verify_login(password, digest)
    if scheme not in _CRYPT_SHAPES and scheme != "CRYPT":
        return False
    try:
        return hmac.compare_digest(_crypt(password.encode(), digest.encode()), digest.encode())
    except ValueError:
        return False
