"""The commands of the engine alone, as a user types them, and templates."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from trees import entry, make, snapshot

import innkeeper
from innkeeper.permissions.cli import main
from innkeeper.permissions.nt import sid
from innkeeper.permissions.principals import GROUP_DOMAIN, Principals, UnknownAccountError, unlisted_sources
from innkeeper.permissions.rules import template
from innkeeper.permissions.rules.document import EMPTY, Document
from innkeeper.permissions.rules.entry import read_rules

ALL = "ThisFolderSubfoldersAndFiles"
ACCOUNT = "daemon"  # every Debian has it, and nothing runs as it


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.xml"

    def write(*entries: str) -> str:
        path.write_text("<R>\n" + "\n".join(entries) + "\n</R>")
        return str(path)

    return write


def arguments(tree, file, *more):
    return ["apply", "--rules", file, "--root", str(tree), *more]


def test_plan_apply_explain_undo(tree, rules, tmp_path, capsys):
    make(tree, "docs/index.html", "other/x")
    file = rules(entry(ACCOUNT, "docs", ALL, "Modify", "0x100"))
    runs = ["--journal", str(tmp_path / "runs")]
    before = snapshot(tree)
    assert main(arguments(tree, file, "--plan", "--json")) == 1
    plan = json.loads(capsys.readouterr().out)
    assert [change["path"] for change in plan["plan"]] == ["docs", "docs/index.html"]
    assert plan["plan"][1]["rules"] == [f"{file}:2:1"]
    assert snapshot(tree) == before

    assert main(arguments(tree, file, *runs, "--json")) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["changed"] == 2
    assert done["rules"][0]["effect"] == "stricter"
    assert [item["code"] for item in done["rules"][0]["limits"]] == ["of-owner"]
    assert main(arguments(tree, file, "--plan")) == 0
    capsys.readouterr()

    common = ["--rules", file, "--root", str(tree)]
    assert main(["explain", "docs/index.html", *common, "--account", ACCOUNT, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    answers = {row["right"]: row for row in told["answers"]}
    assert answers["write"]["nt"] is answers["write"]["posix"] is True
    assert f"{file}:2:1 allows {ACCOUNT}" in answers["write"]["reasons"][0]
    assert answers["write"]["reasons"][0].endswith("inherited from /docs")
    if os.geteuid() == 0:
        assert answers["write"]["kernel"] is True
    assert main(["explain", ".", *common, "--account", ACCOUNT, "--below"]) == 0
    assert capsys.readouterr().out.split() == ["docs", "docs/index.html"]

    (tree / "docs/index.html").chmod(0o600)
    assert main(["explain", "docs/index.html", *common, "--account", ACCOUNT]) == 1
    assert "the rules want" in capsys.readouterr().out
    (tree / "docs/index.html").chmod(0o674)

    assert main(["undo", "last", *runs]) == 0
    assert "2 put back" in capsys.readouterr().out
    assert snapshot(tree) == before


def test_export_writes_a_file(tree, rules, tmp_path, capsys):
    make(tree, "docs/a")
    file = rules(entry(ACCOUNT, "docs", ALL, "Read"))
    out = tmp_path / "out.txt"
    assert main(arguments(tree, file, "--store", "export", "--output", str(out))) == 0
    assert f"{tree.name}\\docs\\a" in out.read_bytes().decode("utf-16-le")
    assert "/setowner" in (tmp_path / "out.txt.owners.cmd").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"account": "no-such-account"}, "no-account"),
        ({"account": "Null", "Tag": "DomainUser"}, "say who DomainUser is"),
        ({"path": "gone"}, "not-there"),
        ({"Path": "/etc"}, "outside-root"),
        ({"Path": "26"}, "well-known-path"),
        ({"mask": "Much"}, "access-mask"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(tree, rules, capsys, changes, message):
    make(tree, "docs/a")
    more = {name: value for name, value in changes.items() if name[0].isupper()}
    file = rules(
        entry(ACCOUNT, "docs", ALL, "Read"),
        entry(changes.get("account", ACCOUNT), changes.get("path", "docs"), ALL, changes.get("mask", "Read"), **more),
    )
    before = snapshot(tree)
    assert main(arguments(tree, file, "--no-journal")) == 2
    captured = capsys.readouterr()
    assert f"{file}:3:" in captured.err
    assert message in captured.err
    assert snapshot(tree) == before


def test_a_name_that_commands_a_terminal_is_shown_and_not_obeyed(tree, rules, capsys):
    name = os.fsdecode(b"a\x1b[2J\xff\nb")
    make(tree, "docs/\x9bc", "again")
    os.link(tree / "again", tree / "docs" / name)
    file = rules(entry(ACCOUNT, "docs", ALL, "Read"), entry("no\x9body", "docs", ALL, "Read", "0x8"))
    assert main(arguments(tree, file, "--no-journal")) == 1
    told = capsys.readouterr().err.splitlines()
    assert "docs/a\\x1b[2J\\xff\\nb: hard-link: has several names and was left alone" in told
    assert f"{file}:3:1: error no-account: no account of this system is called no\\x9body" in told
    assert main(arguments(tree, file, "--store", "export")) == 1
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == [".", "docs", "docs/\\x9bc"]


def test_null_is_filled_by_tag(tree, rules, capsys):
    make(tree, "docs/a")
    file = rules(entry("Null", "docs", ALL, "Read", Tag="DomainUser", AccounType="0"))
    assert main(arguments(tree, file, "--no-journal", "--tag", f"domainuser={ACCOUNT}")) == 0
    assert f"allow {ACCOUNT} Read" in capsys.readouterr().out


def test_a_folder_of_rules_and_named_folders(tree, rules, tmp_path, capsys):
    make(tree, "vhosts/site/a")
    rules(entry(ACCOUNT, "site", ALL, "Read", Path="[HTTPD_VHOSTS_D]"))
    token = f"HTTPD_VHOSTS_D={tree / 'vhosts'}"
    assert main(arguments(tree, str(tmp_path), "--no-journal", "--token", token, "--plan")) == 1
    assert "vhosts/site/a" in capsys.readouterr().out


def test_lint_exit_codes(rules, tmp_path, capsys):
    assert main(["lint", rules(entry(ACCOUNT, "docs", ALL, "Read"))]) == 0
    assert main(["lint", rules(entry(ACCOUNT, "docs", "FilesOnly", "Read"))]) == 1
    assert main(["lint", rules(entry(ACCOUNT, "..", ALL, "Read"))]) == 2
    assert "leaves-root" in capsys.readouterr().out
    assert main(["lint", str(tmp_path / "none.xml")]) == 2
    assert "No such file" in capsys.readouterr().err
    os.mkfifo(tmp_path / "pipe.xml")
    assert main(["lint", str(tmp_path / "pipe.xml")]) == 2
    assert "is no file" in capsys.readouterr().out


def test_every_outcome_is_one_json_object_and_the_way_back_works_as_it_is_printed(tree, rules, tmp_path, capsys):
    make(tree, "docs/a")
    file = rules(entry(ACCOUNT, "docs", ALL, "Modify"))
    runs = tmp_path / "some runs"
    before = snapshot(tree)
    assert main(arguments(tree, file, "--journal", str(runs))) == 0
    way_back = capsys.readouterr().out.partition("innkeeper security ")[2]
    assert main(shlex.split(way_back)) == 0
    assert snapshot(tree) == before
    for wrong in (
        ["apply", "--rules", "none.xml", "--root", str(tree)],
        ["apply", "--rules", file, "--root", str(tree / "none")],
        ["explain", "none", "--rules", file, "--root", str(tree)],
        ["undo", "nonsense", "--journal", str(runs)],
        ["lint", str(tmp_path / "none.xml")],
    ):
        capsys.readouterr()
        assert main([*wrong, "--json"]) == 2
        captured = capsys.readouterr()
        assert json.loads(captured.out)["error"] in captured.err


@pytest.mark.parametrize(
    "wrong",
    [["frobnicate"], ["apply", "--root", "/"], ["apply", "--rules", "x", "--root", "/", "--jobs", "0"], ["undo"]],
)
def test_wrong_usage_does_nothing(wrong):
    with pytest.raises(SystemExit) as error:
        main(wrong)
    assert error.value.code == 2


@pytest.mark.parametrize("name", ["../../etc", "20260101T120000Z-0a1b2c"])
def test_an_unknown_run_is_said(tmp_path, capsys, name):
    assert main(["undo", name, "--journal", str(tmp_path)]) == 2
    assert name in capsys.readouterr().err


def test_accounts_of_the_system():
    system = Principals.of_system({"psaserv": "Unix Group\\daemon", "NETWORK SERVICE": "psaserv"})
    account, group = pwd.getpwnam(ACCOUNT), grp.getgrnam(ACCOUNT)
    assert system.find(ACCOUNT) == sid.user(account.pw_uid)
    assert system.find(ACCOUNT, GROUP_DOMAIN) == system.find("@daemon") == sid.group(group.gr_gid)
    assert system.find("PsaServ") == sid.group(group.gr_gid)
    assert system.find("Everyone") == sid.EVERYONE
    assert sid.group(group.gr_gid) in system.token(sid.user(account.pw_uid))
    assert system.name(sid.group(group.gr_gid)) == "@daemon"
    with pytest.raises(UnknownAccountError):
        system.find("no-such-account")


def test_sidstr_decides_and_a_disagreement_is_said():
    text = entry(ACCOUNT, "", ALL, "Read", SidStr="S-1-22-1-0")
    foreign = entry(ACCOUNT, "", ALL, "Read", SidStr="S-1-5-21-1-2-3-1043")
    (one, two), _ = read_rules([Document(f"<R>{text}{foreign}</R>")])
    system = Principals.of_system()
    found, findings = system.resolve(one)
    assert found == sid.user(0)
    assert [finding.code for finding in findings] == ["sid-disagrees"]
    assert system.resolve(two) == (system.find(ACCOUNT), [])


TEMPLATE = """<SecurityMetadata>
  <!-- the site's own user -->
  <Entry AccounType="0" Account="Null" Path="[HTTPD_VHOSTS_D]" SubPath="error_docs\\*.*" AceFlags="FilesOnly"
         AccessMask="ReadWrite" EntryFlags="0x80" Tag="DomainUser" Tag2="" Note="kept"/>
  <Entry AccounType="0" Account="Null" Path="[HTTPD_VHOSTS_D]" SubPath="httpdocs" AceFlags="FilesOnly"
         AccessMask="Read" EntryFlags="0x0" Tag="ParentUser"/>
</SecurityMetadata>"""


def test_an_instance_is_made_as_documented_and_taken_out_exactly():
    accounts = {"DomainUser": template.Account("domainuser1", sid.user(1043))}
    entries = template.instance_entries(Document(TEMPLATE), accounts, "example.com")
    assert len(entries) == 1
    instance = template.add(Document(EMPTY), entries)
    (made,) = instance.entries
    assert {name: made.get(name) for name in ("AccounType", "Account", "SidStr", "SubPath", "Note", "Tag")} == {
        "AccounType": "1", "Account": "domainuser1", "SidStr": "S-1-22-1-1043",
        "SubPath": "example.com\\error_docs\\*.*", "Note": "kept", "Tag": "DomainUser",
    }  # fmt: skip
    own = instance.with_entry({"Account": "domainuser1", "Path": "/"})
    assert template.add(own, entries).text == own.text
    assert [element.get("Path") for element in template.remove(own, entries).entries] == ["/"]
    assert template.remove(instance, entries).text == EMPTY
    assert template.remove_account(own, "DomainUser1").entries == []


def test_the_engine_needs_no_panel():
    program = "import sys, innkeeper.permissions.commands as c; sys.exit('django' in sys.modules)"
    source = Path(innkeeper.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": str(source)}, check=False)
    assert done.returncode == 0


def test_sources_that_do_not_list_their_accounts_are_named(tmp_path):
    file = tmp_path / "nsswitch.conf"
    file.write_text("passwd: files systemd sss # local first\ngroup: files [SUCCESS=merge] ldap\nhosts: dns\n")
    assert unlisted_sources(file) == ["sss", "ldap"]
    file.write_text("passwd: files systemd\ngroup: files\n")
    assert unlisted_sources(file) == unlisted_sources(tmp_path / "none") == []
