"""Renaming, removing, restoring, and the sessions that are open meanwhile."""

from __future__ import annotations

import contextlib
import imaplib
import poplib
import smtplib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from services import mail_clients
from services.mail_clients import compose
from services.private import Account, Site, xml

ENDED_WITHIN_S = 1.0
EVERY = {"imap", "pop3", "sieve", "submission"}


def storage(site: Site, name: str) -> Path:
    """Where an account's mail lies."""
    ((key,),) = site.instance.sql(
        "SELECT a.storage FROM mail_mailaccount a JOIN mail_mailname n ON n.account_id = a.id"
        f" WHERE n.address = '{site.address(name)}'"
    )
    return site.instance.state / "mail" / key[:2] / key


def files(folder: Path) -> set[int]:
    """The message files below a folder, by inode."""
    return {p.stat().st_ino for box in ("new", "cur") for p in folder.glob(f"**/{box}/*")}


def test_renaming_moves_no_file_and_takes_everything_along(site: Site, charlie: Account) -> None:
    alice = site.account("alice", "<alias>sales</alias>")
    site.instance.send("bob@peer.invalid", alice.address, "Before")
    alice.inbox()
    place, before = storage(site, "alice"), files(storage(site, "alice"))
    assert before
    site.rename("alice", "carol")
    carol = Account(site, "carol")
    assert storage(site, "carol") == place
    assert files(place) == before
    assert carol.subjects() == ["Before"]
    assert not alice.logs_in()
    assert not site.instance.takes(alice.address)
    site.instance.send("bob@peer.invalid", site.address("sales"), "By alias")
    site.instance.send("bob@peer.invalid", carol.address, "After")
    assert carol.subjects() == ["Before", "By alias", "After"]


def test_a_new_account_of_a_removed_name_starts_empty(site: Site) -> None:
    alice = site.account("alice")
    site.instance.send("bob@peer.invalid", alice.address, "For the first Alice")
    old = storage(site, "alice")
    site.remove("alice")
    assert not site.instance.takes(alice.address)
    assert not alice.logs_in()
    site.account("alice")
    assert alice.inbox() == []
    assert storage(site, "alice") != old
    assert old.is_dir(), "the grave keeps the mail until it is due"


def test_a_new_account_of_a_name_that_was_renamed_away_starts_empty(site: Site) -> None:
    site.account("alice")
    site.instance.send("bob@peer.invalid", site.address("alice"), "For the first Alice")
    site.rename("alice", "carol")
    assert site.account("alice").inbox() == []
    assert Account(site, "carol").subjects() == ["For the first Alice"]


def test_a_removed_account_comes_back_by_a_command_with_mail_and_settings(site: Site) -> None:
    alice = site.account("alice", "<alias>sales</alias>", quota=10 * 1024 * 1024)
    site.instance.send("bob@peer.invalid", alice.address, "Kept")
    site.remove("alice")
    site.instance.command("mail", "restore", alice.address)
    assert alice.subjects() == ["Kept"]
    assert site.instance.takes(site.address("sales"))
    assert mail_clients.quota_bytes(alice.ports["imap"], alice.address, alice.password) == 10 * 1024 * 1024


def test_a_grave_that_is_due_is_emptied_and_no_other(site: Site) -> None:
    for name in ("alice", "bob"):
        site.account(name)
        site.instance.send("carol@peer.invalid", site.address(name), "Hello")
    places = {name: storage(site, name) for name in ("alice", "bob")}
    site.remove("alice")
    site.remove("bob")
    site.instance.sql(f"UPDATE mail_grave SET due_at = buried_at WHERE storage = '{places['alice'].name}'")
    site.instance.run_job("graves")
    assert not places["alice"].exists()
    assert places["bob"].is_dir()
    assert not site.instance.sql(f"SELECT 1 FROM mail_grave WHERE storage = '{places['alice'].name}'")


class Sessions:
    """A session of each protocol, of one account, open at the same time."""

    def __init__(self, account: Account) -> None:
        ports = account.ports
        self.imap = mail_clients.imap(ports["imap"], account.address, account.password)
        self.imap.select("INBOX")
        self.pop3 = mail_clients.pop3(ports["pop3"], account.address, account.password)
        self.sieve = mail_clients.Sieve(ports["sieve"], account.address, account.password)
        self.submission = mail_clients.submission(ports["submission"], account.address, account.password)
        self.submission.mail(account.address)
        self.submission.rcpt(account.address)

    def open(self) -> set[str]:
        """Which of them still answer."""
        found = set()
        try:
            self.imap.noop()
            found.add("imap")
        except (imaplib.IMAP4.error, OSError):
            pass
        try:
            self.pop3.noop()
            found.add("pop3")
        except (poplib.error_proto, OSError):
            pass
        with contextlib.suppress(AssertionError, OSError):
            self.sieve.command("NOOP")
            found.add("sieve")
        try:
            if self.submission.noop()[0] == 250:
                found.add("submission")
        except (smtplib.SMTPException, OSError):
            pass
        return found

    def close(self) -> None:
        for end in (self.imap.shutdown, self.pop3.close, self.sieve.hang_up, self.submission.close):
            with contextlib.suppress(OSError):
                end()


CHANGES: dict[str, Callable[[Site], None]] = {
    "password": lambda site: site.update("alice", "<password><value>Other-8-Paper-Sun</value></password>"),
    "mailbox off": lambda site: site.update("alice", "<mailbox><enabled>false</enabled></mailbox>"),
    "rename": lambda site: site.rename("alice", "carol"),
    "remove": lambda site: site.remove("alice"),
    "service off": lambda site: site.service(on=False),
    "suspended": lambda site: site.set_status("site", 16),
}


@pytest.mark.parametrize("change", CHANGES)
def test_open_sessions_end_within_a_second(site: Site, change: str) -> None:
    alice, bob = site.account("alice"), site.account("bob")
    hers, his = Sessions(alice), Sessions(bob)
    try:
        assert hers.open() == his.open() == EVERY
        CHANGES[change](site)
        changed = time.monotonic()
        while still := hers.open():
            assert time.monotonic() - changed < ENDED_WITHIN_S, still
            time.sleep(0.02)
        if change not in ("service off", "suspended"):
            assert his.open() == EVERY
    finally:
        hers.close()
        his.close()


def test_a_session_that_has_not_said_whose_it_is_sends_nothing_any_more_and_others_go_on(
    site: Site, charlie: Account
) -> None:
    alice, bob = site.account("alice"), site.account("bob")
    port = alice.ports["submission"]
    with contextlib.ExitStack() as stack:
        hers, his = (stack.enter_context(mail_clients.submission(port, a.address, a.password)) for a in (alice, bob))
        site.update("alice", "<password><value>Other-8-Paper-Sun</value></password>")
        time.sleep(2 * ENDED_WITHIN_S)
        his.sendmail(bob.address, charlie.address, compose(bob.address, charlie.address, "From Bob").as_bytes())
        with pytest.raises((smtplib.SMTPException, OSError)):
            hers.sendmail(alice.address, charlie.address, compose(alice.address, charlie.address).as_bytes())
    site.instance.settle()
    assert charlie.subjects() == ["From Bob"]
    Account(site, "alice", "Other-8-Paper-Sun").submit(charlie.address, "With the new password")
    assert charlie.subjects() == ["From Bob", "With the new password"]


def test_a_removed_site_takes_its_mail_along(site: Site) -> None:
    alice = site.account("alice")
    site.instance.panel.result(f"<site><del><filter>{xml('id', site.id)}</filter></del></site>")
    assert not site.instance.takes(alice.address)
    assert not alice.logs_in()
