"""How many messages an account may send in an hour."""

from __future__ import annotations

import json
import os
import signal
import smtplib

import pytest

from services.mail_clients import wait_for
from services.private import Account, PrivateInstance, Site, xml


def limit(site: Site, name: str, value: object) -> None:
    site.update(name, xml("outgoing-messages-mbox-limit", value))


def test_over_the_limit_a_message_gets_a_temporary_error_that_says_why(site: Site, charlie: Account) -> None:
    alice, bob = site.account("alice"), site.account("bob")
    limit(site, "alice", 2)
    alice.submit(charlie.address, "one")
    alice.submit(charlie.address, "two")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        alice.submit(charlie.address, "three")
    assert 400 <= refused.value.smtp_code < 500
    assert b"2 messages an hour" in refused.value.smtp_error
    bob.submit(charlie.address, "from Bob")
    assert charlie.subjects() == ["one", "two", "from Bob"]
    limit(site, "alice", 3)
    alice.submit(charlie.address, "three at last")
    limit(site, "alice", -1)
    alice.submit(charlie.address, "four")
    assert charlie.subjects()[-2:] == ["three at last", "four"]


def test_the_accounts_of_a_site_share_the_limit_of_their_webspace_for_each_site(
    instance: PrivateInstance, charlie: Account
) -> None:
    site = instance.webspace(Site.fresh_name("limited"))
    alice, bob = site.account("alice"), site.account("bob")
    dora = instance.site(Site.fresh_name("beside"), site).account("dora")
    prefs = f"<prefs>{xml('outgoing-messages-domain-limit', 2)}</prefs>"
    instance.panel.result(
        f"<webspace><set><filter>{xml('id', site.id)}</filter><values>{prefs}</values></set></webspace>"
    )
    alice.submit(charlie.address, "one")
    bob.submit(charlie.address, "two")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        alice.submit(charlie.address, "three")
    assert refused.value.smtp_code == 450
    assert f"{site.name} may send 2 messages an hour".encode() in refused.value.smtp_error
    dora.submit(charlie.address, "another site")
    assert charlie.subjects() == ["one", "two", "another site"]


def test_a_limit_of_zero_lets_nothing_out(site: Site, charlie: Account) -> None:
    alice = site.account("alice")
    limit(site, "alice", 0)
    with pytest.raises(smtplib.SMTPDataError):
        alice.submit(charlie.address, "nothing")


def test_the_same_limit_counts_for_every_sender_address_of_the_account(site: Site, charlie: Account) -> None:
    alice = site.account("alice", "<alias>sales</alias>")
    limit(site, "alice", 1)
    alice.submit(charlie.address, "one", site.address("sales"))
    with pytest.raises(smtplib.SMTPDataError):
        alice.submit(charlie.address, "two", alice.address)


def test_the_counters_lie_outside_the_panels_tables(instance: PrivateInstance, site: Site, charlie: Account) -> None:
    alice = site.account("alice")
    limit(site, "alice", 5)
    alice.submit(charlie.address)
    if instance.database_url:
        ((counted,),) = instance.sql(f"SELECT count(*) FROM innkeeper_policy.sent WHERE login = '{alice.address}'")
        assert counted == 1
    else:
        tables = {row[0] for row in instance.sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert "sent" not in tables


def test_mail_is_accepted_while_the_policy_service_is_away(site: Site, charlie: Account) -> None:
    alice = site.account("alice")
    limit(site, "alice", 0)
    instance = site.instance
    stopped = instance.pids_of("postfix_dovecot.policy")
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)  # alive and deaf: the worse case
    try:
        alice.submit(charlie.address, "Deaf")
        instance.send("bob@peer.invalid", alice.address, "Inbound")
        health = json.loads(instance.command("health", "--json", check=False).stdout)
        assert not health["ok"]
        (entry,) = [entry for entry in health["entries"] if not entry["ok"]]
        assert entry["name"] == "policy"
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert charlie.subjects() == ["Deaf"]
    assert alice.subjects() == ["Inbound"]
    assert json.loads(instance.command("health", "--json").stdout)["ok"]

    def limited() -> bool:
        try:
            alice.submit(charlie.address, "Late")
        except smtplib.SMTPDataError:
            return True
        return False

    wait_for("the limit counts again", limited)
