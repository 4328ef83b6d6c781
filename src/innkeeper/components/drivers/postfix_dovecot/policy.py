"""Postfix's policy service: room in mailboxes, the hourly limit of senders, and who holds which session.

`python -m innkeeper.components.drivers.postfix_dovecot.policy`, a process of its own that runs as a user of its own, so
that mail does not depend on the panel. Whatever it cannot find out, it lets pass (Postfix does the same when it is
away): a full mailbox is still refused by Dovecot, and a limit is not worth the mail of everybody.

Room is asked for at each recipient with the size that the client declares. Where it declares none, the mailboxes are
remembered, and asked for again when the message is there and its size is known.

A request is lines of `name=value` and an empty line, the answer `action=...` and an empty line. Two requests are not
Postfix's but hostd's, when it ends an account's sessions:

* `request=innkeeper_sessions` is answered with a line `ADDRESS PORT LOGIN` for each submission session seen;
* `request=innkeeper_ended` names in `logins` whose sessions end, and in `peers` the connections (`ADDRESS:PORT`) that
  were open then. Postfix tells a session's log-in only with its first recipient: one that turns out to be such a
  log-in's is ended there, before it can send anything. Those of all others go on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections import OrderedDict
from collections.abc import Set
from pathlib import Path
from typing import TypeVar

from innkeeper.components.drivers.postfix_dovecot.lookups import (
    LookupFailed,
    Lookups,
    PostgreSQLLookups,
    SQLiteLookups,
)
from innkeeper.components.drivers.postfix_dovecot.mailboxes import (
    MAILBOX,
    MAX_ADDRESSES,
    QuotaStatus,
    bounded_mailboxes,
)
from innkeeper.components.drivers.postfix_dovecot.outgoing import (
    Counters,
    OutgoingLimit,
    PostgreSQLCounters,
    SQLiteCounters,
)
from innkeeper.core.loglines import log_to_stderr

log = logging.getLogger("innkeeper.policy")

Key = TypeVar("Key")
Value = TypeVar("Value")

PASS = "DUNNO"  # noqa: S105 - Postfix's word for "no opinion"
QUOTA_TIMEOUT_S = 4
MAX_SESSIONS = 20_000
MAX_MESSAGES = 1_000  # Postfix has some hundreds under way at most
MAX_REQUEST_BYTES = 1024 * 1024
ENDED = "421 4.7.0 The access of this account has changed; log in again"


class PolicyService:
    """Answers policy requests."""

    def __init__(self, lookups: Lookups, limit: OutgoingLimit, quota: QuotaStatus) -> None:
        self._lookups = lookups
        self._limit = limit
        self._quota = quota
        self._sessions: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._ended: OrderedDict[tuple[str, str], frozenset[str]] = OrderedDict()
        # Of messages whose size was not declared: how many recipients lead to bounded mailboxes alone, and to which.
        self._unsized: OrderedDict[str, tuple[int, frozenset[str]]] = OrderedDict()

    def close(self) -> None:
        """Give up what is held open."""
        self._quota.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which Postfix keeps for many requests."""
        with contextlib.suppress(EOFError, ConnectionError, asyncio.LimitOverrunError):
            while True:
                text = (await reader.readuntil(b"\n\n")).decode(errors="replace")
                request = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
                writer.write(f"{await self.answer(request)}\n\n".encode())
                await writer.drain()
        writer.close()

    async def answer(self, request: dict[str, str]) -> str:
        """The answer to one request, without the empty line."""
        if request.get("request") == "innkeeper_sessions":
            return "\n".join(f"{host} {port} {login}" for (host, port), login in self._sessions.items())
        if request.get("request") == "innkeeper_ended":
            self._end(request.get("logins", "").split(), request.get("peers", "").split())
            return f"action={PASS}"
        if self._has_ended(request):
            return f"action={ENDED}"
        action = PASS
        try:
            state = request.get("protocol_state")
            if state == "RCPT":
                action = await self._room(request) or PASS
            elif state == "END-OF-MESSAGE":
                action = await self._room_for_all(request) or PASS
            elif state == "DATA" and request.get("sasl_username"):
                action = self._limit.refusal(request["sasl_username"]) or PASS
        except (LookupFailed, OSError, TimeoutError) as error:
            log.warning("let pass: %s: %s", type(error).__name__, error)
        return f"action={action}"

    async def _room(self, request: dict[str, str]) -> str | None:
        """The refusal of a recipient, or None."""
        recipient, size = request.get("recipient", ""), request.get("size") or "0"
        is_mailbox = request.get("policy_context") == MAILBOX
        found = {recipient} if is_mailbox else bounded_mailboxes(self._lookups, recipient)
        refusal = await self._refusal(found, size)
        if refusal is None and found and size == "0":
            message = request.get("instance", "")
            recipients, mailboxes = self._unsized.get(message, (0, frozenset()))
            # A message for more is taken, as is a recipient that leads to more.
            if len(mailboxes | found) <= MAX_ADDRESSES:
                _put(self._unsized, message, (recipients + 1, mailboxes | found), MAX_MESSAGES)
        return refusal

    async def _room_for_all(self, request: dict[str, str]) -> str | None:
        """The refusal of a message whose size only now is known, or None.

        Only if no recipient has room: then nobody gets it, and each is told by the sender's own server.
        """
        recipients, mailboxes = self._unsized.pop(request.get("instance", ""), (0, frozenset()))
        if request.get("recipient_count") != str(recipients):  # the others have room
            return None
        return await self._refusal(mailboxes, request.get("size") or "0")

    async def _refusal(self, mailboxes: Set[str], size: str) -> str | None:
        if not mailboxes:
            return None
        async with asyncio.timeout(QUOTA_TIMEOUT_S):
            return await self._quota.any_room(mailboxes, size)

    def _end(self, logins: list[str], peers: list[str]) -> None:
        ended = frozenset(logins)
        for text in peers:
            host, _, port = text.rpartition(":")
            _put(self._ended, (host, port), self._ended.get((host, port), frozenset()) | ended, MAX_SESSIONS)

    def _has_ended(self, request: dict[str, str]) -> bool:
        """Note whose session this is, and tell whether it was to end before that was known."""
        login = request.get("sasl_username")
        if not login:
            return False
        peer = (request.get("client_address", ""), request.get("client_port", ""))
        _put(self._sessions, peer, login, MAX_SESSIONS)
        return login in self._ended.pop(peer, ())


def _put(table: OrderedDict[Key, Value], key: Key, value: Value, most: int) -> None:
    """Store under a key, the latest last, and forget the oldest of too many."""
    table.pop(key, None)
    table[key] = value
    if len(table) > most:
        table.popitem(last=False)


async def run(service: PolicyService, path: Path) -> None:
    """Serve on a UNIX socket until SIGTERM. The folder's group (set-group-ID) may connect."""
    path.unlink(missing_ok=True)
    old = os.umask(0o117)
    server = await asyncio.start_unix_server(service.serve, path=str(path), limit=MAX_REQUEST_BYTES)
    os.umask(old)
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    async with server:
        await done.wait()
    service.close()


def main() -> int:
    parser = argparse.ArgumentParser(description="Postfix's policy service")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--quota-socket", type=Path, required=True)
    parser.add_argument("--sqlite", type=Path, help="the panel's database")
    parser.add_argument("--counters", type=Path, help="file of the counters, beside --sqlite")
    parser.add_argument("--postgresql-url-file", type=Path, help="file that holds the database's URL")
    options = parser.parse_args()
    log_to_stderr()
    lookups: Lookups
    counters: Counters
    if options.postgresql_url_file:
        lookups = PostgreSQLLookups(options.postgresql_url_file)
        counters = PostgreSQLCounters(lookups)
    elif options.sqlite and options.counters:
        lookups, counters = SQLiteLookups(options.sqlite), SQLiteCounters(options.counters)
    else:
        parser.error("give --sqlite and --counters, or --postgresql-url-file")
    service = PolicyService(lookups, OutgoingLimit(lookups, counters), QuotaStatus(options.quota_socket))
    asyncio.run(run(service, options.socket))
    return 0


if __name__ == "__main__":
    sys.exit(main())
