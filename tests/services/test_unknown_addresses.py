"""What happens to mail for addresses that do not exist, and a site's mail service as a whole."""

from __future__ import annotations

import smtplib

import pytest

from services.mail_clients import compose, refusal, submission
from services.packets import PacketRefused
from services.private import Account, Site, xml


def unknown(action: str) -> str:
    return f"<nonexistent-user>{action}</nonexistent-user>"


def test_a_new_site_refuses_unknown_addresses_while_the_sender_is_there(site: Site) -> None:
    code, text = refusal(site.instance.ports["smtp"], site.address("nobody"))
    assert code == 550, text


def test_nobody_learns_of_addresses_but_by_sending(site: Site) -> None:
    alice = site.account("alice")
    with smtplib.SMTP("127.0.0.1", site.instance.ports["smtp"], timeout=30) as session:
        assert session.verify(alice.address)[0] == session.verify(site.address("nobody"))[0] == 502


def test_bounce_takes_the_message_and_returns_it_with_the_sites_text(site: Site, charlie: Account) -> None:
    site.prefs(unknown(xml("bounce", "Zieht um ins Haus „Möwe“; ask 100% at the desk")))
    site.instance.send(charlie.address, site.address("nobody"), "Where are you?")
    (bounce,) = charlie.inbox()
    text = " ".join(next(bounce.iter_parts()).get_content().split())
    assert "Zieht um ins Haus „Möwe“; ask 100% at the desk" in text
    assert site.address("nobody") in text


def test_a_bounce_is_never_sent_to_an_empty_sender(site: Site, charlie: Account) -> None:
    site.prefs(unknown(xml("bounce", "Gone")))
    before = site.instance.log().count("from=<>")
    code, _ = refusal(site.instance.ports["smtp"], site.address("nobody"), sender="")
    if code == 250:
        message = compose("MAILER-DAEMON@peer.invalid", site.address("nobody"), "Undelivered")
        site.instance.send_message("", site.address("nobody"), message)
        assert site.instance.log().count("from=<>") == before + 1  # the message itself, and no bounce of it
    assert charlie.inbox() == []


def test_at_submission_an_unknown_address_is_refused_and_never_bounced(site: Site, charlie: Account) -> None:
    site.prefs(unknown(xml("bounce", "Gone")))
    alice = site.account("alice")
    for account in (alice, charlie):
        with submission(site.instance.ports["submission"], account.address, account.password) as session:
            session.mail(account.address)
            assert session.rcpt(site.address("nobody"))[0] == 550
            assert session.rcpt(site.address("alice"))[0] == 250


def test_known_addresses_of_a_site_that_bounces_are_not_touched(site: Site, charlie: Account) -> None:
    site.prefs(unknown(xml("bounce", "Gone")))
    alice = site.account("alice", "<alias>sales</alias>")
    for name in ("alice", "sales", "alice+tag"):
        site.instance.send(charlie.address, site.address(name), name)
    assert alice.subjects() == ["alice", "sales", "alice+tag"]
    assert charlie.inbox() == []


def test_forward_delivers_unknown_addresses_and_only_those(site: Site, charlie: Account) -> None:
    alice = site.account("alice", "<alias>sales</alias>")
    site.account(
        "bob", f"<forwarding><enabled>true</enabled>{xml('address', charlie.address)}</forwarding>", mailbox=""
    )
    collector = site.account("rest")
    site.prefs(unknown(xml("forward", collector.address)))
    for name in ("alice", "sales", "bob", "nobody", "any.one"):
        site.instance.send("dora@peer.invalid", site.address(name), name)
    assert alice.subjects() == ["alice", "sales"]
    assert charlie.subjects() == ["bob"]
    assert collector.subjects() == ["nobody", "any.one"]


def test_forward_can_lead_to_another_site(site: Site, charlie: Account) -> None:
    site.prefs(unknown(xml("forward", charlie.address)))
    site.instance.send("dora@peer.invalid", site.address("nobody"), "Over there")
    assert charlie.subjects() == ["Over there"]
    site.prefs(unknown("<reject/>"))
    assert not site.instance.takes(site.address("nobody"))


def test_forward_to_something_that_is_no_address_is_refused(site: Site) -> None:
    with pytest.raises(PacketRefused) as refused:
        site.prefs(unknown(xml("forward", "not an address")))
    assert refused.value.code == 1019


@pytest.mark.parametrize("action", ["<reject/>", "<bounce>Gone</bounce>", "<forward>FORWARD</forward>"])
def test_mail_service_off_takes_no_mail_and_no_log_in_and_on_brings_everything_back(
    site: Site, charlie: Account, action: str
) -> None:
    alice = site.account("alice", "<alias>sales</alias>")
    site.prefs(unknown(action.replace("FORWARD", charlie.address)))
    site.instance.send("dora@peer.invalid", alice.address, "Before")
    site.service(on=False)
    for name in ("alice", "sales", "nobody"):
        assert not site.instance.takes(site.address(name)), name
    assert not alice.logs_in()
    with pytest.raises(smtplib.SMTPAuthenticationError):
        alice.submit(charlie.address)
    site.service(on=True)
    assert alice.subjects() == ["Before"]
    assert refusal(site.instance.ports["smtp"], site.address("sales"))[0] == 250
    assert site.instance.takes(site.address("nobody")) is (action != "<reject/>")


def test_a_session_from_outside_meets_each_change_of_a_site(site: Site) -> None:
    site.account("alice", "<alias>sales</alias>")
    with smtplib.SMTP("127.0.0.1", site.instance.ports["smtp"], timeout=30) as session:
        session.ehlo()
        for on in (True, False, True):
            site.service(on=on)
            for name, taken in (("alice", on), ("sales", on), ("nobody", False)):
                session.mail("dora@peer.invalid")
                assert (session.rcpt(site.address(name))[0] == 250) is taken, (on, name)
                session.rset()


def test_an_account_can_be_made_and_changed_while_the_service_is_off(site: Site) -> None:
    site.prefs("<mailservice>false</mailservice>")
    alice = site.account("alice")
    site.update("alice", "<alias>sales</alias>")
    assert not site.instance.takes(alice.address)
    site.prefs("<mailservice>true</mailservice>")
    assert site.instance.takes(site.address("sales"))
