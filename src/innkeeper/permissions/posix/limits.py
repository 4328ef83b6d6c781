"""What POSIX lists cannot say.

Each rule is exact, stricter than NT, or looser than NT, and a code says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from innkeeper.permissions.nt import rights
from innkeeper.permissions.nt import sid as sids
from innkeeper.permissions.policy import Policy
from innkeeper.permissions.posix.bits import W, permissions
from innkeeper.permissions.principals import EVERYBODY
from innkeeper.permissions.rules.entry import Rule
from innkeeper.permissions.rules.vocabulary import ACCESS_MASKS, EntryFlag


class Effect(StrEnum):
    """How the kernel's answer differs from NT's. Only ``looser`` needs somebody's consent."""

    EXACT = "exact"
    STRICTER = "stricter"
    LOOSER = "looser"


@dataclass(frozen=True, slots=True)
class Limit:
    """One way in which a rule is held differently."""

    code: str
    effect: Effect
    message: str


_OF_OWNER = rights.WRITE_DAC | rights.WRITE_OWNER | rights.WRITE_ATTRIBUTES | rights.WRITE_EA
_APPEND = rights.WRITE_DATA | rights.APPEND_DATA
_VISIBLE = rights.READ_ATTRIBUTES | rights.READ_CONTROL | rights.READ_EA
_WITH_ID = (sids.CREATOR_OWNER, sids.CREATOR_GROUP, *EVERYBODY)


# Every code, with what it means; the documentation is checked against this table.
CODES = {
    "append-only": "to write and to append are one permission; a rule with only one of them is held strictly",
    "attributes-visible": "whoever can reach an object sees its mode, owner, size and times, denied or not",
    "delete-by-parent": "whether something may be deleted is asked of the folder above it, not of the thing itself",
    "no-local-account": "the account is no user or group of this machine; only the NT store holds the rule",
    "of-owner": "to change permissions, owner or attributes is in the power of the owner (and root) alone",
    "one-default": "new files and new folders start alike, with what both have, until the next run",
    "one-level": "what was meant for one level is passed on by folders made later, until the next run",
    "owner-keeps-control": "who owns an object can change its permissions, denied or not",
}


def of_policy(policy: Policy) -> dict[int, list[Limit]]:
    """The limits of every usable rule, by its number; a rule without limits is held exactly."""
    return {rule.number: list(limits(policy, rule)) for rule in policy.rules if rule.number not in policy.unusable}


def effect(found: list[Limit]) -> Effect:
    """The effect of a rule as a whole: looser outweighs stricter."""
    effects = {limit.effect for limit in found}
    return next((kind for kind in (Effect.LOOSER, Effect.STRICTER) if kind in effects), Effect.EXACT)


def limits(policy: Policy, rule: Rule) -> Iterator[Limit]:
    """What of a rule the POSIX store cannot hold."""
    if rule.flags & EntryFlag.LEAVE_ALONE:
        return
    mask, deny = rule.access_mask, rule.deny
    perm = permissions(mask)
    more, less = (Effect.STRICTER, Effect.LOOSER) if not deny else (Effect.LOOSER, Effect.STRICTER)
    sid, _ = policy.principals.resolve(rule)
    if sid is not None and sids.uid_of(sid) is None and sids.gid_of(sid) is None and sid not in _WITH_ID:
        yield Limit(
            "no-local-account", more, f"{rule.account} is no user or group here; only the NT store holds the rule"
        )
        return
    if mask & _APPEND in (rights.WRITE_DATA, rights.APPEND_DATA):
        effect_ = Effect.STRICTER
        yield Limit(
            "append-only", effect_, "to write and to append are one permission; the half that is missing counts"
        )
    if mask & _OF_OWNER and perm and mask != ACCESS_MASKS["FileRemovable"] and not deny:
        yield Limit("of-owner", more, "to change permissions, owner and attributes is the owner's power alone")
    if deny and mask & (rights.WRITE_DAC | rights.WRITE_OWNER):
        yield Limit("owner-keeps-control", more, "who owns the object can change its permissions")
    if deny and mask & _VISIBLE:
        yield Limit("attributes-visible", more, "whoever can reach the object sees its mode, owner, size and times")
    yield from _deletion(rule, perm)
    if rule.ace_flags & rights.NO_PROPAGATE:
        yield Limit("one-level", less, "new folders pass on what was meant for one level; apply again to correct it")
    inheritance = rule.ace_flags & rights.INHERITANCE
    if inheritance in (rights.OBJECT_INHERIT, rights.CONTAINER_INHERIT) and perm & ~1:
        yield Limit(
            "one-default", Effect.STRICTER, "new files and folders start alike, with what both have; apply again"
        )


def _deletion(rule: Rule, perm: int) -> Iterator[Limit]:
    """Linux asks the folder above whether something may be deleted, never the thing itself."""
    mask = rule.access_mask
    inherited = bool(rule.ace_flags & rights.CONTAINER_INHERIT)
    if rule.deny:
        if mask & rights.DELETE and not mask & rights.WRITE_DATA and inherited:
            message = "who may write in a folder may delete in it; only folders that rules name are kept"
            yield Limit("delete-by-parent", Effect.LOOSER, message)
        return
    if perm & W and inherited and not mask & (rights.DELETE | rights.DELETE_CHILD):
        yield Limit("delete-by-parent", Effect.LOOSER, "who may write in a folder may delete what is in it")
    if mask & rights.DELETE and not perm & W:
        yield Limit("delete-by-parent", Effect.STRICTER, "to delete needs the right to write in the folder above")
