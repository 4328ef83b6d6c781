"""The rules that are shipped: no remark of the linter, and what they mean for processes of other users."""

from __future__ import annotations

# Calls of the system are what is tested, and what actors do is written as lambdas.
# ruff: noqa: PTH208, PLW0108
import os
from pathlib import Path

import pytest
from trees import ALICE, BOB, CHARLIE, MEMBERS, PRINCIPALS, WEB, as_user, make

from innkeeper.permissions import policies
from innkeeper.permissions.apply import Options, run
from innkeeper.permissions.nt import sid
from innkeeper.permissions.places import Places
from innkeeper.permissions.policy import Policy
from innkeeper.permissions.rules import template
from innkeeper.permissions.rules.document import EMPTY, Document
from innkeeper.permissions.rules.entry import read_rules
from innkeeper.permissions.rules.lint import lint
from innkeeper.permissions.stores.posix import PosixStore

ACCOUNTS = {
    "DomainUser": template.Account("site-user", sid.user(ALICE)),
    "AnonymousDomainUser": template.Account("site-web", sid.user(WEB)),
    "ParentUser": template.Account("parent-user", sid.user(BOB)),
    "AnonymousParentUser": template.Account("parent-web", sid.user(WEB)),
}
FILES = [
    "DiskSecurity.xml", "frame_forwarding_template.xml", "hosting_template.xml", "hosting_write_template.xml",
    "subdomain_template.xml", "subdomain_write_template.xml", "webuser_template.xml", "webuser_write_template.xml",
]  # fmt: skip


def instance(*names: str, folder: str) -> Document:
    made = Document(EMPTY, ".security")
    for name in names:
        entries = template.instance_entries(Document.load(policies.FOLDER / name), ACCOUNTS, folder)
        made = template.add(made, entries)
    return made


def apply_to(root: Path, document: Document) -> Policy:
    rules, findings = read_rules([document])
    assert findings == []
    policy = Policy(rules, PRINCIPALS, Places(str(root), {"HTTPD_VHOSTS_D": str(root)}))
    report = run(policy, PosixStore(policy), str(root), Options()).report
    assert not report.stopped
    assert report.problems == []
    assert run(policy, PosixStore(policy), str(root), Options()).report.changed == 0
    return policy


def test_all_files_are_there_and_the_linter_has_nothing_to_say():
    assert sorted(path.name for path in policies.FOLDER.glob("*.xml")) == FILES
    for name in FILES:
        assert lint(Document.load(policies.FOLDER / name)) == []


@pytest.mark.parametrize("kind", ["hosting", "subdomain", "webuser"])
def test_write_permissions_come_and_go_without_a_trace(kind):
    plain = instance(f"{kind}_template.xml", folder="example.com")
    extra = template.instance_entries(
        Document.load(policies.FOLDER / f"{kind}_write_template.xml"), ACCOUNTS, "example.com"
    )
    written = template.add(plain, extra)
    assert len(written.entries) == len(plain.entries) + len(extra)
    assert template.remove(written, extra).text == plain.text


@pytest.mark.service
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become other users")
def test_a_domain_made_from_the_template(tree):
    site = tree / "example.com"
    make(tree, "example.com/httpdocs/index.html", "example.com/error_docs/404.html", "example.com/private/key")
    make(tree, "example.com/.security", "neighbour.com/httpdocs/index.html")
    for path in site.rglob("*"):
        if path.name != ".security":
            os.chown(path, ALICE, min(MEMBERS[ALICE]))
    (site / ".security").chmod(0o600)
    apply_to(tree, instance("hosting_template.xml", folder="example.com"))
    docs = site / "httpdocs"

    def allowed(uid, action):
        return as_user(uid, action)

    assert {path.name for path in site.iterdir()} >= {"httpsdocs", "cgi-bin", "statistics", "conf"}
    assert allowed(ALICE, lambda: (docs / "index.html").write_text("mine"))
    assert allowed(ALICE, lambda: (docs / "new.html").write_text("new"))
    assert not allowed(ALICE, lambda: docs.rename(site / "gone"))
    assert not allowed(ALICE, lambda: (site / "file").write_text("no"))
    assert not allowed(ALICE, lambda: (site / ".security").read_text())
    assert not allowed(ALICE, lambda: os.listdir(site / "conf"))
    assert allowed(ALICE, lambda: (site / "error_docs/404.html").write_text("sorry"))
    assert not allowed(ALICE, lambda: (site / "error_docs/new.html").write_text("no"))
    assert allowed(ALICE, lambda: (site / "private/key").read_text())
    assert allowed(ALICE, lambda: (site / "cgi-bin/run").write_text("#!/bin/sh\n"))
    assert allowed(ALICE, lambda: (site / "cgi-bin/run").chmod(0o755))
    assert not allowed(ALICE, lambda: (site / "statistics/forged").write_text("no"))

    assert allowed(WEB, lambda: (docs / "new.html").read_text())
    assert allowed(WEB, lambda: (site / "error_docs/404.html").read_text())
    assert allowed(WEB, lambda: os.access(site / "cgi-bin/run", os.X_OK) or _refuse())
    assert not allowed(WEB, lambda: (docs / "new.html").write_text("no"))
    assert not allowed(WEB, lambda: (docs / "made-by-web").write_text("no"))
    assert not allowed(WEB, lambda: (site / "private/key").read_text())

    for stranger in (BOB, CHARLIE):
        assert not allowed(stranger, lambda: (docs / "index.html").read_text())
        assert not allowed(stranger, lambda: os.listdir(site))
    assert allowed(BOB, lambda: (tree / "neighbour.com/httpdocs/index.html").read_text())

    apply_to(tree, instance("hosting_template.xml", "hosting_write_template.xml", folder="example.com"))
    assert allowed(WEB, lambda: (docs / "made-by-web").write_text("yes"))
    assert allowed(ALICE, lambda: (docs / "made-by-web").write_text("and mine"))
    assert not allowed(WEB, lambda: (site / "private/key").read_text())
    apply_to(tree, instance("hosting_template.xml", folder="example.com"))
    assert not allowed(WEB, lambda: (docs / "again-by-web").write_text("no"))


@pytest.mark.service
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become other users")
def test_the_owner_of_the_domain_works_in_its_subdomains_and_web_users(tree):
    make(tree, "sub/httpdocs/a", "web/b")
    for path in (tree / "sub/httpdocs/a", tree / "web/b"):
        os.chown(path, ALICE, min(MEMBERS[ALICE]))
    for kind, folder, inside in (("subdomain", "sub", "sub/httpdocs"), ("webuser", "web", "web")):
        apply_to(tree, instance(f"{kind}_template.xml", folder=folder))
        for uid in (ALICE, BOB):
            assert as_user(uid, lambda inside=inside, uid=uid: (tree / inside / f"of-{uid}").write_text("x"))
            assert not as_user(uid, lambda inside=inside: (tree / inside).rename(tree / "gone"))
        assert as_user(BOB, lambda inside=inside: (tree / inside / f"of-{ALICE}").write_text("y"))
        assert as_user(WEB, lambda inside=inside: (tree / inside / f"of-{ALICE}").read_text())
        assert not as_user(WEB, lambda inside=inside: (tree / inside / "z").write_text("z"))
        assert not as_user(CHARLIE, lambda inside=inside: os.listdir(tree / inside))


def _refuse():
    raise PermissionError
