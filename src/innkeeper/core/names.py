"""Rules for names: one function a kind of name, the same message at every door."""

from __future__ import annotations

import re

import idna

from innkeeper.core.errors import InvalidValue

# Accounts that Debian creates, and names that a stranger would take for the operator's own.
RESERVED_LOGINS = frozenset(
    [
        "root",
        "admin",
        "administrator",
        "daemon",
        "bin",
        "sys",
        "sync",
        "games",
        "man",
        "lp",
        "mail",
        "news",
        "uucp",
        "proxy",
        "www-data",
        "backup",
        "list",
        "irc",
        "gnats",
        "nobody",
        "systemd-network",
        "messagebus",
        "sshd",
        "postfix",
        "dovecot",
        "dovenull",
        "postgres",
        "mysql",
        "bind",
        "pdns",
        "ftp",
        "psaadm",
        "innkeeper",
    ]
)
LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,59}")
SYSTEM_USER = re.compile(r"[a-z][a-z0-9._-]{1,31}")
LOCAL_PART = re.compile(r"[a-z0-9_-](?:[a-z0-9_-]|\.(?!\.))*")
ADDRESS_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
LOCAL_PART_LENGTH = 64
DOMAIN_LENGTH = 253


def login(value: str, *, field: str = "login") -> str:
    """A panel login: 2 to 60 letters, digits, `.`, `_` or `-`, not a system name."""
    if not LOGIN.fullmatch(value):
        raise InvalidValue(
            f"{field}: {value!r} is not a login. Use 2 to 60 letters, digits, dots, hyphens or underscores,"
            " beginning with a letter or digit.",
            field=field,
        )
    if value.lower() in RESERVED_LOGINS:
        raise InvalidValue(f"{field}: {value!r} is reserved for the system. Choose another login.", field=field)
    return value


def system_user(value: str, *, field: str = "ftp_login") -> str:
    """A system user of a webspace: 2 to 32 lower-case letters, digits, `.`, `_` or `-`, beginning with a letter."""
    if not SYSTEM_USER.fullmatch(value) or value in RESERVED_LOGINS:
        raise InvalidValue(
            f"{field}: {value!r} is not a system user name. Use 2 to 32 lower-case letters, digits, dots, hyphens"
            " or underscores, beginning with a letter, and no name of the system.",
            field=field,
        )
    return value


def local_part(value: str, *, field: str = "name") -> str:
    """The local part of a mail account or alias, in lower case.

    No `+`: with tag addresses, mail for an account `a+b` could land in the mailbox of `a`.
    """
    folded = value.lower()
    if "+" in folded:
        raise InvalidValue(
            f"{field}: {value!r} holds a plus sign, which separates a tag from the name. Leave it out: mail for"
            " name+tag reaches the account name by itself.",
            field=field,
        )
    if len(folded) > LOCAL_PART_LENGTH or not LOCAL_PART.fullmatch(folded) or folded.endswith("."):
        raise InvalidValue(
            f"{field}: {value!r} is not a mail name. Use 1 to 64 letters, digits, hyphens, underscores and single"
            " dots inside, without the domain.",
            field=field,
        )
    return folded


def domain(value: str, *, field: str = "name") -> tuple[str, str]:
    """A domain name as (Unicode form, lower-case ASCII form). Takes either form, in any case."""
    text = value.strip().rstrip(".").lower()
    try:
        ascii_form = idna.encode(text, uts46=True).decode("ascii") if text else ""
        unicode_form = idna.decode(ascii_form) if ascii_form else ""
    except (idna.IDNAError, UnicodeError) as error:
        raise InvalidValue(f"{field}: {value!r} is not a domain name: {error}.", field=field) from error
    # No top-level domain is a number: such a name is an IP address.
    no_domain = "." not in ascii_form or ascii_form.rpartition(".")[2].isdigit()
    if not ascii_form or len(ascii_form) > DOMAIN_LENGTH or no_domain:
        raise InvalidValue(f"{field}: {value!r} is not a domain name. Give a name such as example.com.", field=field)
    return unicode_form, ascii_form


def fold_domain(value: str) -> str | None:
    """The lower-case ASCII form for a look-up, or None where no domain can have that name."""
    try:
        return domain(value)[1]
    except InvalidValue:
        return None


def address(value: str, *, field: str = "address") -> str:
    """A full mail address with its domain in lower-case ASCII and its local part in lower case.

    The local part may be any of RFC 5321's unquoted ones: it may lie on a foreign server.
    """
    local, at, host = value.strip().rpartition("@")
    valid = (
        at
        and len(local) <= LOCAL_PART_LENGTH
        and ADDRESS_LOCAL_PART.fullmatch(local)
        and not local.startswith(".")
        and not local.endswith(".")
        and ".." not in local
    )
    if not valid:
        raise InvalidValue(f"{field}: {value!r} is not a mail address. Give one such as name@example.com.", field=field)
    return f"{local.lower()}@{domain(host, field=field)[1]}"
