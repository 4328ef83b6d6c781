"""Aliases, redirects, groups, tags, international domains, and who may send as whom."""

from __future__ import annotations

import imaplib
import smtplib

import pytest

from services import mail_clients
from services.mail_clients import refusal, wait_for
from services.packets import PacketRefused, unverified
from services.private import PASSWORD, Account, PrivateInstance, Site, xml


def forwarding(*addresses: str, enabled: str = "true") -> str:
    """The new dialect's forwarding."""
    return f"<forwarding>{xml('enabled', enabled)}{''.join(xml('address', a) for a in addresses)}</forwarding>"


def redirect(address: str) -> str:
    return f"<redirect><enabled>true</enabled>{xml('address', address)}</redirect>"


def group(*addresses: str) -> str:
    return f"<mailgroup><enabled>true</enabled>{''.join(xml('address', a) for a in addresses)}</mailgroup>"


def test_an_alias_leads_to_its_account_and_is_gone_when_taken_away(site: Site) -> None:
    alice = site.account("alice", "<alias>sales</alias><alias>orders</alias>")
    site.instance.send("bob@peer.invalid", site.address("sales"), "To sales")
    site.instance.send("bob@peer.invalid", site.address("ORDERS"), "To orders")
    assert alice.subjects() == ["To sales", "To orders"]
    site.update("alice", "<alias>sales</alias>", "remove")
    assert refusal(site.instance.ports["smtp"], site.address("sales"))[0] == 550
    assert site.instance.takes(site.address("orders"))


def test_a_name_can_be_an_account_or_an_alias_but_not_both(site: Site) -> None:
    site.account("alice", "<alias>sales</alias>")
    with pytest.raises(PacketRefused) as refused:
        site.account("sales")
    assert refused.value.code == 1007


def test_a_redirect_keeps_a_copy_only_beside_a_mailbox(site: Site, charlie: Account) -> None:
    alice = site.account("alice", forwarding(charlie.address))
    site.account("bob", forwarding(charlie.address), mailbox="")
    site.instance.send("dora@peer.invalid", alice.address, "With copy")
    site.instance.send("dora@peer.invalid", site.address("bob"), "Without copy")
    assert charlie.subjects() == ["With copy", "Without copy"]
    assert alice.subjects() == ["With copy"]
    assert not Account(site, "bob").logs_in()


def test_a_redirect_that_is_switched_off_passes_nothing_on_and_keeps_its_addresses(
    site: Site, charlie: Account
) -> None:
    alice = site.account("alice", forwarding(charlie.address))
    site.update("alice", "<forwarding><enabled>false</enabled></forwarding>")
    site.instance.send("dora@peer.invalid", alice.address, "Only here")
    assert charlie.subjects() == []
    site.update("alice", "<forwarding><enabled>true</enabled></forwarding>")
    site.instance.send("dora@peer.invalid", alice.address, "Both again")
    assert charlie.subjects() == ["Both again"]
    assert alice.subjects() == ["Only here", "Both again"]


def test_a_ring_of_redirects_is_refused_when_saved_and_the_error_names_it(site: Site) -> None:
    site.account("alice", forwarding(site.address("bob")), mailbox="")
    site.account("bob", forwarding(site.address("carol")), mailbox="")
    with pytest.raises(PacketRefused) as refused:
        site.account("carol", forwarding(site.address("alice")), mailbox="")
    assert refused.value.code == 1019
    for name in ("alice", "bob", "carol"):
        assert site.address(name) in refused.value.text
    site.account("carol")
    with pytest.raises(PacketRefused):
        site.update("carol", forwarding(site.address("alice")))
    site.instance.send("dora@peer.invalid", site.address("alice"), "Once")
    assert Account(site, "carol").subjects() == ["Once"]


def test_a_ring_through_groups_and_aliases_and_two_sites_is_refused(site: Site, charlie: Account) -> None:
    site.old_create(xml("name", "team") + xml("alias", "crew") + group(charlie.address))
    with pytest.raises(PacketRefused) as refused:
        charlie.site.update("charlie", forwarding(site.address("crew")))
    assert refused.value.code == 1019
    assert site.address("team") in refused.value.text or site.address("crew") in refused.value.text


def test_a_group_reaches_every_member_and_nested_groups_theirs_once(site: Site, charlie: Account) -> None:
    alice, bob = site.account("alice"), site.account("bob")
    site.old_create(xml("name", "inner") + group(alice.address, bob.address))
    site.old_create(xml("name", "outer") + group(site.address("inner"), charlie.address, alice.address))
    site.instance.send("dora@peer.invalid", site.address("outer"), "To all")
    for account in (alice, bob, charlie):
        assert account.subjects() == ["To all"]


def test_a_group_with_a_mailbox_keeps_a_copy(site: Site) -> None:
    alice, team = site.account("alice"), site.account("team")
    site.old_update("team", group(alice.address))
    site.instance.send("dora@peer.invalid", team.address, "To the team")
    assert alice.subjects() == team.subjects() == ["To the team"]


def test_an_account_joins_a_group_by_naming_it(site: Site) -> None:
    site.old_create(xml("name", "team") + group(site.address("dummy")))
    alice = site.account("alice")
    site.old_update("alice", xml("group", "team"))
    site.instance.send("dora@peer.invalid", site.address("team"), "Joined")
    assert "Joined" in alice.subjects()


def test_mail_to_an_address_with_a_tag_reaches_the_account(site: Site) -> None:
    alice = site.account("alice", "<alias>sales</alias>")
    site.instance.send("dora@peer.invalid", site.address("alice+shop"), "Tagged")
    site.instance.send("dora@peer.invalid", site.address("sales+shop"), "Tagged alias")
    assert alice.subjects() == ["Tagged", "Tagged alias"]


@pytest.mark.parametrize("place", ["name", "alias"])
def test_a_plus_in_a_name_is_refused_with_the_reason(site: Site, place: str) -> None:
    with pytest.raises(PacketRefused) as refused:
        if place == "name":
            site.account("alice+shop")
        else:
            site.account("alice", "<alias>alice+shop</alias>")
    assert refused.value.code == 1019
    assert "+" in refused.value.text
    assert "tag" in refused.value.text


def test_a_sender_address_that_is_not_ones_own_is_refused_at_submission(site: Site) -> None:
    alice, bob = site.account("alice", "<alias>sales</alias>"), site.account("bob")
    site.old_create(xml("name", "team") + group(alice.address))
    for sender in (bob.address, site.address("nobody"), "alice@elsewhere.invalid", site.address("team")):
        with pytest.raises((smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused)) as refused:
            alice.submit(bob.address, "Forged", sender)
        assert "553" in str(refused.value)
    assert bob.subjects() == []


def test_ones_own_address_alias_and_tag_are_allowed_as_sender(site: Site) -> None:
    alice, bob = site.account("alice", "<alias>sales</alias>"), site.account("bob")
    for sender in (alice.address, site.address("sales"), site.address("alice+shop")):
        alice.submit(bob.address, f"From {sender}", sender)
    assert len(bob.subjects()) == 3


def test_submission_without_a_log_in_relays_for_nobody(instance: PrivateInstance, charlie: Account) -> None:
    with smtplib.SMTP("127.0.0.1", instance.ports["submission"], timeout=30) as session:
        session.starttls(context=mail_clients.unverified())
        session.ehlo()
        session.mail("someone@peer.invalid")
        assert session.rcpt(charlie.address)[0] >= 500


def test_port_25_does_not_relay(instance: PrivateInstance, site: Site) -> None:
    site.account("alice")
    for recipient in (
        "someone@other.invalid", f"@{site.name}:someone@other.invalid", f"someone@other.invalid@{site.name}",
        f"someone%other.invalid@{site.name}", f"other.invalid!someone@{site.name}", "someone%other.invalid",
        f'"someone@other.invalid"@{site.name}', f"someone@sub.{site.name}", "someone@[192.0.2.1]", "someone@127.0.0.1",
        f"alice@{site.name}@other.invalid", f"alice@{site.name}.other.invalid",
    ):  # fmt: skip
        code, text = refusal(instance.ports["smtp"], recipient)
        assert 500 <= code < 600, (recipient, code, text)


def test_a_catch_all_takes_addresses_that_name_another_server_and_sends_none_there(site: Site) -> None:
    alice = site.account("alice")
    site.prefs(f"<nonexistent-user><forward>{alice.address}</forward></nonexistent-user>")
    taken = []
    for recipient in (f"someone%other.invalid@{site.name}", f'"someone@other.invalid"@{site.name}'):
        if site.instance.takes(recipient):
            taken.append(recipient)
            site.instance.send("someone@peer.invalid", recipient, recipient)
    assert alice.subjects() == taken
    deliveries = [line for line in site.instance.log().splitlines() if "status=" in line]
    assert not [line for line in deliveries if "to=<someone@other.invalid>" in line]


def test_a_site_with_an_international_name_has_mail_under_its_ascii_name(instance: PrivateInstance, home: Site) -> None:
    unicode_name = Site.fresh_name("bäckerei")
    ascii_name = unicode_name.encode("idna").decode()
    made = instance.site(unicode_name, home)
    site = Site(instance, made.id, ascii_name)
    alice = site.account("alice", "<alias>sales</alias>")
    instance.send("dora@peer.invalid", alice.address, "Grüße")
    instance.send("dora@peer.invalid", site.address("sales"), "To sales")
    assert alice.subjects() == ["Grüße", "To sales"]
    alice.submit(alice.address, "From myself")
    wait_for("it came", lambda: "From myself" in alice.subjects())


def test_mail_programs_log_in_with_an_international_domain_as_it_is_written(
    instance: PrivateInstance, home: Site
) -> None:
    unicode_name = Site.fresh_name("größe")
    made = instance.site(unicode_name, home)
    alice = Site(instance, made.id, unicode_name.encode("idna").decode()).account("alice")
    port = instance.ports["submission"]
    for name, right in (("Alice", True), ("alice' OR '1'='1", False)):
        assert mail_clients.authenticates(port, f"{name}@{unicode_name}", PASSWORD) is right, name
    assert not mail_clients.authenticates(port, f"alice@{unicode_name}", "wrong-Moon")
    session = imaplib.IMAP4("127.0.0.1", alice.ports["imap"], timeout=30)
    session.starttls(unverified())
    session.authenticate("PLAIN", lambda _challenge: f"\0alice@{unicode_name}\0{PASSWORD}".encode())
    # Everything else knows the session by the ASCII name, the end of it too.
    alice.site.remove("alice")
    wait_for("the session has ended", lambda: mail_clients.has_ended(session), 5)
    session.shutdown()


def test_a_redirect_to_an_international_domain_is_understood_as_written(instance: PrivateInstance, home: Site) -> None:
    unicode_name = Site.fresh_name("käse")
    made = instance.site(unicode_name, home)
    target = Site(instance, made.id, unicode_name.encode("idna").decode()).account("bob")
    source = instance.site(Site.fresh_name(), home)
    source.account("alice", forwarding(f"bob@{unicode_name}"), mailbox="")
    instance.send("dora@peer.invalid", source.address("alice"), "Over")
    assert target.subjects() == ["Over"]
