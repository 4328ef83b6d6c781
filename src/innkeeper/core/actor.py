"""Who asks. Every operation and every query takes an actor and is bounded by its scope."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    ADMINISTRATOR = "admin"
    RESELLER = "reseller"
    CUSTOMER = "customer"
    MAIL_USER = "mail-user"


class Door(StrEnum):
    XML = "xml"
    PANEL = "panel"
    CLI = "cli"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Actor:
    """An authenticated caller.

    `account_id` is the id of the administrator's, reseller's or customer's account; for a mail user it is the id
    of the mail account. `address` is the client's IP address, empty for local callers.
    """

    kind: ActorKind
    account_id: int
    login: str
    address: str = ""
    door: Door = Door.INTERNAL
    depth: int = 0
    """How many handlers of events led to this call, one by an event of another: it bounds loops."""

    @property
    def is_administrator(self) -> bool:
        return self.kind is ActorKind.ADMINISTRATOR
