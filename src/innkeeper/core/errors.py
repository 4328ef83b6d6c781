"""The family of refusals, and the one table that every door translates them by."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class InnkeeperError(Exception):
    """Anything that Innkeeper itself reports."""


class Refused(InnkeeperError):
    """The request is understood and will not be done. The message says what to do next."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class AuthenticationFailed(Refused):
    """Unknown login or wrong password."""


class KeyRefused(Refused):
    """Unknown or revoked secret key, or the wrong address."""


class AccountDisabled(Refused):
    """The caller is suspended."""


class LoginLocked(Refused):
    """Too many failures from this address."""


class AccessDenied(Refused):
    """The caller's address may not reach the panel."""


class NotAllowed(Refused):
    """The caller may not do this."""


class AlreadyExists(Refused):
    """The name is taken."""


class NotFound(Refused):
    """The object does not exist, or belongs to somebody else: the answers are the same."""


class OwnerNotFound(Refused):
    """The owner that the request names does not exist."""


class InvalidValue(Refused):
    """The value has the right form and breaks a rule."""


class LimitReached(Refused):
    """A limit of the plan, or a bound of the server."""


class WrongStatus(Refused):
    """Not a settable status."""


class ComponentMissing(Refused):
    """No product serves this role."""


class WebmailMissing(Refused):
    """The named webmail product is not installed."""


class IPAddressNotFound(Refused):
    """The address is unknown, or not in the owner's pool."""


class IPOperationFailed(Refused):
    """The address is in use."""


class InterfaceNotFound(Refused):
    """No such network interface."""


class NotSupported(Refused):
    """Part of the protocol, and not served here."""


class Malformed(Refused):
    """The request cannot be read."""


class VersionNotSupported(Refused):
    """No such protocol version."""


class Failed(Refused):
    """Something behind the panel failed; nothing was changed."""


class ExitCode(IntEnum):
    """Exit codes of the command line."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    EXISTS = 4
    LIMIT = 5
    NOT_PERMITTED = 6
    INVALID = 7


class UtilityCode(IntEnum):
    """Exit codes of the `bin` utilities, which scripts written for Plesk's look at."""

    OK = 0
    FAILED = 1
    EXISTS = 2
    NOT_FOUND = 3
    INVALID = 4
    LIMIT = 5
    NOT_PERMITTED = 6


UTILITY: dict[ExitCode, UtilityCode] = {
    ExitCode.OK: UtilityCode.OK,
    ExitCode.FAILED: UtilityCode.FAILED,
    ExitCode.USAGE: UtilityCode.FAILED,
    ExitCode.NOT_FOUND: UtilityCode.NOT_FOUND,
    ExitCode.EXISTS: UtilityCode.EXISTS,
    ExitCode.LIMIT: UtilityCode.LIMIT,
    ExitCode.NOT_PERMITTED: UtilityCode.NOT_PERMITTED,
    ExitCode.INVALID: UtilityCode.INVALID,
}


class DoorCodes(NamedTuple):
    """How one error class appears at each door."""

    xml: int
    http: int
    exit: ExitCode


DOORS: dict[type[Refused], DoorCodes] = {
    AuthenticationFailed: DoorCodes(1001, 401, ExitCode.NOT_PERMITTED),
    VersionNotSupported: DoorCodes(1005, 400, ExitCode.USAGE),
    NotAllowed: DoorCodes(1006, 403, ExitCode.NOT_PERMITTED),
    AlreadyExists: DoorCodes(1007, 409, ExitCode.EXISTS),
    AccessDenied: DoorCodes(1010, 403, ExitCode.NOT_PERMITTED),
    AccountDisabled: DoorCodes(1011, 403, ExitCode.NOT_PERMITTED),
    LoginLocked: DoorCodes(1012, 429, ExitCode.NOT_PERMITTED),
    NotFound: DoorCodes(1013, 404, ExitCode.NOT_FOUND),
    Malformed: DoorCodes(1014, 400, ExitCode.USAGE),
    OwnerNotFound: DoorCodes(1015, 404, ExitCode.NOT_FOUND),
    NotSupported: DoorCodes(1017, 501, ExitCode.USAGE),
    IPAddressNotFound: DoorCodes(1018, 404, ExitCode.NOT_FOUND),
    InvalidValue: DoorCodes(1019, 422, ExitCode.INVALID),
    Failed: DoorCodes(1023, 500, ExitCode.FAILED),
    LimitReached: DoorCodes(1024, 422, ExitCode.LIMIT),
    WrongStatus: DoorCodes(1025, 422, ExitCode.INVALID),
    ComponentMissing: DoorCodes(1026, 422, ExitCode.FAILED),
    IPOperationFailed: DoorCodes(1027, 409, ExitCode.FAILED),
    InterfaceNotFound: DoorCodes(1032, 422, ExitCode.INVALID),
    WebmailMissing: DoorCodes(1050, 422, ExitCode.FAILED),
    KeyRefused: DoorCodes(11003, 401, ExitCode.NOT_PERMITTED),
}


def codes(error: Refused) -> DoorCodes:
    """The codes of an error, by the nearest class in `DOORS`."""
    for cls in type(error).__mro__:
        if cls in DOORS:
            return DOORS[cls]
    return DOORS[Failed]
