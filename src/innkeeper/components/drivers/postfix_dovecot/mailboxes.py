"""Whether the mailboxes behind a recipient have room, asked while the sender is still there to be told.

Postfix knows the final recipients only after it has taken the message. So a recipient is followed here through the same
views in the same order, and Dovecot is asked for each mailbox at its end. The recipient is refused only when every one
of them is full: a group with one full member still reaches the others, and Dovecot refuses for that one alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Set
from pathlib import Path

from innkeeper.components.drivers.postfix_dovecot.lookups import UNLIMITED, Lookups

MAX_ADDRESSES = 50
"""A recipient that leads to more is taken; asking for each of a large group would hold the sender up."""

MAILBOX = "mailbox"
"""Postfix's `policy_context` of a recipient that it knows as a mailbox with a quota that passes nothing on."""

IDLE_CONNECTIONS = 8


def keys(address: str) -> list[str]:
    """An address, then the same without its +tag: the order in which Postfix looks up."""
    local, _, domain = address.rpartition("@")
    name, plus, _ = local.partition("+")
    return [address, f"{name}@{domain}"] if plus and name else [address]


def bounded_mailboxes(lookups: Lookups, recipient: str) -> set[str]:
    """The mailboxes that a recipient leads to, or none if one of them has no quota or the way leads elsewhere too.

    Then there is room at the end of one way at least. Raises LookupFailed.
    """
    waiting = [recipient.lower()]
    seen: set[str] = set()
    found: set[str] = set()
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        if len(seen) > MAX_ADDRESSES:
            return set()
        ways = _ways(lookups, address)
        if not ways:
            return set()
        for target, rule in ways:
            if target not in keys(address):
                waiting.append(target.lower())
                continue
            # The address itself: the end of the way.
            if (rule or _rule(lookups, target)) in (None, UNLIMITED):
                return set()
            found.add(target)
    return found


def _ways(lookups: Lookups, address: str) -> list[tuple[str, str | None]]:
    """Where an address leads, as Postfix finds it; with its quota if it is a mailbox that passes nothing on."""
    for key in keys(address):
        mailbox = lookups.rows("address, quota_rule", "svc_mail_mailbox", key)
        if found := mailbox or lookups.rows("target, NULL", "svc_mail_alias", key):
            return [(str(target), rule) for target, rule in found]
    domain = "@" + address.rpartition("@")[2]
    return [(str(target), None) for (target,) in lookups.rows("target", "svc_mail_catchall", domain)]


def _rule(lookups: Lookups, address: str) -> str | None:
    """The quota of an account that takes mail."""
    rows = lookups.rows("quota_rule", "svc_mail_user", address)
    return str(rows[0][0]) if rows else None


class QuotaStatus:
    """Asks Dovecot's quota-status service, over connections that are kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def refusal(self, address: str, size: str) -> str | None:
        """Dovecot's refusal of a message of that size for a mailbox, or None. Raises OSError."""
        question = f"request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient={address}\nsize={size or 0}\n\n"
        while self._idle:
            reader, writer = self._idle.pop()
            try:
                return await self._ask(reader, writer, question)
            except (OSError, EOFError):  # Dovecot was restarted since; a new connection tells
                writer.close()
        reader, writer = await asyncio.open_unix_connection(str(self._path))
        try:
            return await self._ask(reader, writer, question)
        except EOFError:
            writer.close()
            raise ConnectionResetError("Dovecot closed the connection") from None

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: str) -> str | None:
        writer.write(question.encode())
        await writer.drain()
        answer = (await reader.readuntil(b"\n\n")).decode(errors="replace")
        if len(self._idle) < IDLE_CONNECTIONS:
            self._idle.append((reader, writer))
        else:
            writer.close()
        action = answer.strip().removeprefix("action=")
        return action if action[:1] == "5" else None

    def close(self) -> None:
        """Give the kept connections back."""
        while self._idle:
            self._idle.pop()[1].close()

    async def any_room(self, addresses: Set[str], size: str) -> str | None:
        """None if one of the mailboxes has room, else the refusal. Raises OSError."""
        refusal = None
        for address in sorted(addresses):
            refusal = await self.refusal(address, size)
            if refusal is None:
                return None
        return refusal
