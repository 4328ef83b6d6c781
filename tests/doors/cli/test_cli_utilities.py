"""`bin`: utilities that scripts written for Plesk can call."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_panel import Panel
from test_cli_mail import stored_password

from innkeeper.core.passwords import verify_login, verify_mail

PASSWORD = "Kx4!paper-Moon"


def test_the_documented_command_creates_an_account(panel: Panel, site: str) -> None:
    address = f"joe@{site}"
    result = panel.ok("bin", "mail", "--create", address, "-passwd", PASSWORD, "-mailbox", "true", "-mbox_quota", "20M")
    assert result.out == f"SUCCESS: Creation of mailname '{address}' complete\n"
    account = panel.info(address)
    assert (account["mailbox"], account["quota"]) == (True, 20 * 2**20)
    assert verify_mail(PASSWORD, stored_password(panel, address))


@pytest.mark.parametrize(
    ("quota", "expected"), [("125000", 125000 * 1024), ("50M", 50 * 2**20), ("4G", 4 * 2**30), ("-1", -1)]
)
def test_a_quota_alone_counts_in_kilobytes(panel: Panel, site: str, quota: str, expected: int) -> None:
    panel.ok("bin", "mail", "-c", f"joe@{site}", "-mailbox", "true", "-mbox_quota", quota)
    assert panel.info(f"joe@{site}")["quota"] == expected


def test_who_gives_a_quota_wants_a_mailbox_and_who_gives_nothing_has_none(panel: Panel, site: str) -> None:
    panel.ok("bin", "mail", "-c", f"joe@{site}", "-mbox_quota", "1M")
    panel.ok("bin", "mail", "-c", f"ann@{site}")
    assert [panel.info(f"{name}@{site}")["mailbox"] for name in ("joe", "ann")] == [True, False]


def test_options_are_shown_as_plesk_writes_them(panel: Panel) -> None:
    wanted = {
        "mail": "-cp_access -passwd_type -mbox_quota -auto-replyto -outgoing-messages-mbox-limit",
        "subscription_settings": "-disk_space -max_traffic -max_box",
        "domain_pref": "-no_usr -spam_protect_sign -mail_service",
        "ipmanage": "--ip_list --interface_list -public_ip",
    }
    for utility, names in wanted.items():
        shown = panel.ok("bin", utility, "--help").out.split()
        assert set(names.split()) <= set(shown), utility


def test_both_spellings_of_options_are_taken(panel: Panel, site: str) -> None:
    panel.ok("bin", "mail", "-c", f"joe@{site}", "--mailbox=true", "-mbox-quota=1G", "--cp_access", "true")
    account = panel.info(f"joe@{site}")
    assert (account["mailbox"], account["quota"], account["panel_access"]) == (True, 2**30, True)


def test_passwords_come_from_the_environment_or_standard_input(panel: Panel, site: str) -> None:
    address = f"joe@{site}"
    panel.ok("bin", "mail", "-c", address, "-passwd", "", env={"PSA_PASSWORD": PASSWORD})
    assert verify_mail(PASSWORD, stored_password(panel, address))
    panel.ok("bin", "mail", "-u", address, "-passwd", "-", stdin="An0ther/one\n")
    assert verify_mail("An0ther/one", stored_password(panel, address))
    ready = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"
    panel.ok("bin", "mail", "-u", address, "-passwd", "", env={"PSA_CRYPTED_PASSWORD": ready})
    assert stored_password(panel, address).endswith(ready)
    panel.ok("bin", "mail", "-u", address, "-passwd", ready, "-passwd_type", "crypt")
    assert panel.run("bin", "mail", "-u", address, "-passwd", "").code == 1


def test_lists_are_added_to_and_deleted_from(panel: Panel, site: str) -> None:
    address = f"joe@{site}"
    panel.ok("bin", "mail", "-c", f"team@{site}", "-group", "true", "-groupmem", "add:x@example.net,y@example.net")
    panel.ok("bin", "mail", "-c", address, "-aliases", "add:a,b", "-mgroups", f"add:team@{site}")
    panel.ok("bin", "mail", "-u", address, "-passwd", PASSWORD, "-aliases", "del:a", "-aliases", "add:c,d")
    account = panel.info(address)
    assert sorted(account["aliases"]) == ["b", "c", "d"]
    assert account["groups"] == ["team"]
    assert verify_mail(PASSWORD, stored_password(panel, address))
    panel.ok("bin", "mail", "-u", f"team@{site}", "-groupmem", "del:x@example.net")
    assert panel.info(f"team@{site}")["group"] == {"enabled": True, "addresses": ["y@example.net", address]}


def test_a_redirect_is_set_replaced_and_switched_off(panel: Panel, site: str) -> None:
    address = f"joe@{site}"
    panel.ok("bin", "mail", "-c", address, "-redirect", "true", "-rediraddr", "x@example.net")
    assert panel.info(address)["redirect"] == {"enabled": True, "addresses": ["x@example.net"]}
    panel.ok("bin", "mail", "-u", address, "-redirect", "true", "-rediraddr", "y@example.net")
    assert panel.info(address)["redirect"] == {"enabled": True, "addresses": ["y@example.net"]}
    panel.ok("bin", "mail", "-u", address, "-redirect", "false")
    assert panel.info(address)["redirect"] == {"enabled": False, "addresses": ["y@example.net"]}
    result = panel.run("bin", "mail", "-c", f"ann@{site}", "-redirect", "true")
    assert (result.code, "redirect" in result.err) == (4, True)


def test_files_and_automatic_replies(panel: Panel, site: str, tmp_path: Path) -> None:
    address = f"joe@{site}"
    file = tmp_path / "price.txt"
    file.write_bytes(b"one euro")
    panel.ok("bin", "mail", "-c", address, "-mailbox", "true", "-repo", f"add:{file}")
    panel.ok(
        "bin", "mail", "-u", address, "-autorsp", "true", "-autoname", "prices", "-autostatus", "true", "-autoreq",
        "subj:price", "-autosubj", "Our prices", "-autotext", "See the file.", "-autoatch", "add:price.txt",
        "-autofrq", "2", "-autored", "sales@example.net",
    )  # fmt: skip
    account = panel.info(address)
    assert account["files"] == [{"name": "price.txt", "size": 8}]
    assert account["autoreplies"]["enabled"] is True
    (reply,) = account["autoreplies"]["replies"]
    assert (reply["name"], reply["enabled"], reply["key_where"], reply["key"]) == ("prices", True, "subj", "price")
    assert (reply["subject"], reply["text"], reply["attachments"]) == ("Our prices", "See the file.", ["price.txt"])
    assert (reply["answers_per_day"], reply["forward"]) == (2, "sales@example.net")
    panel.ok("bin", "mail", "-u", address, "-autoname", "prices", "-autoatch", "del:price.txt")
    account = panel.info(address)
    assert (len(account["files"]), account["autoreplies"]["replies"][0]["attachments"]) == (1, [])
    panel.ok("bin", "mail", "-u", address, "-repo", "del:price.txt")
    assert panel.info(address)["files"] == []


def test_the_automatic_reply_has_a_utility_of_its_own(panel: Panel, site: str, tmp_path: Path) -> None:
    address = f"joe@{site}"
    file = tmp_path / "form.txt"
    file.write_bytes(b"form")
    panel.ok("mail", "create", address)
    panel.ok(
        "bin", "autoresponder", "--update", "-mail", address, "-status", "true", "-subject", "Away", "-text", "Later.",
        "-format", "html", "-end-date", "2030-12-31", "-attach", f"add:{file}",
    )  # fmt: skip
    (reply,) = panel.info(address)["autoreplies"]["replies"]
    assert (reply["enabled"], reply["subject"], reply["text"]) == (True, "Away", "Later.")
    assert (reply["content_type"], reply["end_date"], reply["attachments"]) == ("text/html", "2030-12-31", ["form.txt"])
    panel.ok("bin", "autoresponder", "-u", "-mail", address, "-attach", "del:form.txt", "-end-date", "")
    (reply,) = panel.info(address)["autoreplies"]["replies"]
    assert (reply["attachments"], reply["end_date"]) == ([], None)
    shown = panel.ok("bin", "autoresponder", "-i", "-mail", address).out
    assert "Subject:            Away\n" in shown
    assert panel.run("bin", "autoresponder", "-u", "-mail", address, "-end-date", "soon").code == 4
    assert panel.run("bin", "autoresponder", "-u", "-status", "true").code == 1


def test_an_account_is_shown_under_the_names_of_old(panel: Panel, site: str) -> None:
    panel.ok("bin", "mail", "-c", f"joe@{site}", "-mailbox", "true", "-passwd", PASSWORD, "-aliases", "add:a")
    shown = panel.ok("bin", "mail", "--info", f"joe@{site}").out
    fields = dict(line.split(":", 1) for line in shown.splitlines() if ":" in line)
    assert {name: value.strip() for name, value in fields.items()} == {
        "Mailname": "joe", "Domain": site, "Alias(es)": "a", "CP Access": "false", "Mailbox": "true",
        "Password": "set", "Mbox quota": "Unlimited", "Mbox usage": "0B", "Redirect": "false", "Mailgroup": "false",
        "File repository": "Empty", "Autoresponder": "false", "Antivirus mail checking": "Disabled",
        "Outgoing limit": "Default", "SUCCESS": f"Gathering information for 'joe@{site}' complete",
    }  # fmt: skip
    assert PASSWORD not in shown


def test_renaming_removing_listing_and_switching(panel: Panel, site: str) -> None:
    panel.ok("bin", "mail", "-c", f"joe@{site}")
    panel.ok("bin", "mail", "--rename", f"joe@{site}", "-new_name", "ann")
    assert panel.ok("bin", "mail", "--list", "-domain", site).out == f"ann@{site}\n"
    panel.ok("bin", "mail", "--off", site)
    panel.ok("bin", "mail", "--on", site)
    panel.ok("bin", "mail", "-r", f"ann@{site}")
    assert panel.ok("bin", "mail", "--list", "-domain", site).out == ""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-c", "joe@{site}"], 2, "joe"),
        (["-u", "nobody@{site}", "-mailbox", "true"], 3, "nobody"),
        (["-c", "a+b@{site}"], 4, "+"),
        (["-c", "new@{site}", "-passwd", "new"], 4, "password"),
        (["-c", "new@{site}", "-mailbx", "true"], 1, "Did you mean -mailbox?"),
        (["-c", "new@{site}", "-mailbox"], 1, "-mailbox: its value is missing"),
        (["-c", "new@{site}", "-mailbox", "maybe"], 4, "'maybe' is not true or false"),
        (["-c", "new@{site}", "-mbox_quota", "much"], 4, "-mbox_quota: 'much' is not a size"),
        (["-c", "new@{site}", "-aliases", "a,b"], 4, "is not add:A,B"),
        (["-c", "new@{site}", "-aliases", "del:a"], 1, "none to delete"),
        (["-c", "new@{site}", "-mailbox", "true", "-mailbox", "false"], 1, "given twice"),
        (["-c"], 1, "NAME@DOMAIN"),
        (["--craete", "new@{site}"], 1, "Did you mean --create?"),
        (["--remove", "joe@{site}", "-mailbox", "true"], 1, "-mailbox: not with --remove"),
        (["-u", "joe@{site}", "-autotext", "Hi"], 1, "-autoname: it is missing"),
        (["-u", "joe@{site}", "-repo", "add:/nonexistent/file"], 1, "No such file"),
        (["-u", "joe@{site}", "-autoname", "a", "-autoatch", "set:a.txt"], 1, "use add:NAME or del:NAME"),
        (["-u", "joe@{site}"], 1, "Nothing to change was given"),
    ],
)
def test_what_cannot_be_done_has_the_utilities_exit_codes_and_does_nothing(
    panel: Panel, shared_site: str, words: list[str], code: int, said: str
) -> None:
    before = panel.rows("SELECT count(*) FROM core_auditentry")
    result = panel.run("bin", "mail", *(word.replace("{site}", shared_site) for word in words))
    assert result.code == code, result
    assert said in result.err
    assert panel.rows("SELECT count(*) FROM core_auditentry") == before


def test_a_bad_password_is_never_repeated(panel: Panel, site: str) -> None:
    result = panel.run("bin", "mail", "-c", f"new@{site}", "-passwd", "s3c\tret", "-passwd_type", "crypt")
    assert result.code == 4
    assert "s3c" not in result.err + result.out


def test_customers_subscriptions_and_sites(panel: Panel) -> None:
    panel.ok("bin", "customer", "--create", "bob", "-name", "Bob", "-passwd", "", "-country", "DE",
             env={"PSA_PASSWORD": PASSWORD})  # fmt: skip
    panel.ok("bin", "subscription", "--create", "bob.test", "-owner", "bob")
    panel.ok("bin", "site", "-c", "second.bob.test", "-webspace-name", "bob.test")
    assert {"bob.test", "second.bob.test"} <= set(panel.ok("bin", "site", "--list").out.split())
    panel.ok("bin", "customer", "--off", "bob")
    suspended = {row["name"]: row["status"] for row in panel.ok("site", "list", "--json").json["sites"]}
    assert (suspended["bob.test"], suspended["second.bob.test"]) == (2, 2)
    panel.ok("bin", "customer", "--on", "bob")
    panel.ok("bin", "site", "--suspend", "second.bob.test")
    panel.ok("bin", "site", "-r", "second.bob.test")
    panel.ok("bin", "domain", "-r", "bob.test")
    panel.ok("bin", "client", "-r", "bob")
    assert "bob" not in panel.ok("bin", "customer", "--list").out.split()


def test_customers_subscriptions_and_sites_are_changed_and_shown(panel: Panel) -> None:
    for login in ("carol", "dave"):
        panel.ask("customer.create", login=login, contact_name=login, password=PASSWORD)
    panel.ask("webspace.create", name="carol.test", owner="carol")
    panel.ask("site.create", name="second.carol.test", webspace="carol.test")
    panel.ok("bin", "client", "-u", "carol", "-name", "Carol C", "-login", "caroline", "-city", "Graz")
    shown = panel.ok("bin", "customer", "--info", "caroline", "--json").json
    assert (shown["contact_name"], shown["city"], shown["owner"], shown["status"]) == ("Carol C", "Graz", "admin", 0)
    panel.ok("bin", "domain", "-u", "carol.test", "-mail_service", "false", "-new_name", "carol.example")
    panel.ok("bin", "subscription", "--change-owner", "carol.example", "-owner", "dave")
    panel.ok("bin", "subscription_settings", "-u", "carol.example", "-mbox_quota", "100M", "-max_box", "-1",
             "-max_redir", "3", "-expiration", "2035-12-31")  # fmt: skip
    shown = panel.ok("bin", "subscription", "-i", "carol.example", "--json").json
    assert (shown["owner"], shown["sites"]) == ("dave", ["carol.example", "second.carol.test"])
    limits = {name: value for name, value in shown["limits"].items() if value != -1}
    assert limits == {"mbox_quota": 100 * 2**20, "max_redir": 3, "expiration": 2082672000}
    assert panel.ask("mail.preferences", site="carol.example")["enabled"] is False
    panel.ok("bin", "site", "-u", "second.carol.test", "-status", "disabled", "-mail-service", "false")
    assert "status: 16\n" in panel.ok("site", "info", "second.carol.test").out
    assert panel.ask("mail.preferences", site="second.carol.test")["enabled"] is False


def test_what_a_domain_does_with_its_mail(panel: Panel, site: str) -> None:
    panel.ok("bin", "domain_pref", "--update", site, "-no_usr", "bounce:Gone: for good", "-greylisting", "true")
    shown = panel.ok("bin", "domain_pref", "-i", site).out
    assert "unknown: bounce\nunknown_value: Gone: for good\n" in shown
    assert "greylisting: true\n" in shown
    panel.ok("mail", "preferences", site, "--unknown", "Else@Example.net", "--sign-outgoing", "on")
    found = panel.ok("mail", "preferences", site, "--unknown", "reject", "--plan", "--json").json
    assert len(found["plan"]) == 1
    found = panel.ok("mail", "preferences", site, "--json").json
    assert (found["unknown"], found["unknown_value"], found["sign_outgoing"]) == ("forward", "else@example.net", True)
    panel.ok("bin", "domain_pref", "-u", site, "-no-usr", "reject")
    assert panel.ask("mail.preferences", site=site)["unknown"] == "reject"


def test_secret_keys_are_made_listed_and_removed(panel: Panel) -> None:
    made = panel.ok(
        "bin", "secret_key", "-c", "-ip-address", "192.0.2.7,::1", "-description", "shop", "-login", "alice"
    )
    assert len(made.out.strip()) == 36
    (row,) = panel.ok("bin", "secret_key", "--list", "--json").json["keys"]
    assert (row["addresses"], row["login"], row["description"]) == ("192.0.2.7,::1", "alice", "shop")
    panel.ok("bin", "secret_key", "--delete", "-key", made.out.strip())
    assert panel.ok("bin", "secret_key", "-l").out == ""


def test_addresses_the_administrator_and_limits_of_sending(panel: Panel) -> None:
    panel.ok("bin", "ipmanage", "-c", "192.0.2.9", "-type", "shared", "-mask", "255.255.255.0", "-interface", "lo")
    panel.ok("bin", "ipmanage", "--create", "192.0.2.10", "-type", "shared", "-mask", "24", "-interface", "lo")
    panel.ok("bin", "ipmanage", "-u", "192.0.2.10", "-type", "exclusive", "-public_ip", "198.51.100.1")
    assert "192.0.2.10 exclusive 255.255.255.0 lo 198.51.100.1" in panel.ok("bin", "ipmanage", "--ip_list").out
    panel.ok("bin", "ipmanage", "--remove", "192.0.2.10")
    assert "lo" in panel.ok("bin", "ipmanage", "--interface-list").out.split()

    panel.ok("bin", "admin", "--update", "-company", "Innkeepers", "-email", "a@example.net")
    assert "company_name: Innkeepers\n" in panel.ok("bin", "admin", "--info").out
    before = panel.rows("SELECT password FROM accounts_account WHERE login = 'admin'")
    panel.ok("bin", "admin", "--set-admin-password", "-passwd", "", env={"PSA_PASSWORD": "Another-Moon-7"})
    ((stored,),) = panel.rows("SELECT password FROM accounts_account WHERE login = 'admin'")
    assert (stored,) not in before and verify_login("Another-Moon-7", stored)

    panel.ok("bin", "mailserver", "--set-outgoing-messages-mbox-limit", "20")
    assert "outgoing_messages_mbox_limit: 20\n" in panel.ok("bin", "mailserver", "--info").out
    panel.ok("bin", "mailserver", "--set-outgoing-messages-mbox-limit", "-1")
    assert "outgoing_messages_mbox_limit: -1\n" in panel.ok("bin", "mailserver", "--info").out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["secret_key", "-c"], 1, "-ip-address: it is missing"),
        (["secret_key", "-c", "-ip-address", "home"], 4, "'home' is not an IP address"),
        (["secret_key", "-d", "-key", "nonsense"], 3, "does not exist"),
        (["ipmanage", "-c", "192.0.2.1", "-type", "shared"], 1, "-mask: it is missing"),
        (["ipmanage", "-u", "192.0.2.1", "-mask", "24"], 1, "-mask: not with --update"),
        (["ipmanage", "-r", "203.0.113.9"], 3, "does not exist"),
        (["admin", "--set-admin-password"], 1, "-passwd: it is missing"),
        (["admin", "--set-admin-password", "-passwd", "abc"], 4, "password"),
        (["mailserver", "--set-outgoing-messages-mbox-limit", "-2"], 4, "outgoing_messages_mbox_limit"),
        (["domain_pref", "-u", "{site}", "-no_usr", "drop"], 4, "is not reject, bounce"),
        (["domain_pref", "-u", "{site}", "-no_usr", "a@"], 4, "forward"),
        (["domain_pref", "-u", "nowhere.test", "-no_usr", "reject"], 3, "does not exist"),
        (["customer", "-u", "alice"], 1, "Nothing to change"),
        (["customer", "-u", "alice", "-owner", "admin"], 1, "-owner: not with --update"),
        (["customer", "-u", "alice", "-country", "Tyrol"], 4, "country"),
        (["subscription", "-u", "{site}", "-new_name", "-bad-"], 4, "name"),
        (["subscription", "--change-owner", "{site}", "-owner", "nobody"], 3, "Owner"),
        (["subscription_settings", "-u", "{site}", "-max_box", "many"], 4, "'many' is not a number"),
        (["subscription_settings", "-u", "{site}", "-expiration", "soon"], 4, "'soon' is not a day"),
        (["webuser", "-r", "nobody", "-quota", "1M"], 1, "-quota: not with --remove"),
        (["site", "--list", "-status", "enabled"], 1, "-status: not with --list"),
        (["site", "-u", "{site}", "-status", "gone"], 4, "'gone' is not enabled or disabled"),
    ],
)
def test_what_the_other_utilities_refuse_does_nothing(
    panel: Panel, shared_site: str, words: list[str], code: int, said: str
) -> None:
    before = panel.rows("SELECT count(*) FROM core_auditentry")
    result = panel.run("bin", *(word.replace("{site}", shared_site) for word in words))
    assert (result.code, said in result.err) == (code, True), result
    assert panel.rows("SELECT count(*) FROM core_auditentry") == before
