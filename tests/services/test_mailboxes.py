"""A mail account's mailbox: on and off, its password, its quota, its protocols."""

from __future__ import annotations

import smtplib
import subprocess

import pytest

from services import mail_clients
from services.mail_clients import Sieve, compose, refusal, wait_for
from services.packets import PacketRefused
from services.private import Account, PrivateInstance, Site, xml

MEGABYTE = 1024 * 1024
BOX_OFF = "<mailbox><enabled>false</enabled></mailbox>"
BOX_ON = "<mailbox><enabled>true</enabled></mailbox>"


def test_a_new_account_takes_mail_and_its_owner_reads_it_by_imap_and_pop3(site: Site) -> None:
    alice = site.account("alice")
    site.instance.send("bob@peer.invalid", alice.address, "Good morning", "Coffee?\n")
    (message,) = alice.inbox()
    assert message["Subject"] == "Good morning"
    assert message.get_content().strip() == "Coffee?"
    pop3 = mail_clients.pop3(site.instance.ports["pop3"], alice.address, alice.password)
    assert pop3.stat()[0] == 1
    assert b"Subject: Good morning" in pop3.retr(1)[1]
    pop3.quit()


def test_addresses_are_compared_without_case(site: Site) -> None:
    alice = site.account("Alice")
    site.instance.send("bob@peer.invalid", f"ALICE@{site.name.upper()}", "Loud")
    assert Account(site, "aLiCe").subjects() == ["Loud"]
    assert alice.logs_in()


def test_a_mailbox_that_is_switched_off_takes_no_mail_and_no_log_in_and_keeps_what_it_holds(site: Site) -> None:
    alice = site.account("alice")
    site.instance.send("bob@peer.invalid", alice.address, "Kept")
    site.update("alice", BOX_OFF)
    assert refusal(site.instance.ports["smtp"], alice.address)[0] == 550
    assert not alice.logs_in()
    site.update("alice", BOX_ON)
    assert site.instance.takes(alice.address)
    assert alice.subjects() == ["Kept"]


def test_an_account_that_never_had_a_mailbox_is_unknown_to_smtp(site: Site) -> None:
    site.account("ghost", mailbox="")
    assert refusal(site.instance.ports["smtp"], site.address("ghost"))[0] == 550


def test_an_account_without_a_password_takes_mail_but_no_log_in(site: Site) -> None:
    alice = site.account("alice", password=None)
    assert site.instance.takes(alice.address)
    assert not alice.logs_in("")
    assert not alice.logs_in("anything-At-All-1")


def test_a_new_password_counts_at_once_and_the_old_one_no_longer(site: Site) -> None:
    alice = site.account("alice")
    site.update("alice", "<password><value>New-4-Paper-Moon</value></password>")
    assert not alice.logs_in()
    assert alice.logs_in("New-4-Paper-Moon")


@pytest.mark.parametrize(
    "scheme",
    ["BLF-CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "ARGON2ID", "PBKDF2", "SSHA512", "SCRAM-SHA-256", "MD5-CRYPT"],
)
def test_a_password_that_is_hashed_already_logs_in(site: Site, scheme: str) -> None:
    password = "Brought-along-7"
    hashed = subprocess.run(
        ["doveadm", "-c", str(site.instance.state / "etc/dovecot/dovecot.conf"), "pw", "-s", scheme, "-p", password],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    site.account("alice", password=None)
    site.update("alice", f"<password>{xml('value', hashed)}<type>crypt</type></password>")
    assert Account(site, "alice").logs_in(password)
    assert not Account(site, "alice").logs_in(password + "x")


def test_a_plain_crypt_hash_of_another_server_logs_in(site: Site) -> None:
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input="From-the-old-host-5", capture_output=True, text=True, check=True
    ).stdout.strip()
    site.account("alice", password=None)
    site.update("alice", f"<password>{xml('value', hashed)}<type>crypt</type></password>")
    assert Account(site, "alice").logs_in("From-the-old-host-5")


def test_a_hash_of_an_unknown_scheme_is_refused(site: Site) -> None:
    site.account("alice")
    with pytest.raises(PacketRefused) as refused:
        site.update("alice", "<password><value>{ROT13}frperg</value><type>crypt</type></password>")
    assert refused.value.code == 1019
    assert Account(site, "alice").logs_in()


def test_a_password_with_every_kind_of_character_logs_in(site: Site) -> None:
    password = "P\"ü ' \\ & < > $% {x} é 9"
    alice = site.account("alice", password=None)
    site.update("alice", f"<password>{xml('value', password)}</password>")
    assert mail_clients.authenticates(site.instance.ports["submission"], alice.address, password)
    assert not mail_clients.authenticates(site.instance.ports["submission"], alice.address, password + "x")


def fill(site: Site, recipient: str, megabytes: int = 1) -> None:
    """Put a message of that size into a mailbox."""
    text = ("x" * 75 + "\n") * (megabytes * MEGABYTE // 76)
    site.instance.send("bob@peer.invalid", recipient, "Large", text)


def test_the_quota_is_enforced_while_the_sender_is_there_and_shown_by_imap(site: Site) -> None:
    alice = site.account("alice", quota=2 * MEGABYTE)
    assert mail_clients.quota_bytes(site.instance.ports["imap"], alice.address, alice.password) == 2 * MEGABYTE
    fill(site, alice.address)
    code, text = refusal(site.instance.ports["smtp"], alice.address, size=int(1.5 * MEGABYTE))
    assert code == 552, text
    assert "full" in text
    assert refusal(site.instance.ports["smtp"], alice.address, size=1000)[0] == 250
    site.update("alice", "<mailbox><quota>-1</quota></mailbox>")
    assert refusal(site.instance.ports["smtp"], alice.address, size=int(1.5 * MEGABYTE))[0] == 250
    assert not mail_clients.quota_bytes(site.instance.ports["imap"], alice.address, alice.password)


def test_a_full_mailbox_refuses_also_mail_that_comes_by_alias_group_redirect_or_catch_all(site: Site) -> None:
    alice = site.account("alice", "<alias>al</alias>", quota=MEGABYTE)
    site.old_create(
        xml("name", "team") + f"<mailgroup><enabled>true</enabled>{xml('address', alice.address)}</mailgroup>"
    )
    site.old_create(xml("name", "fwd") + f"<redirect><enabled>true</enabled>{xml('address', alice.address)}</redirect>")
    site.prefs(f"<nonexistent-user>{xml('forward', alice.address)}</nonexistent-user>")
    ways = ["alice", "al", "team", "fwd", "nobody-in-particular", "alice+tag"]
    for way in ways:
        assert refusal(site.instance.ports["smtp"], site.address(way))[0] == 250, way
    fill(site, alice.address)
    for way in ways:
        code, text = refusal(site.instance.ports["smtp"], site.address(way), size=100_000)
        assert code == 552, (way, code, text)


def test_a_group_with_one_full_member_still_reaches_the_other(site: Site) -> None:
    alice, bob = site.account("alice", quota=MEGABYTE), site.account("bob")
    members = xml("address", alice.address) + xml("address", bob.address)
    site.old_create(xml("name", "team") + f"<mailgroup><enabled>true</enabled>{members}</mailgroup>")
    fill(site, alice.address)
    site.instance.send("carol@peer.invalid", site.address("team"), "To both", "x" * 70 + "\n")
    wait_for("bob has it", lambda: "To both" in bob.subjects())


def test_a_message_that_came_without_a_declared_size_is_refused_when_it_is_there(site: Site) -> None:
    alice, bob, carol = (
        site.account(name, f"<alias>other-{name}</alias>", quota=2 * MEGABYTE) for name in ("alice", "bob", "carol")
    )
    fill(site, alice.address)
    fill(site, bob.address)
    message = compose("dan@peer.invalid", alice.address, "Too much", ("y" * 75 + "\n") * 20_000).as_bytes()
    with smtplib.SMTP("127.0.0.1", site.instance.ports["smtp"], local_hostname="peer.invalid", timeout=30) as peer:
        peer.helo()  # no ESMTP: no SIZE
        for recipients in ([alice.address], [site.address("other-alice")], [alice.address, bob.address]):
            with pytest.raises(smtplib.SMTPDataError, match="full") as refused:
                peer.sendmail("dan@peer.invalid", recipients, message)
            assert refused.value.smtp_code == 552
        assert not peer.sendmail("dan@peer.invalid", [alice.address, carol.address], message)
        assert not peer.sendmail("dan@peer.invalid", alice.address, b"Subject: Small\r\n\r\nSmall.\r\n")
    wait_for("carol has it", lambda: carol.subjects() == ["Too much"])
    assert alice.subjects() == ["Large", "Small"]


def test_the_owners_own_sieve_script_is_uploaded_and_acts(site: Site) -> None:
    alice = site.account("alice")
    client = Sieve(site.instance.ports["sieve"], alice.address, alice.password)
    client.activate("own", 'require "fileinto"; if header :contains "Subject" "bulk" { fileinto "Junk"; }')
    client.close()
    site.instance.send("bob@peer.invalid", alice.address, "in bulk")
    site.instance.send("bob@peer.invalid", alice.address, "single")
    assert alice.subjects() == ["single"]
    (junk,) = mail_clients.messages(site.instance.ports["imap"], alice.address, alice.password, "Junk")
    assert junk["Subject"] == "in bulk"


def test_submission_offers_no_log_in_without_tls(instance: PrivateInstance) -> None:
    with smtplib.SMTP("127.0.0.1", instance.ports["submission"], timeout=30) as session:
        session.ehlo()
        assert not session.has_extn("auth")
        assert session.docmd("MAIL FROM:<a@b.invalid>")[0] == 530
