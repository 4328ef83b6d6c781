"""Rights of an account's files: what is told of them, what the kernel says, and rules that an owner sets."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from innkeeper.hostd.client import HostdError
from innkeeper.hostd.file_client import FileRefusedError, Files, RightsRule
from innkeeper.hostd.file_requests import HostingOf
from innkeeper.permissions.nt import sid as sids
from innkeeper.permissions.server import hosting
from tests.hosted import Hosted, hosting_machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes a system user: run as root")
DOMAIN = "example.test"
READ, WRITE, FULL = 0x120089, 0x120116, 0x1F01FF
WEB = sids.user(pwd.getpwnam("www-data").pw_uid)


@pytest.fixture(scope="module")
def machine() -> Iterator[Hosted]:
    with hosting_machine(changes_hostd=True) as machine:
        yield machine


@pytest.fixture
def root(machine: Hosted) -> Path:
    root = machine.tree(DOMAIN)
    (root / "httpdocs/blog").mkdir()
    (root / "httpdocs/blog/post").write_text("text")
    for path in ("httpdocs/blog", "httpdocs/blog/post"):
        machine.own(root / path)
    machine.rule(DOMAIN)
    return root


@pytest.fixture
def files(machine: Hosted, root: Path) -> Files:
    return Files(machine.client, HostingOf(17, DOMAIN))


def may(user: str, test: str, path: Path) -> bool:
    """Ask a real process of a user; the way to the tree is opened to all for it."""
    path_to = next(folder for folder in path.parents if folder.name.startswith("ik-"))
    path_to.chmod(0o711)
    try:
        become = ["setpriv", "--reuid", user, "--regid", user, "--init-groups"]
        return subprocess.run([*become, "test", test, path], check=False).returncode == 0
    finally:
        path_to.chmod(0o700)


def refusal(call: Any, *args: Any) -> str:
    with pytest.raises(FileRefusedError) as refused:
        call(*args)
    return refused.value.code


def set_rights(files: Files, path: tuple[str, ...], rule: RightsRule) -> Any:
    return files.work("files_set_rights", path=path, who="alice", **asdict(rule))


def test_rights_are_told_with_their_origin(files: Files, machine: Hosted) -> None:
    told = files.rights(("httpdocs", "blog"))
    names = [account["name"] for account in told["accounts"]]
    assert machine.user in names and "www-data" in names and "Everyone" in names and "root" not in names
    (web,) = [entry for entry in told["entries"] if entry["sid"] == WEB and entry["is_here"]]
    assert (web["origin"], web["deny"], web["rules"][0]["at"]) == ("inherited", False, "httpdocs")
    assert told["critical"] == "" and told["drift"] is False
    assert (told["owner"], told["is_folder"]) == (machine.user, True)


def test_what_is_set_by_hand_is_told_as_that(files: Files, root: Path) -> None:
    subprocess.run(["setfacl", "-m", "u:news:rwx", root / "httpdocs/blog"], check=True)
    told = files.rights(("httpdocs", "blog"))
    assert told["drift"] is True
    assert [(entry["name"], entry["now"], entry["wanted"]) for entry in told["hand"]] == [("news", "rwx", "---")]
    assert "news" in [account["name"] for account in told["accounts"]]


@pytest.mark.parametrize(
    ("user", "path"), [("www-data", "httpdocs/blog/post"), ("own", "private"), ("www-data", "private")]
)
def test_effective_rights_are_what_the_kernel_says(
    user: str, path: str, files: Files, root: Path, machine: Hosted
) -> None:
    name = machine.user if user == "own" else user
    told = files.rights(tuple(path.split("/")), sids.user(pwd.getpwnam(name).pw_uid))
    tested = {"read": may(name, "-r", root / path), "write": may(name, "-w", root / path)}
    assert {right: told["kernel"][right] for right in tested} == tested
    assert {v["right"]: v["lists"] for v in told["verdicts"] if v["right"] in tested} == tested
    assert all(verdict["reasons"] for verdict in told["verdicts"] if verdict["rules"])


def test_an_owner_denies_and_allows_and_takes_it_back(files: Files, root: Path) -> None:
    blog = root / "httpdocs/blog"
    done = set_rights(files, ("httpdocs", "blog"), RightsRule(WEB, 0, FULL, "ThisFolderSubfoldersAndFiles"))
    assert done["changed"] == 2 and done["run"]
    assert not may("www-data", "-r", blog / "post")
    (own,) = [account["own"] for account in files.rights(("httpdocs", "blog"))["accounts"] if account["sid"] == WEB]
    assert own == {"allow": 0, "deny": 0x27, "applies": "ThisFolderSubfoldersAndFiles"}
    assert blog.stat().st_uid != 0  # he who denies it can also take it back
    set_rights(files, ("httpdocs", "blog"), RightsRule(WEB, READ | WRITE, 0, "ThisFolderSubfoldersAndFiles"))
    assert may("www-data", "-w", blog / "post")
    assert (root / ".security").read_text().count('SubPath="example.test\\httpdocs\\blog"') == 1
    set_rights(files, ("httpdocs", "blog"), RightsRule(WEB, 0, 0, "ThisObjectOnly"))
    assert may("www-data", "-r", blog / "post") and not may("www-data", "-w", blog / "post")
    assert "httpdocs\\blog" not in (root / ".security").read_text()
    assert set_rights(files, ("httpdocs", "blog"), RightsRule(WEB, 0, 0, "ThisObjectOnly"))["changed"] == 0


def test_a_file_gets_a_rule_of_its_own(files: Files, root: Path) -> None:
    rule = RightsRule(WEB, 0, READ, "ThisFolderSubfoldersAndFiles")
    set_rights(files, ("httpdocs", "blog", "post"), rule)
    assert not may("www-data", "-r", root / "httpdocs/blog/post")
    assert may("www-data", "-r", root / "httpdocs/blog")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (("httpdocs",), "kept"),
        (("conf",), "kept"),
        (("statistics",), "kept"),
        ((".security",), "rules"),
        (("httpdocs", "roots"), "of-root"),
        (("httpdocs", "gone"), "missing"),
        (("httpdocs", "a\tb"), "unseen"),
        (("httpdocs", "line\nbreak"), "unseen"),
    ],
)
def test_critical_objects_are_refused_with_the_reason(
    path: tuple[str, ...], code: str, files: Files, root: Path, machine: Hosted
) -> None:
    (root / "httpdocs/roots").mkdir()
    if code == "unseen":
        (root / "httpdocs" / path[-1]).touch()
        machine.own(root / "httpdocs" / path[-1])
    before = (root / ".security").read_bytes()
    assert refusal(set_rights, files, path, RightsRule(WEB, FULL, 0, "ThisObjectOnly")) == code
    assert (root / ".security").read_bytes() == before
    if code != "missing":
        assert files.rights(path)["critical"] == code


def test_what_the_account_can_pass_but_not_read_is_told_too(files: Files, root: Path, machine: Hosted) -> None:
    (root / "subdomains/shop/httpdocs").mkdir(parents=True)
    for path in ("subdomains", "subdomains/shop"):
        (root / path).chmod(0o711)
    machine.own(root / "subdomains/shop/httpdocs")
    assert refusal(lambda: files.page(("subdomains",), count=1)) == "denied"
    assert files.rights(("subdomains", "shop", "httpdocs"))["owner"] == machine.user


def test_a_rule_about_what_is_mounted_is_taken_back_with_the_reason(files: Files, root: Path, machine: Hosted) -> None:
    blog = root / "httpdocs/blog"
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", blog], check=False).returncode:
        pytest.skip("may not mount anything here")
    try:
        machine.own(blog)
        before = (root / ".security").read_bytes()
        with pytest.raises(FileRefusedError) as refused:
            set_rights(files, ("httpdocs", "blog"), RightsRule(WEB, FULL, 0, "ThisObjectOnly"))
        assert (refused.value.code, (root / ".security").read_bytes()) == ("not-applied", before)
        assert "something is mounted at httpdocs/blog" in refused.value.limit
        assert os.listxattr(blog) == []
    finally:
        subprocess.run(["umount", blog], check=True)


def test_nobody_gives_rights_to_whom_the_account_does_not_know(files: Files, root: Path) -> None:
    for sid in (sids.user(0), sids.group(0), sids.user(pwd.getpwnam("man").pw_uid), "S-1-5-32-544"):
        rule = RightsRule(sid, FULL, 0, "ThisObjectOnly")
        assert refusal(set_rights, files, ("httpdocs", "blog"), rule) == "account"


@pytest.mark.parametrize("path", [("httpdocs", "blog"), ("httpdocs", "blog", "post")])
def test_an_owner_cannot_shut_the_site_out_of_its_own_files(
    path: tuple[str, ...], files: Files, root: Path, machine: Hosted
) -> None:
    own = sids.user(pwd.getpwnam(machine.user).pw_uid)
    before = (root / ".security").read_bytes()
    for rule in (
        RightsRule(own, 0, READ, "ThisFolderSubfoldersAndFiles"),
        RightsRule(sids.EVERYONE, 0, FULL, "ThisObjectOnly"),
    ):
        assert refusal(set_rights, files, path, rule) == "self"
        assert (root / ".security").read_bytes() == before
        assert files.rights(path)["drift"] is False


def test_rules_of_a_domain_are_those_of_its_webspace(files: Files, machine: Hosted, root: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("innkeeper.hostd.rights.user_name", lambda _instance, key: f"other-{key}")
        assert refusal(files.rights, ("httpdocs",)) == "no-rules"
        rule = RightsRule(WEB, FULL, 0, "ThisObjectOnly")
        assert refusal(set_rights, files, ("httpdocs", "blog"), rule) == "no-rules"


def test_broken_rules_are_named_and_nothing_is_changed(files: Files, root: Path) -> None:
    text = (root / ".security").read_text()
    (root / ".security").write_text(text.replace('EntryFlags="0x140"', 'EntryFlags="0x999"', 1))
    assert refusal(files.rights, ("httpdocs", "blog")) == "rules-broken"
    rule = RightsRule(WEB, 0, READ, "ThisObjectOnly")
    assert refusal(set_rights, files, ("httpdocs", "blog"), rule) == "rules-broken"
    assert may("www-data", "-r", root / "httpdocs/blog/post")


def test_a_rule_is_undone_with_all_that_it_changed(files: Files, root: Path) -> None:
    blog, before = root / "httpdocs/blog", (root / ".security").read_bytes()
    subprocess.run(["setfacl", "-m", "u:news:r", blog / "post"], check=True)  # what was set by hand comes back too
    rule = RightsRule(WEB, 0, FULL, "ThisFolderSubfoldersAndFiles")
    done = set_rights(files, ("httpdocs", "blog"), rule)
    assert done["changed"] == 2
    assert not may("www-data", "-r", blog / "post")
    undoing = {"path": ("httpdocs", "blog"), "run": done["run"], "version": done["version"], "who": "alice"}
    assert files.work("files_undo_rights", **undoing)["changed"] == 2
    assert (root / ".security").read_bytes() == before
    assert may("www-data", "-r", blog / "post")
    told = subprocess.run(["getfacl", "-cp", blog / "post"], check=True, capture_output=True, text=True)
    assert "user:news:r--" in told.stdout
    assert files.work("files_undo_rights", **undoing)["changed"] == 0  # as after a crash between its steps


def test_what_was_changed_since_is_not_undone(files: Files, root: Path, machine: Hosted) -> None:
    blog = ("httpdocs", "blog")
    first = set_rights(files, blog, RightsRule(WEB, 0, FULL, "ThisFolderSubfoldersAndFiles"))
    undoing = {"path": blog, "run": first["run"], "version": first["version"], "who": "alice"}
    second = set_rights(files, blog, RightsRule(WEB, READ, 0, "ThisFolderSubfoldersAndFiles"))
    kept = (root / ".security").read_bytes()
    assert refusal(lambda: files.work("files_undo_rights", **undoing)) == "changed-since"
    for bad in ({"run": "20260101T000000Z-000000"}, {"version": 900}):
        undone = undoing | {"version": second["version"]} | bad
        assert refusal(lambda undone=undone: files.work("files_undo_rights", **undone)) in ("no-run", "rules-broken")
    machine.tree("other.test")
    machine.rule("other.test")
    others = Files(machine.client, HostingOf(18, "other.test"))
    (machine.vhosts / "other.test/httpdocs/x").mkdir()
    machine.own(machine.vhosts / "other.test/httpdocs/x")
    stranger = set_rights(others, ("httpdocs", "x"), RightsRule(WEB, 0, FULL, "ThisObjectOnly"))
    foreign = undoing | {"run": stranger["run"], "version": second["version"]}
    assert refusal(lambda: files.work("files_undo_rights", **foreign)) == "no-run"
    assert (root / ".security").read_bytes() == kept


def test_a_document_root_of_a_sites_own_is_kept_as_the_usual_one_is(files: Files, root: Path, machine: Hosted) -> None:
    (root / "public/web").mkdir(parents=True)
    for path in ("public", "public/web"):
        machine.own(root / path)
    users = {"DomainUser": machine.user, "AnonymousDomainUser": "www-data"}
    account = hosting.Hosted("s1", "domain", (DOMAIN,), users, www_root="public/web")
    hosting.instantiate(machine.layout, [account], "test", "test")
    assert files.rights(("public", "web"))["critical"] == "kept"
    assert files.rights(("httpdocs", "blog"))["critical"] == ""


def test_a_rule_that_was_cut_off_is_applied_when_it_is_asked_for_again(
    files: Files, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = RightsRule(WEB, 0, FULL, "ThisFolderSubfoldersAndFiles")

    def killed(*_args: Any, **_kwargs: Any) -> Any:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(hosting, "apply_to", killed)
        with pytest.raises(HostdError):
            set_rights(files, ("httpdocs", "blog"), rule)
    assert may("www-data", "-r", root / "httpdocs/blog/post")
    assert set_rights(files, ("httpdocs", "blog"), rule)["changed"] == 2
    assert not may("www-data", "-r", root / "httpdocs/blog/post")
