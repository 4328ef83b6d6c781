"""Trees of hosting accounts: made as the layout says, moved, buried and never mistaken for another's."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from innkeeper.hostd import trees
from innkeeper.hostd.hosting_accounts import Spec
from innkeeper.hostd.trees import Move, Owners, TreeError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give folders to other users")

FIRST = Spec("domain", 17, 17, 17, "first.example")
SECOND = Spec("domain", 19, 19, 19, "second.example")
SHOP = Spec("subdomain", 20, 17, 17, "first.example", "shop")
ANNA = Spec("webuser", 5, 17, 17, "first.example", "anna")
OWNERS = Owners(user=1_900_001_068, servers=1_900_000_001, customers=1_900_000_002)


@pytest.fixture
def vhosts(tmp_path: Path) -> Path:
    root = tmp_path / "vhosts"
    for folder in (root, root / trees.MOVING, root / trees.GRAVES):
        folder.mkdir()
    return root


def facts(folder: Path) -> dict[str, tuple[int, int, int]]:
    return {
        path.name: (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o7777)
        for path in (folder, *folder.iterdir())
        if path.is_dir()
    }


def graves(vhosts: Path) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in (vhosts / trees.GRAVES).iterdir() if path.is_dir())


def test_a_domain_gets_the_default_layout_and_keeps_what_it_has(vhosts: Path) -> None:
    trees.ensure(vhosts, FIRST, OWNERS)
    user, servers = OWNERS.user, OWNERS.servers
    layout = {
        "first.example": (0, servers, 0o711),
        "httpdocs": (user, servers, 0o2750),
        "httpsdocs": (user, servers, 0o2750),
        "cgi-bin": (user, servers, 0o750),
        "error_docs": (0, servers, 0o750),
        "private": (user, OWNERS.customers, 0o700),
        ".trash": (user, OWNERS.customers, 0o700),
        "conf": (0, 0, 0o750),
        "statistics": (0, 0, 0o750),
        "logs": (0, 0, 0o750),
        "anon_ftp": (user, servers, 0o2750),
        "subdomains": (0, servers, 0o711),
        "web_users": (0, servers, 0o711),
    }
    root = vhosts / "first.example"
    assert facts(root) == layout
    (root / "httpdocs").chmod(0o700)
    (root / "cgi-bin").rmdir()
    (root / ".cgi-bin.new").mkdir()  # left by one that was killed
    trees.ensure(vhosts, FIRST, OWNERS)
    assert facts(root) == layout | {"httpdocs": (user, servers, 0o700)}
    assert not list((vhosts / trees.MOVING).iterdir())


def test_frame_subdomain_and_web_user_get_theirs(vhosts: Path) -> None:
    trees.ensure(vhosts, replace(SECOND, hosting="frame"), OWNERS)
    assert set(facts(vhosts / "second.example")) == {"second.example", "httpdocs", ".trash"}
    with pytest.raises(TreeError, match=r"first\.example/web_users is not there"):
        trees.ensure(vhosts, ANNA, OWNERS)
    for spec in (FIRST, SHOP, ANNA):
        trees.ensure(vhosts, spec, OWNERS)
    shop = facts(vhosts / "first.example" / "subdomains" / "shop")
    assert set(shop) == {"shop", "httpdocs", "httpsdocs", "cgi-bin", "error_docs"}
    assert shop["shop"] == (0, OWNERS.servers, 0o711)
    anna = vhosts / "first.example" / "web_users" / "anna"
    assert facts(anna) == {"anna": (OWNERS.user, OWNERS.servers, 0o2750)}
    trees.ensure(vhosts, ANNA, OWNERS)


def test_what_was_taken_away_comes_back_and_what_was_there_is_kept(vhosts: Path) -> None:
    old = replace(OWNERS, user=OWNERS.user + 8)
    for spec in (FIRST, SHOP, ANNA):
        trees.ensure(vhosts, spec, old)
    root = vhosts / "first.example"
    (root / "httpdocs" / "page").write_text("old")
    os.chown(root / "httpdocs" / "page", old.user, -1)
    (root / "httpdocs" / "roots").write_text("")
    (root / "own").mkdir()
    (root / "web_users" / "anna" / "file").write_text("anna's")
    for spec in (ANNA, SHOP, FIRST):
        trees.bury(vhosts, spec)
    assert [grave.account["kind"] for grave in trees.graves_of(vhosts)] == ["domain", "subdomain", "webuser"]

    new, anna = replace(FIRST, id=27, site=27, webspace=27), replace(ANNA, id=9, site=27, webspace=27)
    domain, _, web_user = (grave.name for grave in trees.graves_of(vhosts))
    with pytest.raises(TreeError):
        trees.restore(vhosts, new, domain, {})
    for spec in (new, anna):
        trees.ensure(vhosts, spec, OWNERS)
    (root / "httpdocs" / "page").write_text("new")
    with pytest.raises(TreeError, match="not known to be of a domain"):
        trees.restore(vhosts, new, web_user, {})
    trees.restore(vhosts, new, domain, {old.user: OWNERS.user})
    assert (root / "httpdocs" / "page").read_text() == "old"
    assert [(root / "httpdocs" / name).stat().st_uid for name in ("page", "roots")] == [OWNERS.user, 0]
    assert (root / "own").is_dir()
    assert (root / ".account").read_text() == "s27\n"
    assert (root / "web_users" / "anna").is_dir(), "what belongs to others stays where it is"
    trees.restore(vhosts, anna, web_user, {})
    assert (root / "web_users" / "anna" / "file").read_text() == "anna's"
    trees.restore(vhosts, anna, web_user, {})  # asked again: nothing is left to do
    assert graves(vhosts).count("s27") == 1
    trees.restore(vhosts, new, next(grave.name for grave in trees.graves_of(vhosts) if "s27" in grave.name), {})
    assert (root / "httpdocs" / "page").read_text() == "new"
    while trees.empty_grave(vhosts, 0):
        pass
    assert not list((vhosts / trees.GRAVES).iterdir()), "nothing is left written down of graves that are gone"


def test_a_killed_making_leaves_nothing_behind(vhosts: Path) -> None:
    left = vhosts / trees.MOVING / "s17.new"
    (left / "httpdocs" / "x").mkdir(parents=True)
    trees.ensure(vhosts, FIRST, OWNERS)
    assert not (vhosts / "first.example" / "httpdocs" / "x").exists()
    assert not left.exists()


def test_nobody_gets_a_strangers_folder(vhosts: Path) -> None:
    trees.ensure(vhosts, FIRST, OWNERS)
    thief = replace(SECOND, domain="first.example")
    with pytest.raises(TreeError, match="not this account's"):
        trees.ensure(vhosts, thief, OWNERS)
    assert not trees.bury(vhosts, thief)
    assert trees.move(vhosts, [Move(SECOND, thief)]) == {}
    assert (vhosts / "first.example").exists()
    assert not (vhosts / "second.example").exists()
    (vhosts / "second.example").mkdir()  # made by hand
    with pytest.raises(TreeError, match="not this account's"):
        trees.ensure(vhosts, SECOND, OWNERS)
    (vhosts / "second.example" / ".account").write_text("s19\n")
    os.chown(vhosts / "second.example" / ".account", OWNERS.user, -1)  # a mark that a customer made
    with pytest.raises(TreeError, match="not this account's"):
        trees.ensure(vhosts, SECOND, OWNERS)


def test_links_are_not_followed(vhosts: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "web_users").mkdir(parents=True)
    (outside / ".account").write_text("s17\n")
    (vhosts / "first.example").symlink_to(outside)
    for spec in (FIRST, ANNA):
        with pytest.raises(TreeError):
            trees.ensure(vhosts, spec, OWNERS)
    assert not trees.bury(vhosts, FIRST)
    assert trees.move(vhosts, [Move(replace(FIRST, domain="new.example"), FIRST)]) == {}
    assert {path.name for path in outside.iterdir()} == {".account", "web_users"}
    assert not list((outside / "web_users").iterdir())


def test_a_renamed_domain_takes_everything_along_and_may_swap(vhosts: Path) -> None:
    for spec in (FIRST, SHOP, ANNA, SECOND):
        trees.ensure(vhosts, spec, OWNERS)
    (vhosts / "first.example" / "httpdocs" / "who").write_text("first")
    (vhosts / "second.example" / "httpdocs" / "who").write_text("second")
    first, second = replace(FIRST, domain="second.example"), replace(SECOND, domain="first.example")
    moves = [Move(first, FIRST), Move(second, SECOND)]
    for _ in range(2):  # one that is not noted is asked for again
        assert trees.move(vhosts, moves) == {}
        assert (vhosts / "second.example" / "httpdocs" / "who").read_text() == "first"
        assert (vhosts / "first.example" / "httpdocs" / "who").read_text() == "second"
    shop, anna = replace(SHOP, domain="second.example"), replace(ANNA, domain="second.example")
    trees.ensure(vhosts, anna, OWNERS)
    store = replace(shop, name="store")
    assert trees.move(vhosts, [Move(store, shop)]) == {}
    assert (vhosts / "second.example" / "subdomains" / "store" / "httpdocs").is_dir()


def test_a_move_that_was_killed_between_its_halves_is_finished(vhosts: Path) -> None:
    trees.ensure(vhosts, FIRST, OWNERS)
    (vhosts / "first.example").rename(vhosts / trees.MOVING / "s17")
    new = replace(FIRST, domain="new.example")
    (vhosts / "new.example").mkdir()
    assert "not this account's" in trees.move(vhosts, [Move(new, FIRST)])["s17"]
    (vhosts / "new.example").rmdir()
    assert trees.move(vhosts, [Move(new, FIRST)]) == {}
    trees.ensure(vhosts, new, OWNERS)
    (vhosts / "new.example").rename(vhosts / trees.MOVING / "s17")
    assert trees.bury(vhosts, new)
    assert graves(vhosts) == ["s17"]


def test_a_grave_deeper_than_any_stack_is_deleted_and_one_that_stays_keeps_no_other(
    vhosts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees.ensure(vhosts, FIRST, OWNERS)
    fd = os.open(vhosts / "first.example" / "httpdocs", os.O_RDONLY)
    for _ in range(1_100):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    trees.ensure(vhosts, SECOND, OWNERS)
    assert trees.bury(vhosts, FIRST) and trees.bury(vhosts, SECOND)
    real = trees._delete
    monkeypatch.setattr(trees, "_delete", lambda graves, name: not name.startswith("s17") and real(graves, name))
    assert trees.empty_grave(vhosts, 0) == 1
    with pytest.raises(TreeError, match="cannot be deleted"):
        trees.empty_grave(vhosts, 0)
    monkeypatch.undo()
    assert trees.empty_grave(vhosts, 0) == 0
    assert graves(vhosts) == []


def test_a_removed_account_lies_in_a_grave_and_a_new_one_begins_empty(vhosts: Path) -> None:
    for spec in (FIRST, ANNA, SHOP):
        trees.ensure(vhosts, spec, OWNERS)
    home = vhosts / "first.example" / "web_users" / "anna"
    (home / "diary").write_text("dear diary")
    assert trees.bury(vhosts, ANNA)
    namesake = replace(ANNA, id=9)
    trees.ensure(vhosts, namesake, OWNERS)
    assert not trees.bury(vhosts, ANNA)  # asked for again after a crash: it is the namesake's now
    assert home.exists()
    assert not list(home.iterdir())
    assert trees.bury(vhosts, FIRST)
    assert not trees.bury(vhosts, FIRST)
    assert not trees.bury(vhosts, SHOP)
    trees.ensure(vhosts, FIRST, OWNERS)
    assert trees.bury(vhosts, FIRST)
    assert graves(vhosts) == ["s17", "s17", "u5"]
    assert trees.empty_grave(vhosts, 3_600) == 0
    assert [trees.empty_grave(vhosts, 0) for _ in range(4)] == [2, 1, 0, 0]
    assert graves(vhosts) == []


def test_a_killed_burial_of_a_web_user_is_finished(vhosts: Path) -> None:
    for spec in (FIRST, ANNA):
        trees.ensure(vhosts, spec, OWNERS)
    home = vhosts / "first.example" / "web_users" / "anna"
    home.rename(vhosts / trees.GRAVES / "u5-1700000000-000000000")
    namesake = replace(ANNA, id=9)
    with pytest.raises(TreeError):
        trees.ensure(vhosts, namesake, OWNERS)
    assert trees.bury(vhosts, ANNA)
    trees.ensure(vhosts, namesake, OWNERS)


def test_killed_at_any_call_it_is_finished_by_the_next(tmp_path: Path) -> None:
    """A child ends itself at its n-th call of the system that changes something; then all is done again."""
    new = replace(FIRST, domain="new.example")
    shop, anna = replace(SHOP, domain="new.example"), replace(ANNA, domain="new.example")

    def work(vhosts: Path) -> None:
        for spec in (FIRST, SHOP, ANNA):
            trees.ensure(vhosts, spec, OWNERS)
        assert trees.move(vhosts, [Move(new, FIRST)]) == {}
        assert trees.bury(vhosts, anna)

    for kill_at in range(0, 1_000, 3):
        vhosts = tmp_path / str(kill_at)
        for folder in (vhosts, vhosts / trees.MOVING, vhosts / trees.GRAVES):
            folder.mkdir()
        child = os.fork()
        if not child:
            _die_at_call(kill_at)
            work(vhosts)
            os._exit(0)
        finished = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert trees.move(vhosts, [Move(new, FIRST)]) == {}
        trees.ensure(vhosts, new, OWNERS)
        trees.ensure(vhosts, shop, OWNERS)
        trees.bury(vhosts, anna)
        trees.ensure(vhosts, replace(anna, id=9), OWNERS)
        assert {path.name for path in vhosts.iterdir()} == {trees.GRAVES, trees.MOVING, "new.example"}
        assert len(facts(vhosts / "new.example")) == 13
        assert len(facts(vhosts / "new.example" / "subdomains" / "shop")) == 5
        assert facts(vhosts / "new.example" / "web_users")["anna"] == (OWNERS.user, OWNERS.servers, 0o2750)
        if finished:
            break
    assert kill_at > 50


def test_restoring_that_is_killed_at_any_call_is_finished_by_the_next(tmp_path: Path) -> None:
    for kill_at in range(1_000):
        vhosts = tmp_path / str(kill_at)
        for folder in (vhosts, vhosts / trees.MOVING, vhosts / trees.GRAVES):
            folder.mkdir()
        texts = [vhosts / "first.example" / folder / "page" for folder in ("httpdocs", "web_users/anna")]
        for text in ("old", "new"):
            for spec in (FIRST, ANNA):
                trees.ensure(vhosts, spec, OWNERS)
            for path in texts:
                path.write_text(text)
            if text == "old":
                for spec in (ANNA, FIRST):
                    trees.bury(vhosts, spec)
        wanted = [(spec, next(g.name for g in trees.graves_of(vhosts) if spec.key in g.name)) for spec in (FIRST, ANNA)]
        child = os.fork()
        if not child:
            _die_at_call(kill_at)
            for spec, grave in wanted:
                trees.restore(vhosts, spec, grave, {})
            os._exit(0)
        finished = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        for spec, grave in wanted:
            trees.restore(vhosts, spec, grave, {})
        assert [path.read_text() for path in texts] == ["old", "old"]
        kept = [path.read_text() for path in (vhosts / trees.GRAVES).rglob("page")]
        assert sorted(kept) == ["new", "new"], "what was there is in graves"
        while trees.empty_grave(vhosts, 0):
            pass
        assert not list((vhosts / trees.GRAVES).iterdir())
        if finished:
            break
    assert kill_at > 20


def test_nothing_is_restored_whose_files_cannot_get_their_owner(vhosts: Path) -> None:
    trees.ensure(vhosts, FIRST, OWNERS)
    trees.bury(vhosts, FIRST)
    trees.ensure(vhosts, FIRST, OWNERS)
    (grave,) = trees.graves_of(vhosts)
    # More than a number of a user can be: what the program refuses, as a disk that is read alone would.
    with pytest.raises(TreeError, match="cannot be given"):
        trees.restore(vhosts, FIRST, grave.name, {OWNERS.user: 2**40})
    assert trees.graves_of(vhosts) == [grave]


def _die_at_call(number: int) -> None:
    left = number

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                os._exit(9)
            return real(*args, **kwargs)

        return call

    for name in ("mkdir", "rename", "fchown", "fchmod", "write", "unlink"):
        setattr(os, name, counted(getattr(os, name)))
