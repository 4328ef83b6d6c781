"""The commands for a server's policies: what they print, what they change, and their exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from servers import layout as make_layout
from test_hosting_policy import ALL, DOMAIN, SUBDOMAIN, WEBUSER
from trees import make, snapshot

from innkeeper.permissions import cli, journal, walk
from innkeeper.permissions.server import commands, hosting
from innkeeper.permissions.server.layout import Layout
from innkeeper.permissions.server.left import Book
from innkeeper.permissions.walk import Walker


@pytest.fixture
def server(memory_tree: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    made = make_layout(memory_tree)
    for domain in ("example.com", "example.net"):
        make(
            memory_tree,
            *(f"vhosts/{domain}/{name}/" for name in ("httpdocs", "private", "web_users/joe")),
            f"vhosts/{domain}/subdomains/shop/httpdocs/",
            f"vhosts/{domain}/httpdocs/index.html",
            f"vhosts/{domain}/httpdocs/data/file",
        )  # fmt: skip
    make(memory_tree, "program/module.py", "bin/tool")
    monkeypatch.setattr(commands, "instance_of", lambda arguments: None)
    monkeypatch.setattr(Layout, "of", classmethod(lambda cls, instance: made))
    return made


@pytest.fixture
def run(server, capsys):
    """Run a command; its exit code, and what it printed: data with --json, else text."""

    def run(*words: object):
        code = cli.main([str(word) for word in words], lambda instance: list(ALL))
        printed = capsys.readouterr()
        text = printed.out if code < 2 else printed.err
        return code, json.loads(text) if "--json" in words and code < 2 else text

    return run


def test_the_disk_policy_by_its_commands(server, run):
    assert run("disk", "--check")[0] == 1
    before = snapshot(server.root / "program")
    code, plan = run("disk", "--plan", "--json")
    assert (code, snapshot(server.root / "program")) == (1, before)
    assert {change["path"] for change in plan["runs"][0]["plan"]} >= {"program", "program/module.py", "bin"}
    code, done = run("disk", "--apply", "--json")
    assert (code, done["runs"][0]["changed"]) == (0, len(plan["runs"][0]["plan"]))
    assert run("disk", "--check")[0] == 0
    code, _ = run("undo", done["runs"][0]["run"], "--journal", server.runs)
    assert (code, snapshot(server.root / "program")) == (0, before)


def test_the_utilities_have_names_of_their_own_and_do_nothing_on_an_unknown_word(server, run, capsys):
    before = snapshot(server.root / "program")
    for words in (
        ["applysecurity", "--frob"],
        ["applysecurity", "--appl"],
        ["hostingsecurity", "--all"],
        ["packagemng", "x"],
    ):
        with pytest.raises(SystemExit) as refused:
            run(*words)
        assert refused.value.code == 2
    assert snapshot(server.root / "program") == before
    assert run("applysecurity")[0] == 0
    assert run("applysecurity", "--check")[0] == 0
    assert run("packagemng", "--json") == (0, dict(server.names))
    assert run("component-paths")[1].startswith("PRODUCT_ROOT_D")
    with pytest.raises(SystemExit) as helped:
        run("applysecurity", "--help")
    assert helped.value.code == 0
    assert "innkeeper bin applysecurity" in capsys.readouterr().out


def test_instances_are_made_checked_and_applied(server, run):
    code, text = run("hosting", "--check", "--domain", "example.com")
    assert code == 2
    assert "--instantiate" in text
    assert run("hosting", "--instantiate", "--domain", "example.com")[0] == 0
    assert run("hosting", "--check", "--all")[0] == 0
    (server.vhosts / "example.com/web_users/joe").chmod(0o777)
    (server.vhosts / "example.com/subdomains/shop/httpdocs").chmod(0o777)
    assert run("hosting", "--check", "--subdomain", "shop.example.com")[1].split("\n")[0].endswith("shop/httpdocs")
    assert run("hosting", "--apply", "--webuser", "example.com:joe")[0] == 0
    assert run("hosting", "--check", "--webuser", "example.com:joe")[0] == 0
    assert run("hosting", "--check", "--all")[0] == 1
    assert run("hosting", "--apply", "--all", "--jobs", "2")[0] == 0
    assert run("hosting", "--check", "--all")[0] == 0


def test_one_domain_with_broken_rules_does_not_keep_the_others_from_theirs(server, run):
    run("hosting", "--instantiate", "--all")
    other = hosting.Hosted("s9", "domain", ("example.net",), DOMAIN.users)
    hosting.instantiate(server, [other], "alice", "test")
    (server.vhosts / "example.com/.security").write_text("<R")
    (server.vhosts / "example.net/httpdocs").chmod(0o777)
    code, text = run("hosting", "--apply", "--all")
    assert code == 2
    assert "example.com" in text
    assert "not-xml" in text
    assert run("hosting", "--check", "--domain", "example.net")[0] == 0


@pytest.mark.parametrize(
    "command", [("hosting", "--apply", "--all"), ("hosting", "--instantiate", "--all"), ("drift",)]
)
def test_ctrl_c_in_one_domain_leaves_the_next_ones_alone(server, run, monkeypatch, command):
    run("hosting", "--instantiate", "--all")
    hosting.instantiate(server, [hosting.Hosted("s9", "domain", ("example.net",), DOMAIN.users)], "alice", "test")
    run("disk", "--apply")
    for domain in ("example.com", "example.net"):
        (server.vhosts / domain / "httpdocs").chmod(0o777)
    looked_at = []
    scan = Walker._scan

    def interrupted(self, fd, *arguments):
        looked_at.append(Path(f"/proc/self/fd/{self.root}").readlink().name)
        os.kill(os.getpid(), signal.SIGINT)
        return scan(self, fd, *arguments)

    monkeypatch.setattr(Walker, "_scan", interrupted)
    monkeypatch.setattr(walk, "BATCH", 1)
    code, text = run(*command)
    assert code == 2
    assert "interrupted; run again to go on" in text
    assert set(looked_at) == {server.root.name if command == ("drift",) else "example.com"}
    assert ("interrupted at example.com; domains that were not reached: 1" in text) == ("--apply" in command)
    assert (server.vhosts / "example.net/httpdocs").stat().st_mode & 0o777 == 0o777


def test_templates_and_accounts_are_added_and_taken_out(server, run, tmp_path):
    run("hosting", "--instantiate", "--all")
    before = snapshot(server.vhosts / "example.com/httpdocs")
    own = tmp_path / "own.xml"
    own.write_text(
        '<R><Entry AccounType="0" Account="Null" Path="[HTTPD_VHOSTS_D]" SubPath="httpdocs\\data" AceFlags="0x3"'
        ' AccessMask="Modify" EntryFlags="0x0" Tag="AnonymousDomainUser"/></R>'
    )
    code, text = run("hosting", "--add-template", own, "--domain", "example.com")
    assert code == 0, text
    assert snapshot(server.vhosts / "example.com/httpdocs") != before
    assert run("hosting", "--remove-template", own, "--domain", "example.com")[0] == 0
    assert snapshot(server.vhosts / "example.com/httpdocs") == before
    own.write_text('<R><Entry AccounType="2"/></R>')
    assert run("hosting", "--add-template", own, "--all")[0] == 2
    assert run("hosting", "--remove-account", "www-data", "--domain", "example.com")[0] == 0
    assert "www-data" not in (server.vhosts / "example.com/.security").read_text()
    code, text = run("hosting", "--remove-account", "www-data", "--domain", "example.com")
    assert (code, "none was taken out" in text) == (2, True)
    code, text = run("hosting", "--add-template", "nothing", "--domain", "example.com")
    assert (code, "hosting_write_template.xml" in text) == (2, True)
    assert run("hosting", "--add-template", "hosting_write_template", "--domain", "example.com")[0] == 0
    assert run("hosting", "--remove-template", "hosting_write_template", "--domain", "example.com")[0] == 0
    for name in ("hosting_write_template", "hosting_write_template.xml"):
        assert run("hosting", "--remove-template", name, "--domain", "example.com")[0] == 2


def test_what_was_set_by_hand_is_found_restored_or_adopted(server, run):
    run("hosting", "--instantiate", "--all")
    run("disk", "--apply")
    assert run("drift", "--json") == (0, {"drift": [], "edited_rules": [], "problems": [], "runs": []})
    page, folder = (server.vhosts / "example.com/httpdocs" / name for name in ("index.html", "data"))
    page.chmod(0o660)
    folder.chmod(0o2700)
    code, found = run("drift", "--json")
    assert code == 1
    assert [Path(row["path"]) for row in found["drift"]] == [page, folder]
    assert found["drift"][0]["rules"]
    assert run("drift", folder, "--restore")[0] == 0
    assert [row["path"] for row in run("drift", server.vhosts / "example.com", "--json")[1]["drift"]] == [str(page)]
    code, text = run("drift", page, "--adopt")
    assert code == 0, text
    assert run("drift")[0] == 0
    assert page.stat().st_mode & 0o777 == 0o660
    assert "index.html" in (server.vhosts / "example.com/.security").read_text()


def test_what_accounts_that_no_rule_names_were_given_is_found_restored_or_adopted(server, run):
    module, folder = server.root / "program/module.py", server.root / "program"
    run("disk", "--apply")
    assert run("drift", server.root) == (0, "")
    after = snapshot(server.root / "program")
    subprocess.run(["setfacl", "-m", "u:lp:rwx", module], check=True)
    folder.chmod(0o777)
    assert run("disk", "--check")[0] == 0, "no rule is about these accounts"
    code, found = run("drift", server.root, "--json")
    assert (code, [(Path(row["path"]), row["by_hand"]) for row in found["drift"]]) == (
        1,
        [(folder, True), (module, True)],
    )
    code, text = run("drift", folder, "--restore")
    assert (code, snapshot(server.root / "program")) == (0, after), text
    assert run("drift", server.root) == (0, "")
    name = journal.names(server.runs)[-1]
    assert f"\nrun {name}; undo it with: innkeeper security undo {name} --state " in text
    assert run("undo", name, "--journal", server.runs)[0] == 0
    assert run("drift", folder, "--json")[1]["drift"], "what was put back can be undone"
    code, text = run("drift", module, "--adopt")
    assert code == 0, text
    assert "lp" in (server.disk_folder / "adopted.xml").read_text()
    assert run("drift", folder, "--adopt")[0] == 0
    assert run("drift", server.root) == (0, "")
    module.chmod(0o4777)
    code, text = run("drift", module, "--adopt")
    assert (code, "special bits" in text) == (2, True)
    subprocess.run(["setfacl", "-b", module], check=True)
    assert run("drift", module)[0] == 1


def test_what_a_killed_run_left_is_known_too(server, run, monkeypatch):
    run("disk", "--apply")
    (server.disk_folder / "own.xml").write_text(
        '<R><Entry AccounType="1" Account="lp" Path="[PRODUCT_ROOT_D]" AceFlags="0x3" AccessMask="Modify"'
        ' EntryFlags="0x0"/></R>'
    )
    with monkeypatch.context() as patch:
        patch.setattr(Book, "note", lambda *_: os._exit(9))
        child = os.fork()
        if not child:
            run("disk", "--apply")
        os.waitpid(child, 0)
    assert run("disk", "--check")[0] == 0, "it had come to its end, but for writing down what it left"
    assert run("drift", server.root) == (0, "")


def test_a_run_that_is_killed_before_it_is_described_stops_no_later_one(server, run, monkeypatch):
    run("disk", "--apply")
    with monkeypatch.context() as patch:
        patch.setattr(journal, "describe_run", lambda *_: os._exit(9))
        child = os.fork()
        if not child:
            run("disk", "--apply")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert run("disk", "--apply")[0] == 0
    assert run("drift", server.root) == (0, "")


def test_what_an_undone_run_had_found_is_no_drift(server, run):
    before = snapshot(server.root / "program")
    _, done = run("disk", "--apply", "--json")
    (server.root / "instance.json").write_text("{}")
    assert run("undo", done["runs"][0]["run"], "--state", server.root)[0] == 0
    assert snapshot(server.root / "program") == before
    assert [row for row in run("drift", server.root, "--json")[1]["drift"] if row["by_hand"]] == []


def test_a_rule_for_what_is_gone_stops_no_other(server, run):
    run("hosting", "--instantiate", "--all")
    docs = server.vhosts / "example.com/httpdocs"
    (docs / "index.html").chmod(0o660)
    assert run("drift", docs / "index.html", "--adopt")[0] == 0
    (docs / "index.html").unlink()
    (docs / "data").chmod(0o2777)
    code, text = run("hosting", "--apply", "--domain", "example.com")
    assert code == 0, text
    assert (docs / "data").stat().st_mode & 0o777 == 0o770
    code, found = run("hosting", "--check", "--domain", "example.com", "--json")
    assert (code, {item["code"] for item in found["runs"][0]["absent"]}) == (0, {"not-there"})
    (docs / "index.html").symlink_to("/etc/passwd")
    assert run("hosting", "--apply", "--domain", "example.com")[0] == 1
    code, found = run("drift", server.vhosts / "example.com", "--json")
    assert (code, {problem["code"] for problem in found["problems"]}) == (1, {"link"})
    hosting.instantiate(server, [DOMAIN], "alice", "again")
    (docs / "index.html").unlink()
    assert run("drift", docs / "index.html", "--adopt")[0] == 0
    assert "index.html" not in (server.vhosts / "example.com/.security").read_text()
    assert run("drift", docs / "index.html", "--adopt")[0] == 2


def test_what_is_adopted_again_takes_the_place_of_what_was(server, run):
    run("hosting", "--instantiate", "--all")
    odd = server.vhosts / "example.com/httpdocs/100%*.html"
    odd.write_text("")
    run("hosting", "--apply", "--all")
    rules = server.vhosts / "example.com/.security"
    before = rules.read_text()
    counts = []
    for mode in (0o604, 0o666, 0o666, 0o604):
        odd.chmod(mode)
        code, text = run("drift", odd, "--adopt")
        assert code == 0, text
        assert run("drift", odd) == (0, ""), "what was adopted is what the rules say"
        counts.append(rules.read_text().count("100%*.html"))
    assert counts[0] == counts[3]
    assert run("history", "--domain", "example.com", "--json")[1]["versions"][-1]["why"].startswith("adopted")
    odd.unlink()
    run("drift", odd, "--adopt")
    assert rules.read_text() == before


def test_what_no_rule_can_say_is_only_restored(server, run):
    run("hosting", "--instantiate", "--all")
    folder = server.vhosts / "example.com/httpdocs/data"
    text = (server.vhosts / "example.com/.security").read_text()
    folder.chmod(0o700)  # without the set-gid bit
    code, printed = run("drift", folder, "--adopt")
    assert code == 2
    assert "--restore" in printed
    assert (server.vhosts / "example.com/.security").read_text() == text


def test_a_web_users_drift_goes_into_his_own_instance(server, run):
    run("hosting", "--instantiate", "--all")
    folder = server.vhosts / "example.com/web_users/joe"
    make(folder, "file")
    run("hosting", "--apply", "--all")
    (folder / "file").chmod(0o600)
    assert run("drift", folder / "file", "--adopt")[0] == 0
    assert "joe\\file" in (server.vhosts / "example.com/.Web.joe.security").read_text()
    assert run("drift", server.vhosts / "example.com")[0] == 0


def test_the_history_of_an_instance_is_shown_compared_and_put_back(server, run):
    run("hosting", "--instantiate", "--all")
    file = server.vhosts / "example.com/.security"
    text = file.read_text()
    file.write_text(text.replace("FullAccess", "Read"))
    assert "changed by hand since" in run("history", "--domain", "example.com")[1]
    run("hosting", "--apply", "--domain", "example.com")
    versions = run("history", "--domain", "example.com", "--json")[1]["versions"]
    assert [version["why"] for version in versions] == ["made from its template", "changed by hand"]
    assert run("history", "--domain", "example.com", "--diff", 1, 2)[0] == 1
    assert 'AccessMask="Read"' in run("history", "--domain", "example.com", "--diff", 1)[1]
    assert run("history", "--domain", "example.com", "--restore", 1)[0] == 0
    assert file.read_text() == text
    assert run("history", "--domain", "example.com", "--diff", 1)[0] == 0
    assert run("history", "--domain", "example.com", "--restore", 7)[0] == 2
    assert run("history", "--domain", "example.com", "--show", 1, "--json")[1]["text"] == text
    for which in (["--webuser", "example.com:joe"], ["--subdomain", "shop.example.com"], ["--disk"],
                  ["--template", "hosting_template"]):  # fmt: skip
        assert run("history", *which)[0] == 0
    assert run("history", "--template", "../passwd")[0] == 2


def test_rules_are_carried_from_one_domain_to_another(server, run, tmp_path):
    run("hosting", "--instantiate", "--all")
    other = hosting.Hosted("s9", "domain", ("example.net",), DOMAIN.users | {"DomainUser": "lp"})
    hosting.instantiate(server, [other], "alice", "test")
    page = server.vhosts / "example.com/httpdocs/index.html"
    page.chmod(0o666)
    assert run("drift", page, "--adopt")[0] == 0
    file = tmp_path / "carried.xml"
    assert run("export", "--domain", "example.com", file)[0] == 0
    assert "SidStr" not in file.read_text()
    assert "example.com" not in file.read_text()
    target = server.vhosts / "example.net/.security"
    before = target.read_text()
    code, plan = run("import", file, "--domain", "example.net", "--plan", "--json")
    assert (code, target.read_text()) == (1, before)
    added = [line for line in plan["files"][0]["diff"].splitlines() if line.startswith("+ ")]
    assert added
    assert all("httpdocs\\index.html" in line for line in added), "what the domain has already does not come twice"
    assert run("import", file, "--all")[0] == 0
    assert "example.net\\httpdocs\\index.html" in target.read_text()
    assert run("import", file, "--all", "--plan")[0] == 0
    assert run("hosting", "--apply", "--domain", "example.net")[0] == 0


def test_what_is_bound_to_another_server_is_dropped_or_refused(server, run, tmp_path):
    file = tmp_path / "foreign.xml"
    rule = (
        '<Entry AccounType="1" Account="{}" SidStr="S-1-5-21-1-2-3-1004" Path="/" SubPath="data" AceFlags="0x3"'
        ' AccessMask="Read" EntryFlags="{}"/>'
    )
    file.write_text(f"<R>{rule.format('games', '0x40')}</R>")
    assert run("import", file, "--disk")[0] == 1
    text = (server.disk_folder / "foreign.xml").read_text()
    assert "S-1-5-21" not in text
    assert "S-1-22-1-5" in text
    file.write_text(f"<R>{rule.format('nobody-here', '0x40')}</R>")
    code, text = run("import", file, "--disk")
    assert code == 2
    assert "nobody-here" in text
    file.write_text(f"<R>{rule.format('Null', '0x40')}</R>".replace("/>", ' Tag="DomainUser"/>'))
    code, text = run("import", file, "--disk")
    assert (code, "foreign.xml:1:4: error placeholder" in text) == (2, True), "nobody stands for Null on a disk"
    file.with_name("DiskSecurity.xml").write_text("<R/>")
    assert run("import", file.with_name("DiskSecurity.xml"), "--disk")[0] == 2


def test_explain_knows_which_rules_govern_a_path(server, run):
    run("hosting", "--instantiate", "--all")
    run("disk", "--apply")
    page = server.vhosts / "example.com/httpdocs/index.html"
    code, found = run("explain", page, "--account", "www-data", "--json")
    answers = {row["right"]: (row["nt"], row["posix"], row["kernel"]) for row in found["answers"]}
    assert code == 0
    assert answers["read"][:2] == (True, True)
    assert answers["write"][:2] == (False, False)
    assert any(f"{server.vhosts}/example.com/.security:" in reason for reason in found["answers"][0]["reasons"])
    code, found = run("explain", server.root / "program", "--account", "bin", "--right", "read", "--json")
    assert "DiskSecurity.xml" in found["answers"][0]["reasons"][0]
    code, found = run("explain", server.vhosts / "example.com", "--account", "games", "--below", "--json")
    assert found["paths"] == ["web_users/joe"]


def test_all_three_kinds_have_their_parts():
    assert {account.kind for account in (DOMAIN, SUBDOMAIN, WEBUSER)} == set(hosting.TEMPLATES)
