"""`customer`, `webspace`, `site`, `call`, `health`."""

from __future__ import annotations

from pathlib import Path

from cli_panel import Panel

from innkeeper.doors.cli.client import ask


def test_customers_are_created_listed_suspended_activated_and_removed(panel: Panel) -> None:
    created = panel.ok(
        "customer", "create", "carol", "--name", "Carol", "--company", "Carol Ltd", "--password-stdin",
        stdin="Kx4!paper-Moon",
    )  # fmt: skip
    assert created.out.startswith("created carol (id ")

    def shown() -> str:
        return next(line for line in panel.ok("customer", "list").out.splitlines() if line.startswith("carol "))

    assert shown().split() == ["carol", "active", "Carol"]
    panel.ok("customer", "suspend", "carol")
    assert shown().split() == ["carol", "suspended", "Carol"]
    panel.ok("customer", "activate", "carol")
    assert panel.run("customer", "create", "CAROL", "--name", "C", env={"INNKEEPER_PASSWORD": "Kx4!paper"}).code == 4
    panel.ok("customer", "remove", "carol")
    assert panel.run("customer", "remove", "carol").code == 3


def test_a_customer_needs_a_password(panel: Panel) -> None:
    result = panel.run("customer", "create", "dave", "--name", "Dave")
    assert (result.code, "--password-stdin" in result.err) == (2, True)


def test_webspaces_and_sites(panel: Panel) -> None:
    panel.ok("webspace", "create", "shop.test", "--owner", "alice")
    panel.ok("site", "create", "blog.test", "--webspace", "shop.test")
    sites = panel.ok("site", "list", "--webspace", "shop.test", "--json").json["sites"]
    assert [(row["name"], row["webspace"]) for row in sites] == [
        ("blog.test", "shop.test"),
        ("shop.test", "shop.test"),
    ]
    assert panel.run("site", "remove", "shop.test").code == 1
    panel.ok("site", "suspend", "blog.test")
    panel.ok("site", "activate", "blog.test")
    panel.ok("site", "remove", "blog.test")
    assert panel.run("webspace", "create", "other.test", "--owner", "nobody").code == 3
    panel.ok("webspace", "remove", "shop.test", "--plan")
    panel.ok("webspace", "remove", "shop.test")
    assert "shop.test" not in panel.ok("webspace", "list").out


def test_how_long_files_of_removed_accounts_are_kept(panel: Panel) -> None:
    assert panel.ok("site", "retention").out == "the files of removed hosting accounts are kept for 7 days\n"
    assert "for 30 days" in panel.ok("site", "retention", "30").out
    assert panel.run("site", "retention", "0").code == 7
    assert "for 7 days" in panel.ok("site", "retention", "7").out
    assert panel.run("site", "restore", "nobody.test").code == 3
    assert "Try again" in panel.run("site", "removed").err, "nobody is there who could be asked"


def test_additional_write_permissions_of_a_site_are_switched(panel: Panel) -> None:
    panel.ok(
        "webspace", "create", "written.test", "--login", "written", "--password-stdin", stdin="Kx4!paper-Moon"
    )  # fmt: skip
    panel.ok("webspace", "create", "bare.test")

    def account(name: str) -> dict[str, object]:
        rows: list[dict[str, object]] = []
        ask(str(panel.state), {"command": "security.accounts"}, on_rows=rows.extend)
        return next(row for row in rows if row["domain"] == name)

    def writable(name: str) -> bool:
        return bool(account(name)["writable"])

    assert not writable("written.test")
    panel.ok("site", "hosting", "written.test", "--write-modify", "on", "--plan")
    assert not writable("written.test")
    panel.ok("site", "hosting", "written.test", "--write-modify", "on")
    assert writable("written.test")
    panel.ok("site", "hosting", "written.test", "--write-modify", "off")
    assert not writable("written.test")
    panel.ok("site", "hosting", "written.test", "--www-root", "/httpdocs/public/")
    assert account("written.test")["www_root"] == "httpdocs/public"
    assert panel.run("site", "hosting", "written.test", "--www-root", "../x").code == 7
    assert panel.run("site", "hosting", "written.test").code != 0
    refused = panel.run("site", "hosting", "bare.test", "--write-modify", "on")
    assert (refused.code, "no web hosting" in refused.err) == (7, True)
    assert panel.run("site", "hosting", "nobody.test", "--write-modify", "on").code == 3
    for name in ("written.test", "bare.test"):
        panel.ok("webspace", "remove", name)


def test_a_packet_goes_in_by_standard_input_or_a_file_and_its_answer_comes_out(panel: Panel, tmp_path: Path) -> None:
    packet = '<packet version="1.6.9.1"><server><get_protos/></server></packet>'
    answer = panel.ok("call", stdin=packet).out
    assert answer.startswith('<?xml version="1.0"')
    assert "<proto>1.6.9.1</proto>" in answer
    file = tmp_path / "packet.xml"
    file.write_text(packet)
    assert panel.ok("call", str(file)).out == answer
    assert len(panel.ok("call", "--pretty", str(file)).out.splitlines()) > len(answer.splitlines())


def test_a_packet_that_is_none_gets_the_protocols_own_answer(panel: Panel) -> None:
    assert "<errcode>1014</errcode>" in panel.ok("call", stdin="<packet>").out


def test_a_packet_file_that_is_not_there_is_named(panel: Panel) -> None:
    result = panel.run("call", "/nonexistent/packet.xml")
    assert (result.code, "/nonexistent/packet.xml: No such file" in result.err) == (1, True)


def test_health_tells_what_is_well(panel: Panel) -> None:
    health = panel.run("health", "--json")
    entries = {entry["name"]: entry["ok"] for entry in health.json["entries"]}
    assert entries["database"] is True
    assert health.code == (0 if health.json["ok"] else 1)


def hosted(panel: Panel, name: str) -> str:
    """A webspace with web hosting."""
    login = name.partition(".")[0]
    panel.ok("webspace", "create", name, "--login", f"{login}-main", "--password-stdin", stdin="Kx4!paper-Moon")
    return name


def test_subdomains_web_users_and_ftp_accounts(panel: Panel) -> None:
    domain = hosted(panel, "inns.test")
    secret = {"INNKEEPER_PASSWORD": "Kx4!paper-Moon"}
    panel.ok("subdomain", "create", "shop", "--domain", domain, "--login", "inns-shop", env=secret)
    assert panel.ok("subdomain", "list", "--domain", domain).out.split() == ["shop.inns.test", "active", domain]
    shown = panel.ok("subdomain", "info", "shop.inns.test", "--json").json
    assert (shown["domain"], shown["user"], shown["hosting"]["php"]) == (domain, "inns-shop", "false")
    assert panel.run("subdomain", "info", domain).code == 3

    panel.ok("webuser", "create", "inns-petr", "--domain", domain, "--quota", "10MB", "--write-modify", "on")
    assert panel.ok("webuser", "list").out.split() == ["inns-petr", "10MB", domain]
    assert "services: write_modify" in panel.ok("webuser", "info", "inns-petr").out

    assert panel.run("ftp-account", "create", "inns-team", "--webspace", domain).code == 2  # no password
    panel.ok(
        "ftp-account", "create", "inns-team", "--webspace", domain, "--home", "/httpdocs", "--write", "no", env=secret
    )
    assert panel.ok("ftp-account", "list", "--webspace", domain).out.split() == [
        "inns-team", "unlimited", domain, "/httpdocs",
    ]  # fmt: skip
    assert "write: false" in panel.ok("ftp-account", "info", "inns-team").out
    assert panel.run("ftp-account", "create", "inns-petr", "--webspace", domain, env=secret).code == 4

    for words in (("subdomain", "shop.inns.test"), ("webuser", "inns-petr"), ("ftp-account", "inns-team")):
        panel.ok(words[0], "remove", words[1], "--plan")
        panel.ok(words[0], "remove", words[1])
        assert panel.run(words[0], "remove", words[1]).code == 3


def test_the_utilities_of_subdomains_web_users_and_ftp_accounts(panel: Panel) -> None:
    domain = "taverns.test"
    panel.ok("bin", "subscription", "--create", domain, "-login", "tav-main", "-passwd", "Kx4!paper-Moon")
    done = panel.ok(
        "bin", "subdomain", "--create", "shop", "-domain", domain, "-php", "true", "-user_type", "native",
        "-login", "tav-shop", "-passwd", "Kx4!paper-Moon", "-hard_quota", "100M",
    )  # fmt: skip
    assert done.out == "SUCCESS: Creation of subdomain 'shop' complete\n"
    panel.ok("bin", "subdomain", "-u", "shop", "-domain", domain, "-ssi", "true", "-asp", "false")
    shown = panel.ok("bin", "subdomain", "--info", "shop", "-domain", domain).out
    assert "php: true" in shown and "ssi: true" in shown and "user: tav-shop" in shown
    assert panel.ok("bin", "subdomain", "--list").out == "shop.taverns.test\n"
    assert panel.run("bin", "subdomain", "-c", "x", "-domain", domain, "-login", "tav-x").code == 1

    panel.ok("bin", "webuser", "--create", "tav-petr", "-domain", domain, "-passwd", "Kx4!paper-Moon", "-quota", "1M")
    panel.ok("bin", "webuser", "--update", "tav-petr", "-php", "true", "-write_modify", "true")
    assert "services: php, write_modify" in panel.ok("bin", "webuser", "--info", "tav-petr").out
    assert panel.run("bin", "webuser", "--create", "tav-anna", "-domain", domain).code == 1

    panel.ok("bin", "ftpsubaccount", "--create", "tav-team", "-domain", domain, "-passwd", "Kx4!paper-Moon")
    panel.ok("bin", "ftpuser", "--update", "tav-team", "-home", "/httpdocs", "-write", "false")
    assert "home: /httpdocs" in panel.ok("bin", "ftpsubaccount", "-i", "tav-team").out
    for utility, words in (
        ("ftpsubaccount", ["tav-team"]),
        ("webuser", ["tav-petr"]),
        ("subdomain", ["shop", "-domain", domain]),
    ):
        panel.ok("bin", utility, "--remove", *words)
        assert panel.run("bin", utility, "--remove", *words).code == 3
