"""`mail`: the readable commands."""

from __future__ import annotations

import pytest
from cli_panel import Panel

from innkeeper.core.passwords import verify_mail


def stored_password(panel: Panel, address: str) -> str:
    ((value,),) = panel.rows(
        "SELECT a.password FROM mail_mailaccount a JOIN mail_mailname n ON n.account_id = a.id"
        f" WHERE n.address = '{address}'"
    )
    return str(value)


def test_an_account_is_created_shown_changed_renamed_removed_and_restored(panel: Panel, site: str) -> None:
    assert panel.ok("mail", "create", f"joe@{site}", "--quota", "2GB").out.startswith(f"created joe@{site} (id ")
    account = panel.info(f"joe@{site}")
    assert (account["mailbox"], account["quota"], account["has_password"]) == (True, 2 * 2**30, False)
    panel.ok("mail", "update", f"joe@{site}", "--quota", "unlimited", "--description", "Shop")
    assert panel.info(f"joe@{site}")["quota"] == -1
    assert panel.ok("mail", "rename", f"joe@{site}", "jane").out == f"renamed joe@{site} to jane@{site}\n"
    assert panel.info(f"jane@{site}")["id"] == account["id"]
    panel.ok("mail", "remove", f"jane@{site}")
    assert panel.run("mail", "info", f"jane@{site}").code == 3
    panel.ok("mail", "restore", f"jane@{site}")
    assert panel.info(f"jane@{site}")["description"] == "Shop"


def test_what_is_printed_for_people(panel: Panel, site: str) -> None:
    panel.ok("mail", "create", f"joe@{site}", "--alias", "sales", "--redirect", "crm@example.net", "--quota", "500MB")
    lines = dict(line.split(":", 1) for line in panel.ok("mail", "info", f"joe@{site}").out.splitlines())
    assert lines["quota"].strip() == "500MB"
    assert lines["aliases"].strip() == "sales"
    assert lines["redirect"].strip() == "on (crm@example.net)"
    assert lines["password"].strip() == "not set"


@pytest.mark.parametrize("source", ["stdin", "environment"])
def test_a_password_comes_from_standard_input_or_the_environment(panel: Panel, site: str, source: str) -> None:
    if source == "stdin":
        panel.ok("mail", "create", f"joe@{site}", "--password-stdin", stdin="Kx4!paper-Moon\n")
    else:
        panel.ok("mail", "create", f"joe@{site}", env={"INNKEEPER_PASSWORD": "Kx4!paper-Moon"})
    assert verify_mail("Kx4!paper-Moon", stored_password(panel, f"joe@{site}"))
    assert "Moon" not in panel.ok("mail", "info", f"joe@{site}").out


def test_a_ready_hash_is_stored_as_it_is(panel: Panel, site: str) -> None:
    ready = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"
    panel.ok("mail", "create", f"joe@{site}", "--password-stdin", "--password-hash", stdin=ready)
    assert stored_password(panel, f"joe@{site}") == "{SHA512-CRYPT}" + ready


def test_a_site_may_be_named_by_its_id(panel: Panel, site: str) -> None:
    found = {row["name"]: row["id"] for row in panel.ok("site", "list", "--json").json["sites"]}
    panel.ok("mail", "create", f"joe@{found[site]}")
    assert panel.info(f"joe@{site}")["site_id"] == found[site]


def test_an_international_site_may_be_written_either_way(panel: Panel) -> None:
    panel.ok("webspace", "create", "bücher.test", "--owner", "alice")
    panel.ok("mail", "create", "joe@BÜCHER.test")
    assert panel.info("joe@xn--bcher-kva.test")["address"] == "joe@bücher.test"


def test_lists_are_added_to_and_taken_from_in_one_command(panel: Panel, site: str) -> None:
    address = f"joe@{site}"
    panel.ok("mail", "create", address, "--alias", "a", "--alias", "b", "--redirect", "x@example.net")
    panel.ok(
        "mail", "update", address, "--alias", "c", "--remove-alias", f"a@{site}", "--redirect", "y@example.net",
        "--remove-redirect", "x@example.net", "--quota", "1GB", "--password-stdin", stdin="Kx4!paper-Moon",
    )  # fmt: skip
    account = panel.info(address)
    assert sorted(account["aliases"]) == ["b", "c"]
    assert account["redirect"] == {"enabled": True, "addresses": ["y@example.net"]}
    assert account["quota"] == 2**30
    assert verify_mail("Kx4!paper-Moon", stored_password(panel, address))


def test_a_password_reaches_a_handler_that_is_to_get_it_also_with_lists_that_change_both_ways(
    panel: Panel, site: str
) -> None:
    address = f"joe@{site}"
    panel.ok("mail", "create", address, "--alias", "a")
    url = "https://hooks.example.com/"
    handler = panel.ask("event-handler.create", event="mailname_update", url=url, pass_secrets=True)["id"]
    panel.ok(
        "mail", "update", address, "--alias", "b", "--remove-alias", "a", "--password-stdin", stdin="Kx4!paper-Moon"
    )
    panel.ask("event-handler.remove", ids=[handler])
    sealed = "SELECT COUNT(*) FROM core_outboxevent WHERE event = 'mailname_update' AND sealed IS NOT NULL"
    assert panel.rows(sealed) == [(1,)]


def test_a_command_of_which_one_part_fails_does_nothing(panel: Panel, site: str) -> None:
    address = f"joe@{site}"
    panel.ok("mail", "create", f"taken@{site}")
    panel.ok("mail", "create", address, "--alias", "a")
    before = panel.info(address)
    events = panel.rows("SELECT count(*) FROM core_outboxevent")
    result = panel.run("mail", "update", address, "--remove-alias", "a", "--alias", "taken", "--quota", "1GB")
    assert result.code == 4
    assert "taken" in result.err
    assert panel.info(address) == before
    assert panel.rows("SELECT count(*) FROM core_outboxevent") == events


def test_the_last_redirect_taken_away_switches_redirecting_off(panel: Panel, site: str) -> None:
    panel.ok("mail", "create", f"joe@{site}", "--redirect", "x@example.net")
    panel.ok("mail", "update", f"joe@{site}", "--remove-redirect", "x@example.net", "--quota", "1GB")
    assert panel.info(f"joe@{site}")["redirect"] == {"enabled": False, "addresses": []}


def test_groups_are_joined_and_left(panel: Panel, site: str) -> None:
    panel.ok("mail", "create", f"team@{site}", "--no-mailbox", "--member", "else@example.net")
    panel.ok("mail", "create", f"joe@{site}", "--join", "team")
    assert panel.info(f"joe@{site}")["groups"] == ["team"]
    panel.ok("mail", "update", f"joe@{site}", "--leave", "team")
    assert panel.info(f"joe@{site}")["groups"] == []
    assert panel.info(f"team@{site}")["group"] == {"enabled": True, "addresses": ["else@example.net"]}


def test_an_automatic_reply_is_written_and_switched_off(panel: Panel, site: str) -> None:
    panel.ok("mail", "create", f"joe@{site}", "--autoreply", "Away.", "--autoreply-subject", "Holiday")
    replies = panel.info(f"joe@{site}")["autoreplies"]
    assert replies["enabled"] is True
    assert [(r["enabled"], r["subject"], r["text"]) for r in replies["replies"]] == [(True, "Holiday", "Away.")]
    panel.ok("mail", "update", f"joe@{site}", "--no-autoreply")
    replies = panel.info(f"joe@{site}")["autoreplies"]
    assert replies["enabled"] is False
    assert replies["replies"][0]["text"] == "Away."


def test_the_reply_of_the_other_doors_is_changed_and_none_is_put_behind_it(panel: Panel, site: str) -> None:
    panel.ok("mail", "create", f"joe@{site}")
    panel.ok("bin", "autoresponder", "-u", "-mail", f"joe@{site}", "-status", "true", "-text", "Old.")
    panel.ok("mail", "update", f"joe@{site}", "--autoreply", "New.")
    assert [reply["text"] for reply in panel.info(f"joe@{site}")["autoreplies"]["replies"]] == ["New."]


def test_a_plan_says_what_would_change_and_changes_nothing(panel: Panel, site: str) -> None:
    result = panel.ok("mail", "create", f"joe@{site}", "--plan")
    assert result.out == f"would do mail.create on mailname joe@{site}\n"
    assert panel.run("mail", "info", f"joe@{site}").code == 3
    planned = panel.ok("mail", "create", f"joe@{site}", "--plan", "--json").json["plan"]
    assert [change["operation"] for change in planned] == ["mail.create"]
    panel.ok("mail", "create", f"joe@{site}")
    assert panel.run("mail", "create", f"joe@{site}", "--plan").code == 4


def test_a_plan_of_a_mixed_update_with_a_password_hashes_nothing(panel: Panel, site: str) -> None:
    panel.ok("mail", "create", f"joe@{site}", "--alias", "a")
    before = panel.info(f"joe@{site}")
    panel.ok(
        "mail", "update", f"joe@{site}", "--remove-alias", "a", "--alias", "b", "--plan", "--password-stdin",
        stdin="Kx4!paper-Moon",
    )  # fmt: skip
    assert panel.info(f"joe@{site}") == before


def test_how_long_removed_mail_is_kept(panel: Panel) -> None:
    assert panel.ok("mail", "retention").out == "the mail of removed accounts is kept for 14 days\n"
    panel.ok("mail", "retention", "30", "--plan")
    assert "for 14 days" in panel.ok("mail", "retention").out
    assert "for 7 days" in panel.ok("mail", "retention", "7").out
    assert panel.run("mail", "retention", "0").code == 7


def test_the_service_of_a_site_is_switched(panel: Panel, site: str) -> None:
    assert panel.ok("mail", "off", site).out == f"mail service of {site} is off\n"
    statement = f"SELECT enabled FROM mail_mailservice WHERE domain_key = '@{site}'"
    assert not panel.rows(statement)[0][0]
    panel.ok("mail", "on", site)
    assert panel.rows(statement)[0][0]


def test_a_list_of_many_accounts_comes_whole_and_in_order(panel: Panel, site: str) -> None:
    names = [f"user{n:04}" for n in range(1200)]
    accounts = "".join(f"<mailname><name>{name}</name></mailname>" for name in names)
    (site_id,) = (row["id"] for row in panel.ok("site", "list", "--json").json["sites"] if row["name"] == site)
    create = f"<packet><mail><create><filter><site-id>{site_id}</site-id>{accounts}</filter></create></mail></packet>"
    assert panel.ok("call", stdin=create).out.count("<status>ok</status>") == len(names)
    listed = panel.ok("mail", "list", site, "--json").json["accounts"]
    assert [row["address"] for row in listed] == [f"{name}@{site}" for name in names]
    assert len(panel.ok("mail", "list", site).out.splitlines()) == len(names)
    everything = panel.ok("mail", "list").out.splitlines()
    assert sum(line.split()[0].endswith(f"@{site}") for line in everything) == len(names)


def test_a_list_of_nothing_is_empty(panel: Panel, site: str) -> None:
    assert panel.ok("mail", "list", site).out == ""
    assert panel.ok("mail", "list", site, "--json").json == {"accounts": []}


def test_the_audit_names_the_administrator_and_this_door(panel: Panel, site: str) -> None:
    panel.ok("mail", "create", f"joe@{site}")
    statement = f"SELECT actor_kind, actor_id, login, door FROM core_auditentry WHERE object_name = 'joe@{site}'"
    assert panel.rows(statement) == [("admin", 1, "admin", "cli")]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["mail", "info", "nobody@{site}"], 3, "nobody"),
        (["mail", "info", "joe@nowhere.test"], 3, "Site does not exist"),
        (["mail", "info", "joe"], 7, "address: 'joe' is not an address. Write NAME@SITE."),
        (["mail", "create", "joe@{site}"], 4, "joe"),
        (["mail", "create", "a+b@{site}"], 7, "+"),
        (["mail", "create", "new@{site}", "--quota", "0"], 7, "quota"),
        (["mail", "create", "new@{site}", "--redirect", "nonsense"], 7, "redirect"),
        (["mail", "create", "new@{site}", "--quoat", "1GB"], 2, "Did you mean --quota?"),
        (["mail", "create", "new@{site}", "--quot=1GB"], 2, "Did you mean --quota?"),
        (["mail", "create", "new@{site}", "--quota", "many"], 7, "--quota: 'many' is not a size"),
        (["mail", "create", "new@{site}", "--antivirus", "all"], 7, "--antivirus: 'all' is not off or in or out or"),
        (["mail", "create", "new@{site}", "--quota"], 2, "--quota: expected one argument"),
        (["event-handler", "remove", "1", "two"], 7, "ID: 'two' is not a whole number"),
        (["mail", "create"], 2, "ADDRESS"),
        (["mail", "create", "new@{site}", "--no-redirect", "--redirect", "a@b.test"], 2, "--no-redirect"),
        (["mail", "update", "joe@{site}"], 2, "Nothing to change"),
        (["mail", "update", "joe@{site}", "--password-hash"], 2, "--password-hash needs the hash"),
        (["mail", "rename", "joe@{site}", "joe@nowhere.test"], 3, "Site does not exist"),
        (["mail", "restore", "joe2@{site}"], 3, "joe2"),
        (["mail", "craete", "new@{site}"], 2, "Did you mean create?"),
        (["mial", "list"], 2, "Did you mean mail?"),
    ],
)
def test_what_cannot_be_done_says_why_in_one_line_and_does_nothing(
    panel: Panel, shared_site: str, words: list[str], code: int, said: str
) -> None:
    before = panel.rows("SELECT count(*) FROM core_auditentry")
    result = panel.run(*(word.replace("{site}", shared_site) for word in words))
    assert result.code == code, result
    assert said in result.err
    assert result.out == ""
    assert result.err.count("\n") == 1
    assert panel.rows("SELECT count(*) FROM core_auditentry") == before


def test_a_failure_with_json_is_an_object(panel: Panel, site: str) -> None:
    result = panel.run("mail", "create", f"new@{site}", "--quota", "0", "--json")
    assert result.code == 7
    error = result.json["error"]
    assert (error["exit"], error["field"]) == (7, "quota")
    assert error["message"] in result.err
    unreadable = panel.run("mail", "create", f"new@{site}", "--quota", "many", "--json").json["error"]
    assert (unreadable["exit"], unreadable["field"]) == (7, "quota")


def test_a_limit_of_the_webspace_binds(panel: Panel, site: str) -> None:
    packet = (
        "<packet><webspace><set><filter><name>{site}</name></filter><values><limits><limit><name>max_box</name>"
        "<value>0</value></limit></limits></values></set></webspace></packet>"
    )
    answer = panel.ok("call", stdin=packet.replace("{site}", site)).out
    assert "<status>ok</status>" in answer
    assert panel.run("mail", "create", f"joe@{site}").code == 5
