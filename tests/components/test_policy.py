"""The policy service: room in mailboxes, the hourly limit, and what happens when it cannot know."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from innkeeper.components.drivers.postfix_dovecot.lookups import LookupFailed, SQLiteLookups
from innkeeper.components.drivers.postfix_dovecot.mailboxes import MAX_ADDRESSES, QuotaStatus, bounded_mailboxes
from innkeeper.components.drivers.postfix_dovecot.outgoing import OutgoingLimit, SQLiteCounters
from innkeeper.components.drivers.postfix_dovecot.policy import MAX_MESSAGES, PolicyService

FULL = "552 5.2.2 Mailbox is full"


@pytest.fixture
def panel(tmp_path: Path) -> Path:
    """The service views' rows, as a database of their own."""
    path = tmp_path / "panel.sqlite3"
    database = sqlite3.connect(path)
    database.executescript("""
        CREATE TABLE svc_mail_mailbox (address, quota_rule);
        CREATE TABLE svc_mail_alias (source, target);
        CREATE TABLE svc_mail_catchall (source, target);
        CREATE TABLE svc_mail_user (username, quota_rule);
        CREATE TABLE svc_mail_outgoing (login, messages_per_hour, site, site_messages_per_hour, webspace_id,
            webspace_messages_per_hour);
        INSERT INTO svc_mail_user VALUES
            ('anna@a.test', '*:bytes=1000'), ('bob@a.test', '*:bytes=1000'), ('free@a.test', '*:bytes=0');
        INSERT INTO svc_mail_mailbox VALUES ('bob@a.test', '*:bytes=1000');
        INSERT INTO svc_mail_alias VALUES
            ('anna@a.test', 'anna@a.test'), ('bob@a.test', 'bob@a.test'), ('info@a.test', 'anna@a.test'),
            ('team@a.test', 'info@a.test'), ('team@a.test', 'bob@a.test'), ('away@a.test', 'x@elsewhere.test'),
            ('some@a.test', 'anna@a.test'), ('some@a.test', 'free@a.test'), ('free@a.test', 'free@a.test'),
            ('one@a.test', 'two@a.test'), ('two@a.test', 'one@a.test');
        INSERT INTO svc_mail_catchall VALUES ('@a.test', 'bob@a.test');
        INSERT INTO svc_mail_outgoing VALUES
            ('anna@a.test', 2, 'a.test', -1, 1, -1), ('bob@a.test', -1, 'a.test', -1, 1, -1),
            ('mute@a.test', 0, 'a.test', -1, 1, -1), ('carl@c.test', 2, 'c.test', 3, 2, -1),
            ('cleo@c.test', -1, 'c.test', 3, 2, -1), ('dora@d.test', -1, 'd.test', -1, 3, 1),
            ('emil@e.test', -1, 'e.test', -1, 3, 1);
    """)
    database.executemany(
        "INSERT INTO svc_mail_alias VALUES ('all@a.test', ?)", [(f"m{n}@a.test",) for n in range(MAX_ADDRESSES + 1)]
    )
    database.commit()
    database.close()
    return path


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("anna@a.test", {"anna@a.test"}),
        ("ANNA@A.test", {"anna@a.test"}),
        ("anna+news@a.test", {"anna@a.test"}),
        ("info+news@a.test", {"anna@a.test"}),
        ("team@a.test", {"anna@a.test", "bob@a.test"}),
        ("nobody@a.test", {"bob@a.test"}),
        ("away@a.test", set()),
        ("nobody@b.test", set()),
        ("all@a.test", set()),
        ("free@a.test", set()),
        ("some@a.test", set()),
        ("one@a.test", set()),
    ],
)
def test_a_recipient_is_followed_to_mailboxes_that_may_all_be_full(
    panel: Path, recipient: str, expected: set[str]
) -> None:
    assert bounded_mailboxes(SQLiteLookups(panel), recipient) == expected


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(panel: Path, tmp_path: Path, clock: Clock) -> OutgoingLimit:
    return OutgoingLimit(SQLiteLookups(panel), SQLiteCounters(tmp_path / "counters.sqlite3"), clock)


def test_the_limit_is_a_sliding_hour(limit: OutgoingLimit, clock: Clock) -> None:
    assert limit.refusal("anna@a.test") is None
    clock.now += 1800
    assert limit.refusal("anna@a.test") is None
    refusal = limit.refusal("anna@a.test")
    assert refusal
    assert refusal.startswith("450 4.7.1 anna@a.test may send 2 messages an hour")
    clock.now += 1801  # the first is an hour old, the second is not
    assert limit.refusal("anna@a.test") is None
    assert limit.refusal("anna@a.test")


def test_no_limit_no_row_and_a_limit_of_nothing(limit: OutgoingLimit) -> None:
    assert all(limit.refusal("bob@a.test") is None for _ in range(10))
    assert limit.refusal("unknown@a.test") is None
    assert limit.refusal("mute@a.test")


def test_the_accounts_of_a_site_and_the_sites_of_a_webspace_count_together(limit: OutgoingLimit, clock: Clock) -> None:
    assert [limit.refusal("carl@c.test") for _ in range(2)] == [None, None]
    assert "carl@c.test may send 2 messages" in (limit.refusal("carl@c.test") or "")
    assert limit.refusal("cleo@c.test") is None, "what was refused for an account counts for nobody"
    assert (limit.refusal("cleo@c.test") or "").startswith("450 4.7.1 c.test may send 3 messages an hour")
    assert limit.refusal("dora@d.test") is None
    assert "the webspace of e.test may send 1 messages" in (limit.refusal("emil@e.test") or "")
    clock.now += 3601
    assert limit.refusal("cleo@c.test") is None
    assert limit.refusal("emil@e.test") is None


def test_counts_survive_a_restart(panel: Path, tmp_path: Path, limit: OutgoingLimit, clock: Clock) -> None:
    for _ in range(2):
        limit.refusal("anna@a.test")
    again = OutgoingLimit(SQLiteLookups(panel), SQLiteCounters(tmp_path / "counters.sqlite3"), clock)
    assert again.refusal("anna@a.test")


def service(panel: Path, limit: OutgoingLimit, socket: Path) -> PolicyService:
    return PolicyService(SQLiteLookups(panel), limit, QuotaStatus(socket))


async def quota_server(path: Path, full: Callable[[str, int], bool]) -> asyncio.Server:
    """Answers as Dovecot's quota-status does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(EOFError):
            while text := await reader.readuntil(b"\n\n"):
                request = dict(line.split("=", 1) for line in text.decode().splitlines() if line)
                action = FULL if full(request["recipient"], int(request["size"])) else "DUNNO"
                writer.write(f"action={action}\n\n".encode())
        writer.close()

    return await asyncio.start_unix_server(serve, path=str(path))


@pytest.mark.parametrize(
    ("full", "recipient", "action"),
    [
        ({"anna@a.test"}, "anna@a.test", FULL),
        ({"anna@a.test"}, "info@a.test", FULL),
        ({"anna@a.test"}, "team@a.test", "DUNNO"),
        ({"anna@a.test", "bob@a.test"}, "team@a.test", FULL),
        ({"bob@a.test"}, "nobody@a.test", FULL),
        ({"anna@a.test"}, "bob@a.test", "DUNNO"),
    ],
)
def test_a_recipient_is_refused_only_when_every_mailbox_is_full(
    panel: Path, limit: OutgoingLimit, tmp_path: Path, full: set[str], recipient: str, action: str
) -> None:
    async def ask() -> str:
        server = await quota_server(tmp_path / "quota", lambda address, _: address in full)
        policy = service(panel, limit, tmp_path / "quota")
        answer = await policy.answer({"protocol_state": "RCPT", "recipient": recipient, "size": "1000"})
        policy.close()
        server.close()
        await asyncio.sleep(0.01)  # the server's side notices, and closes too
        return answer

    assert asyncio.run(ask()) == f"action={action}"


RCPT = {"protocol_state": "RCPT", "instance": "1.2"}
END = {"protocol_state": "END-OF-MESSAGE", "instance": "1.2", "size": "1000"}
MAILBOX = {"recipient": "bob@a.test", "policy_context": "mailbox"}


def to_mailboxes(count: int) -> list[dict[str, str]]:
    return [RCPT | MAILBOX | {"recipient": f"m{number}@a.test"} for number in range(count)]


def given_up(count: int) -> list[dict[str, str]]:
    return [RCPT | MAILBOX | {"instance": f"2.{number}"} for number in range(count)]


@pytest.mark.parametrize(
    ("requests", "action"),
    [
        ([RCPT | {"recipient": "info@a.test"}, END | {"recipient_count": "1"}], FULL),
        ([RCPT | MAILBOX, END | {"recipient_count": "1"}], FULL),
        ([RCPT | MAILBOX, RCPT | {"recipient": "info@a.test"}, END | {"recipient_count": "2"}], FULL),
        # Its size was declared, and asked about then.
        ([RCPT | MAILBOX | {"size": "900"}, END | {"recipient_count": "1"}], "DUNNO"),
        # Somebody has room: a mailbox without a quota, of which Postfix asks nothing, or that a recipient leads to.
        ([RCPT | MAILBOX, END | {"recipient_count": "2"}], "DUNNO"),
        ([RCPT | MAILBOX, RCPT | {"recipient": "some@a.test"}, END | {"recipient_count": "2"}], "DUNNO"),
        # The message after it.
        ([RCPT | MAILBOX, END | {"recipient_count": "1", "instance": "1.3"}], "DUNNO"),
        # What is remembered has a bound: for many mailboxes, and of messages that are given up before their end.
        ([RCPT | MAILBOX] * 1000 + [END | {"recipient_count": "1000"}], FULL),
        ([*to_mailboxes(MAX_ADDRESSES), END | {"recipient_count": str(MAX_ADDRESSES)}], FULL),
        ([*to_mailboxes(MAX_ADDRESSES + 1), END | {"recipient_count": str(MAX_ADDRESSES + 1)}], "DUNNO"),
        ([RCPT | MAILBOX, *given_up(MAX_MESSAGES - 1), END | {"recipient_count": "1"}], FULL),
        ([RCPT | MAILBOX, *given_up(MAX_MESSAGES), END | {"recipient_count": "1"}], "DUNNO"),
    ],
)
def test_a_message_without_a_declared_size_is_refused_when_it_is_there_and_nobody_has_room(
    panel: Path, limit: OutgoingLimit, tmp_path: Path, requests: list[dict[str, str]], action: str
) -> None:
    async def ask() -> list[str]:
        server = await quota_server(tmp_path / "quota", lambda _, size: size == 1000)
        policy = service(panel, limit, tmp_path / "quota")
        answers = [await policy.answer(request) for request in requests]
        policy.close()
        server.close()
        await asyncio.sleep(0.01)
        return answers

    *recipients, message = asyncio.run(ask())
    assert set(recipients) == {"action=DUNNO"}
    assert message == f"action={action}"


def test_what_cannot_be_found_out_passes(panel: Path, limit: OutgoingLimit, tmp_path: Path) -> None:
    rcpt = {"protocol_state": "RCPT", "recipient": "anna@a.test"}
    data = {"protocol_state": "DATA", "sasl_username": "anna@a.test"}
    without_dovecot = service(panel, limit, tmp_path / "nothing")
    assert asyncio.run(without_dovecot.answer(rcpt)) == "action=DUNNO"
    absent = SQLiteLookups(tmp_path / "absent.sqlite3")
    with pytest.raises(LookupFailed):
        absent.rows("target", "svc_mail_alias", "anna@a.test")
    counters = SQLiteCounters(tmp_path / "other.sqlite3")
    without_database = PolicyService(absent, OutgoingLimit(absent, counters), QuotaStatus(tmp_path / "nothing"))
    assert asyncio.run(without_database.answer(rcpt)) == "action=DUNNO"
    assert asyncio.run(without_database.answer(data)) == "action=DUNNO"


def test_it_knows_who_holds_which_session(panel: Path, limit: OutgoingLimit, tmp_path: Path) -> None:
    async def ask() -> str:
        policy = service(panel, limit, tmp_path / "nothing")
        peer = {"client_address": "127.0.0.1", "client_port": "40000"}
        await policy.answer({"protocol_state": "DATA", "sasl_username": "bob@a.test", **peer})
        await policy.answer({"protocol_state": "DATA", "sasl_username": "anna@a.test", **peer})
        await policy.answer({"protocol_state": "DATA", "sasl_username": "", **peer, "client_port": "40001"})
        return await policy.answer({"request": "innkeeper_sessions"})

    assert asyncio.run(ask()) == "127.0.0.1 40000 anna@a.test"


def test_a_session_that_names_itself_after_it_was_to_end_is_ended(
    panel: Path, limit: OutgoingLimit, tmp_path: Path
) -> None:
    async def ask() -> list[str]:
        policy = service(panel, limit, tmp_path / "nothing")
        peers = "127.0.0.1:40000 127.0.0.1:40001"
        await policy.answer({"request": "innkeeper_ended", "logins": "anna@a.test dora@a.test", "peers": peers})
        return [
            await policy.answer(
                {"protocol_state": "DATA", "sasl_username": login, "client_address": "127.0.0.1", "client_port": port}
            )
            for port, login in (
                ("40000", "bob@a.test"),  # somebody else's goes on
                ("40001", "anna@a.test"),
                ("40001", "anna@a.test"),  # a later connection from that port
                ("40002", "anna@a.test"),  # one that was opened since
            )
        ]

    passed = "action=DUNNO"
    assert asyncio.run(ask()) == [
        passed, "action=421 4.7.0 The access of this account has changed; log in again", passed, passed
    ]  # fmt: skip
