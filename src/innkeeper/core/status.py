"""The protocol's status: a sum of flags, each of which only somebody strong enough may set or clear."""

from __future__ import annotations

from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import WrongStatus

ACTIVE = 0
INHERITED = 2
WEB_ONLY = 8
BY_ADMINISTRATOR = 16
BY_RESELLER = 32
BY_CUSTOMER = 64
EXPIRED = 256

_OWN = {
    ActorKind.ADMINISTRATOR: BY_ADMINISTRATOR,
    ActorKind.RESELLER: BY_RESELLER,
    ActorKind.CUSTOMER: BY_CUSTOMER,
}
_CLEARS = {
    ActorKind.ADMINISTRATOR: WEB_ONLY | BY_ADMINISTRATOR | BY_RESELLER | BY_CUSTOMER | EXPIRED,
    ActorKind.RESELLER: WEB_ONLY | BY_RESELLER | BY_CUSTOMER,
    ActorKind.CUSTOMER: WEB_ONLY | BY_CUSTOMER,
}


def requested(actor: Actor, current: int, value: int, *, web_only: bool = False) -> int:
    """The status that follows when the caller asks for `value`: 0, 16, 32 or 64, on a site (`web_only`) also 8.

    A weaker caller's flag is stored as its own (a customer's 16 as 64), and 0 clears only what the caller may clear,
    so that nobody undoes the suspension by somebody stronger. The inherited flag is never set or cleared here.
    """
    settable = {ACTIVE, BY_ADMINISTRATOR, BY_RESELLER, BY_CUSTOMER} | ({WEB_ONLY} if web_only else set())
    if value not in settable:
        raise WrongStatus(f"status: {value} cannot be set. Use one of {', '.join(map(str, sorted(settable)))}.")
    flag = value
    if value not in (ACTIVE, WEB_ONLY):
        flag = max(value, _OWN[actor.kind])
    return (current & ~_CLEARS[actor.kind]) | flag


def is_suspended(value: int) -> bool:
    """True if more than the web service is off."""
    return bool(value & ~WEB_ONLY)
