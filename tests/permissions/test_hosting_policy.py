"""Instances of hosting accounts: made from templates, kept through changes, applied inside their own folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from servers import layout as make_layout
from trees import make, snapshot

from innkeeper.permissions import explain
from innkeeper.permissions.rules.document import Document
from innkeeper.permissions.rules.finding import RuleError
from innkeeper.permissions.rules.lint import lint
from innkeeper.permissions.server import disk, hosting
from innkeeper.permissions.server.history import BY_HAND, MetadataError
from innkeeper.permissions.server.hosting import Hosted, Target
from innkeeper.permissions.server.layout import Layout
from innkeeper.permissions.server.running import How

USERS = {
    "DomainUser": "bin", "AnonymousDomainUser": "www-data", "FtpSubaccounts": "news", "PsaAdmin": "sys",
    "psaServer": "www-data",
}  # fmt: skip
PARENTS = {"ParentUser": "bin", "AnonymousParentUser": "www-data"}
DOMAIN = Hosted("s1", "domain", ("example.com",), USERS)
SUBDOMAIN = Hosted("d2", "subdomain", ("example.com", "subdomains", "shop"), USERS | PARENTS)
WEBUSER = Hosted("u3", "webuser", ("example.com", "web_users", "joe"), USERS | PARENTS | {"DomainUser": "games"})
ALL = (DOMAIN, SUBDOMAIN, WEBUSER)


@pytest.fixture
def server(memory_tree: Path) -> Layout:
    made = make_layout(memory_tree)
    make(
        memory_tree,
        *(f"vhosts/example.com/{name}/" for name in ("httpdocs", "httpsdocs", "cgi-bin", "error_docs", "private")),
        *(f"vhosts/example.com/{name}/" for name in ("conf", "statistics", "web_users/joe")),
        "vhosts/example.com/subdomains/shop/httpdocs/",
        "vhosts/example.com/httpdocs/index.html", "vhosts/neighbour.com/httpdocs/index.html",
    )  # fmt: skip
    return made


def made(server: Layout, *accounts: Hosted) -> None:
    for outcome in hosting.instantiate(server, accounts, "alice", "test"):
        assert not outcome.run.report.stopped
        assert outcome.policy.findings == []


def file_of(server: Layout, account: Hosted) -> Path:
    return hosting.metadata(server, account).path


def entries(server: Layout, account: Hosted) -> list[dict[str, str]]:
    document = hosting.metadata(server, account).document()
    return [{name: found.value for name, found in element.attributes.items()} for element in document.entries]


def differences(server: Layout) -> list[str]:
    compiled = hosting.policy(server, "example.com")
    outcome = hosting.apply_to(server, compiled, "example.com", How(dry=True))
    return [change["path"] for change in outcome.changes]


def test_an_instance_is_its_template_with_accounts_and_paths_filled_in(server):
    made(server, *ALL)
    for account in ALL:
        path = file_of(server, account)
        assert path.stat().st_mode & 0o777 == 0o600
        assert lint(Document.load(path)) == []
        own = "\\".join(account.folder)
        for values in entries(server, account):
            assert values["AccounType"] == "1"
            assert values["Account"] in {*account.users.values(), "ftp_subaccounts"}
            assert values.get("SidStr", "").startswith("S-1-22-") or values["Account"] == "ftp_subaccounts"
            assert values["SubPath"] == own or values["SubPath"].startswith(f"{own}\\")
            assert values["Template"] == hosting.TEMPLATES[account.kind]
    assert file_of(server, WEBUSER) == server.vhosts / "example.com/.Web.joe.security"


def test_all_instances_of_a_domain_hold_together(server):
    made(server, DOMAIN)
    made(server, SUBDOMAIN)
    made(server, WEBUSER)
    assert differences(server) == []
    made(server, *ALL)
    assert differences(server) == []


def test_making_an_instance_reaches_its_own_account_alone(server):
    made(server, DOMAIN)
    neighbour = snapshot(server.vhosts / "neighbour.com")
    before = snapshot(server.root)
    made(server, WEBUSER)
    after = snapshot(server.root)
    changed = {path for path in after if before.get(path) != after[path] and not path.startswith("lib/")}
    inside = "vhosts/example.com/web_users"
    assert changed <= {"vhosts/example.com", "vhosts/example.com/.Web.joe.security", inside, f"{inside}/joe"}
    assert snapshot(server.vhosts / "neighbour.com") == neighbour


def test_a_second_time_changes_nothing_and_keeps_what_was_changed_by_hand(server):
    made(server, DOMAIN)
    path = file_of(server, DOMAIN)
    text = path.read_text().replace('SubPath="example.com\\private"', 'SubPath="example.com\\secret"')
    path.write_text(text)
    made(server, DOMAIN)
    assert path.read_text() == text
    versions = hosting.metadata(server, DOMAIN).versions()
    assert [(version.who, version.why) for version in versions] == [("alice", "test"), ("unknown", BY_HAND)]


@pytest.mark.parametrize("account", ALL, ids=lambda account: account.kind)
def test_additional_write_permissions_come_and_go(server, account):
    made(server, *ALL)
    before, text = snapshot(server.vhosts), file_of(server, account).read_text()
    made(server, replace(account, writable=True))
    extra = [values for values in entries(server, account) if values["Template"] == hosting.WRITE[account.kind]]
    assert len(extra) in (2, 4, 8)
    assert snapshot(server.vhosts) != before
    made(server, account)
    assert file_of(server, account).read_text() == text
    assert {k: v for k, v in snapshot(server.vhosts).items() if "security" not in k} == {
        k: v for k, v in before.items() if "security" not in k
    }


def test_a_document_root_of_its_own_is_made_and_ruled_as_httpdocs_is(server):
    made(server, *ALL)
    changed = replace(DOMAIN, www_root="pages/public")
    made(server, changed)
    root = server.vhosts / "example.com/pages/public"
    assert root.is_dir()
    make(root, "index.html")
    compiled = hosting.policy(server, "example.com")
    hosting.apply_to(server, compiled, "example.com", How())

    def may(*parts: str) -> list[bool]:
        compiled = hosting.policy(server, "example.com")
        asked = [compiled.principals.find(name) for name in ("bin", "www-data")]
        found = explain.explain(compiled, str(server.vhosts / "example.com"), parts, asked, ["read", "write"])
        return [bool(verdict.posix) for verdict in found.verdicts]

    assert may("pages", "public", "index.html") == may("httpdocs", "index.html") == [True, True, True, False]
    assert may("pages") == [True, True, False, False], "the folder above is the owner's too"
    made(server, DOMAIN)
    assert may("pages", "public", "index.html") == [True, True, False, False], "the owner keeps what he put there"
    assert {values["Template"] for values in entries(server, DOMAIN)} == {"hosting_template.xml", "folder:pages"}
    (root / "index.html").unlink()
    root.rmdir()
    (server.vhosts / "example.com/pages").rmdir()
    made(server, DOMAIN)
    assert not (server.vhosts / "example.com/pages").exists()


def test_a_document_root_that_its_owner_made_a_link_leads_nowhere(server):
    (server.vhosts / "example.com/httpdocs/current").symlink_to("/etc")
    (outcome,) = hosting.instantiate(server, [replace(DOMAIN, www_root="httpdocs/current")], "alice", "test")
    assert {problem.code for problem in outcome.run.report.problems} == {"link"}
    assert not outcome.run.report.stopped
    assert differences(server) == []


def test_instances_follow_a_new_version_of_their_template(server):
    made(server, *ALL)
    source = disk.template(server, "hosting_template.xml")
    path = file_of(server, DOMAIN)
    path.write_text(path.read_text().replace('SubPath="example.com\\private"', 'SubPath="example.com\\secret"'))
    text = source.document().text.replace("ReadWrite", "Read").replace('SubPath="statistics"', 'SubPath="figures"')
    source.write(text.encode(), "innkeeper", "shipped with this version")
    before = path.read_text()
    made(server, DOMAIN)
    after = path.read_text()
    assert "example.com\\secret" in after
    assert "example.com\\figures" in after
    assert "example.com\\statistics" not in after
    assert "ReadWrite" not in after
    assert before.count("<Entry") == after.count("<Entry")
    made(server, DOMAIN)
    assert path.read_text() == after


def test_a_domain_that_becomes_a_frame_swaps_its_template(server):
    made(server, replace(DOMAIN, is_frame=True))
    assert {values["Template"] for values in entries(server, DOMAIN)} == {hosting.FRAME}
    made(server, DOMAIN)
    assert {values["Template"] for values in entries(server, DOMAIN)} == {"hosting_template.xml"}


def test_a_renamed_domain_takes_its_rules_along(server):
    made(server, *ALL)
    (server.vhosts / "example.com").rename(server.vhosts / "example.net")
    moved = [replace(account, folder=("example.net", *account.folder[1:])) for account in ALL]
    made(server, *moved)
    for account in moved:
        assert all(values["SubPath"].startswith("example.net") for values in entries(server, account))
    assert hosting.key_of(server, ("example.com",)) is None
    assert hosting.key_of(server, ("example.net",)) == "s1"


def test_a_change_of_users_goes_into_the_rules(server):
    made(server, *ALL)
    made(server, replace(SUBDOMAIN, users=SUBDOMAIN.users | {"DomainUser": "games"}))
    by_tag = {values["Tag"]: values["Account"] for values in entries(server, SUBDOMAIN)}
    assert (by_tag["DomainUser"], by_tag["ParentUser"]) == ("games", "bin")


def test_removing_a_web_user_leaves_no_rule_and_no_passage(server):
    made(server, DOMAIN, SUBDOMAIN)
    before = snapshot(server.vhosts)
    made(server, WEBUSER)
    (server.vhosts / "example.com/web_users/joe").rmdir()
    hosting.remove_instance(server, WEBUSER)
    after = snapshot(server.vhosts)
    assert {path: state for path, state in before.items() if path != "example.com/web_users/joe"} == after
    assert hosting.key_of(server, WEBUSER.folder) is None


@pytest.mark.parametrize(
    "path",
    ['Path="[HTTPD_VHOSTS_D]" SubPath="neighbour.com"', 'Path="[PRODUCT_ROOT_D]"', 'Path="/etc"',
     'Path="[HTTPD_VHOSTS_D]" SubPath=""'],
)  # fmt: skip
def test_a_hosting_rule_never_leaves_its_domain(server, path):
    made(server, DOMAIN)
    add_rule(server, DOMAIN, path)
    folders = (server.vhosts, server.root / "program")
    before = [snapshot(folder) for folder in folders]
    with pytest.raises(RuleError, match="outside"):
        hosting.apply_to(server, hosting.policy(server, "example.com"), "example.com", How())
    assert [snapshot(folder) for folder in folders] == before


def test_a_rule_of_a_web_user_never_leaves_his_folder(server):
    made(server, *ALL)
    add_rule(server, WEBUSER, 'Path="[HTTPD_VHOSTS_D]" SubPath="example.com\\private"')
    with pytest.raises(RuleError, match="not in this account's folder"):
        hosting.apply_to(server, hosting.policy(server, "example.com"), "example.com", How())


def add_rule(server: Layout, account: Hosted, path: str) -> None:
    rule = (
        f'<Entry AccounType="1" Account="bin" {path} AceFlags="ThisObjectOnly" AccessMask="Read" EntryFlags="0x0"/>\n'
    )
    file = file_of(server, account)
    file.write_text(file.read_text().replace("</SecurityMetadata>", f"{rule}</SecurityMetadata>"))


def test_no_rule_gives_the_instance_to_anybody(server):
    make(server.vhosts, "example.com/.account", "example.com/web_users/.joe.account")
    (server.vhosts / "example.com/.account").chmod(0o600)
    made(server, *ALL)
    add_rule(server, DOMAIN, 'Path="[HTTPD_VHOSTS_D]" SubPath="example.com"')
    file = file_of(server, DOMAIN)
    file.write_text(file.read_text().replace('"ThisObjectOnly" AccessMask="Read"', '"0x3" AccessMask="FullAccess"'))
    hosting.apply_to(server, hosting.policy(server, "example.com"), "example.com", How())
    for account in ALL:
        assert file_of(server, account).stat().st_mode & 0o777 == 0o600
    assert (server.vhosts / "example.com/.account").stat().st_mode & 0o777 == 0o600
    assert (server.vhosts / "example.com/web_users/.joe.account").stat().st_mode & 0o777 == 0o644


def test_an_instance_that_a_customer_put_there_is_not_believed(server):
    made(server, DOMAIN)
    forged = server.vhosts / "example.com/.Web.mallory.security"
    forged.symlink_to("/etc/passwd")
    with pytest.raises(MetadataError, match="cannot be read as a metadata file"):
        hosting.policy(server, "example.com")
    forged.unlink()
    file_of(server, DOMAIN).chmod(0o666)
    with pytest.raises(MetadataError, match="somebody else than root"):
        hosting.policy(server, "example.com")


def test_own_templates_are_added_and_taken_out_again(server):
    made(server, *ALL)
    text = file_of(server, DOMAIN).read_text()
    source = Document(
        '<R><Entry AccounType="0" Account="Null" Path="[HTTPD_VHOSTS_D]" SubPath="data" AceFlags="0x3"'
        ' AccessMask="Modify" EntryFlags="0x140" Tag="AnonymousDomainUser"/></R>'
    )
    where = Target("example.com")
    principals = server.principals()
    add = hosting.adding(source, "data.xml", principals, ["domain"])
    assert [one.kind for one in hosting.change(server, where, add, "bob", "data.xml added")] == ["domain"]
    assert entries(server, DOMAIN)[-1]["Account"] == "www-data"
    assert hosting.change(server, where, add, "bob", "again") == []
    hosting.change(server, where, hosting.removing("data.xml"), "bob", "data.xml removed")
    assert file_of(server, DOMAIN).read_text() == text


def test_an_account_loses_every_rule(server):
    made(server, *ALL)
    hosting.change(server, Target("example.com"), hosting.removing_account("bin", server.principals()), "bob", "left")
    for account in ALL:
        assert "bin" not in {values["Account"] for values in entries(server, account)}


def test_targets_are_found_and_unknown_ones_named(server):
    made(server, *ALL)
    assert hosting.target(server, domain="EXAMPLE.com.") == Target("example.com")
    assert hosting.target(server, subdomain="shop.example.com") == Target("example.com", SUBDOMAIN.folder[1:])
    assert hosting.target(server, webuser="example.com:joe") == Target("example.com", WEBUSER.folder[1:])
    for wrong in (
        {"domain": "../etc"},
        {"domain": "x.com"},
        {"webuser": "example.com"},
        {"subdomain": "a.example.com"},
    ):
        with pytest.raises(MetadataError):
            hosting.target(server, **wrong)
