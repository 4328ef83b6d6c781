"""`customer`, `webspace`, `site`, `call`, `health`."""

from __future__ import annotations

from pathlib import Path

from cli_panel import Panel


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
