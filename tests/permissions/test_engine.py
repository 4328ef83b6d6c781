"""Applying to real trees: what is written, what is left alone, and that all of it can be undone."""

# Calls of the system are what is tested, and what actors do is written as lambdas.
# ruff: noqa: PTH101, PTH116, PTH118, PTH123, PTH211

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import pytest
from trees import ALICE, BOB, CUSTOMERS, GROUPS, USERS, applied, compiled, entry, make, snapshot

from innkeeper.permissions import journal, walk
from innkeeper.permissions.apply import Options, run, undo
from innkeeper.permissions.places import Places
from innkeeper.permissions.policy import Policy
from innkeeper.permissions.posix import acl as posix_acl
from innkeeper.permissions.principals import Principals
from innkeeper.permissions.rules.document import Document
from innkeeper.permissions.rules.entry import read_rules
from innkeeper.permissions.rules.finding import RuleError
from innkeeper.permissions.stores import posix
from innkeeper.permissions.stores.null import NullStore
from innkeeper.permissions.stores.posix import PosixStore

ALL, HERE = "ThisFolderSubfoldersAndFiles", "ThisObjectOnly"


def access(path):
    """The access list of an object."""
    try:
        return posix_acl.unpack(os.getxattr(path, posix_acl.ACCESS))
    except OSError:
        return posix_acl.of_mode(path.stat().st_mode)


def users(path):
    return dict(access(path).users)


def test_a_rule_reaches_everything_below_and_a_second_run_writes_nothing(tree):
    make(tree, "a/b/c/", "a/f", "a/b/g", "other/x")
    first = applied(tree, entry("alice", "a", ALL, "Modify"))
    assert first.report.changed == 5
    assert users(tree / "a/b/g") == {ALICE: 7}
    assert users(tree / "other/x") == {}
    assert posix_acl.unpack(os.getxattr(tree / "a/b/c", posix_acl.DEFAULT)).users == ((ALICE, 7),)
    before = {path: os.stat(path).st_ctime_ns for path in tree.rglob("*")}
    again = applied(tree, entry("alice", "a", ALL, "Modify"))
    assert (again.report.changed, again.report.objects) == (0, first.report.objects)
    assert before == {path: os.stat(path).st_ctime_ns for path in tree.rglob("*")}


@pytest.mark.parametrize("listed", [0, walk.LISTED])
def test_of_many_files_alike_those_that_differ_are_found(tree, monkeypatch, listed):
    monkeypatch.setattr(walk, "LISTED", listed)
    make(tree, *(f"a/{number:02}" for number in range(40)))
    rule = entry("alice", "a", ALL, "Modify")
    applied(tree, rule)
    (tree / "a/05").chmod(0o700)
    os.removexattr(tree / "a/15", posix_acl.ACCESS)
    os.chown(tree / "a/25", BOB, -1)
    os.chown(tree / "a/30", -1, 4)
    os.link(tree / "a/35", tree / "again")
    again = applied(tree, rule)
    # Whose files they are and their groups are not the rule's.
    assert (again.report.changed, again.report.skipped["hard link"]) == (2, 1)
    assert all(users(tree / f"a/{number}") == {ALICE: 7} for number in ("05", "15", "25", "30"))
    assert applied(tree, rule).report.changed == 0


def test_a_plan_writes_nothing_and_says_what_a_run_then_does(tree):
    make(tree, "a/f", "a/b/")
    rules = (entry("alice", "a", ALL, "Read"), entry("bob", "new/deep", ALL, "Modify", "0x40"))
    before, planned = snapshot(tree), []
    plan = applied(tree, *rules, dry=True, watch=lambda path, *_: planned.append("/".join(path)))
    assert snapshot(tree) == before
    assert sorted(planned) == ["a", "a/b", "a/f", "new", "new/deep"]
    done = applied(tree, *rules)
    assert done.report.created == plan.report.created == 2
    assert done.report.changed >= plan.report.changed


def test_everything_can_be_undone(tree, tmp_path):
    make(tree, "a/b/f", "a/g", "a/with space %/ü")
    os.chmod(tree / "a/g", 0o4711)
    os.setxattr(tree / "a/b", posix_acl.DEFAULT, posix_acl.pack(posix_acl.make(7, 5, 0, {BOB: 5}, {})))
    before = snapshot(tree)
    policy = compiled(
        tree, entry("alice", "a", ALL, "Modify", "0x4"), entry("alice", "made/here", ALL, "Modify", "0x40")
    )
    store = PosixStore(policy)
    here = Path.cwd()
    done = run(policy, store, str(tree), Options(journal=tmp_path))
    assert snapshot(tree) != before
    folder, about = journal.find_run(tmp_path, done.name)
    assert about["finished"] is True
    report = undo(store, folder, about["root"])
    assert report.problems == []
    assert snapshot(tree) == before
    assert undo(store, folder, about["root"]).changed == 0
    assert Path.cwd() == here


def test_undo_leaves_alone_what_was_changed_since(tree, tmp_path):
    make(tree, "a/f", "a/g")
    policy = compiled(tree, entry("alice", "a", ALL, "Modify"))
    store = PosixStore(policy)
    before = snapshot(tree)
    done = run(policy, store, str(tree), Options(journal=tmp_path))
    os.chmod(tree / "a/f", 0o600)
    folder, _ = journal.find_run(tmp_path, done.name)
    report = undo(store, folder, str(tree))
    assert [problem.code for problem in report.problems] == ["changed-since"]
    assert snapshot(tree)["a/g"] == before["a/g"]
    assert snapshot(tree)["a/f"] != before["a/f"]
    undo(store, folder, str(tree), force=True)
    assert snapshot(tree) == before


class Killed(BaseException):
    """A process ends before one of its calls."""


def kill_before(patch, number):
    """Let the process be killed before this one of the calls that change something."""
    left = iter(range(number, -1, -1))

    def counted(call):
        def counting(*args, **kwargs):
            if next(left, 1) == 0:
                raise Killed
            return call(*args, **kwargs)

        return counting

    for module, name in ((os, "chown"), (os, "chmod"), (os, "removexattr"), (posix, "setxattr")):
        patch.setattr(module, name, counted(getattr(module, name)))


def killed(monkeypatch, number, work):
    """Whether there was such a call."""
    with monkeypatch.context() as patch:
        kill_before(patch, number)
        try:
            work()
        except Killed:
            return True
    return False


@pytest.mark.skipif(os.geteuid() != 0, reason="gives folders away: run as root")
def test_what_is_killed_between_two_calls_for_one_object_is_undone_even_if_that_is_killed_too(
    tree, tmp_path, monkeypatch
):
    make(tree, "docs/lib/", "docs/tool")
    os.chown(tree / "docs", ALICE, CUSTOMERS)
    os.chmod(tree / "docs", 0o700)
    os.setxattr(tree / "docs", posix_acl.DEFAULT, posix_acl.pack(posix_acl.make(7, 5, 0, {BOB: 5}, {})))
    os.chmod(tree / "docs/tool", 0o2744)
    rules = (
        entry("alice", "docs", HERE, "FileNonRemovable", "0x144"),
        entry("alice", "docs", "SubfoldersAndFilesOnly", "FullAccess", "0x144"),
    )
    before = snapshot(tree)
    policy = compiled(tree, *rules)
    store = PosixStore(policy)
    calls = 0
    while True:
        record = tmp_path / f"killed-{calls}"
        if not killed(monkeypatch, calls, lambda to=record: applied(tree, *rules, journal=to)):
            break
        folder, _ = journal.find_run(record, next(record.iterdir()).name)
        after = snapshot(tree)
        ends = 0
        while killed(monkeypatch, ends, lambda of=folder: undo(store, of, str(tree))):
            assert undo(store, folder, str(tree)).problems == []
            assert snapshot(tree) == before
            # Once more to the same place, to be killed one call later there.
            again = tmp_path / f"again-{calls}-{ends}"
            killed(monkeypatch, calls, lambda to=again: applied(tree, *rules, journal=to))
            assert snapshot(tree) == after
            folder, _ = journal.find_run(again, next(again.iterdir()).name)
            ends += 1
        assert undo(store, folder, str(tree)).problems == []
        assert snapshot(tree) == before
        calls += 1
    assert calls >= 6


def test_a_journal_with_a_cut_off_line_is_read(tree, tmp_path):
    make(tree, *[f"a/{number}" for number in range(20)])
    before = snapshot(tree)
    policy = compiled(tree, entry("alice", "a", ALL, "Modify"))
    store = PosixStore(policy)
    done = run(policy, store, str(tree), Options(journal=tmp_path))
    part = tmp_path / done.name / "part-0.log"
    part.write_bytes(part.read_bytes() + b"F 12 0")
    assert undo(store, part.parent, str(tree)).changed == 21
    assert snapshot(tree) == before
    part.write_bytes(part.read_bytes()[:-6] + b"F x y z\n")
    with pytest.raises(journal.JournalError, match="damaged"):
        undo(store, part.parent, str(tree))


def test_links_pipes_and_odd_names(tree):
    outside = tree / "outside"
    outside.write_text("secret")
    make(tree, "a/sub/", "a/new\nline", "a/-rf")
    os.symlink(outside, tree / "a/link")
    os.symlink(tree, tree / "a/up")
    os.link(outside, tree / "a/hard")
    os.mkfifo(tree / "a/pipe")
    open(os.path.join(os.fsencode(tree), b"a", b"\xff\xfe"), "w").close()
    done = applied(tree, entry("alice", "a", ALL, "Read"))
    assert access(outside).is_minimal
    assert done.report.skipped == {"link": 2, "hard link": 1}
    assert [problem.code for problem in done.report.problems] == ["hard-link"]
    for name in ("new\nline", "-rf", "pipe", "\udcff\udcfe"):
        assert users(tree / "a" / name) == {ALICE: 4}


def test_one_process_and_several_do_the_same(tree, tmp_path):
    for copy in ("one", "two"):
        make(tree, *[f"{copy}/{a}/{b}/{c}" for a in range(4) for b in range(5) for c in range(6)])
    rules = [entry("alice", "", ALL, "Modify"), entry("customers", "3", ALL, "Read", "0x1")]
    alone = applied(tree / "one", *rules)
    shared = applied(tree / "two", *rules, jobs=3, journal=tmp_path)
    assert snapshot(tree / "one") == snapshot(tree / "two")
    assert (alone.report.changed, alone.report.by_rule) == (shared.report.changed, shared.report.by_rule)
    store = PosixStore(compiled(tree / "two"))
    undone = undo(store, tmp_path / shared.name, str(tree / "two"))
    assert undone.changed == shared.report.changed


def test_progress_has_real_counts(tree):
    make(tree, *[f"a/{number}" for number in range(2100)])
    seen = []
    applied(tree, entry("alice", "a", ALL, "Read"), progress=lambda report: seen.append(report.objects))
    assert seen == sorted(seen)
    assert seen[-1] >= 2048


def test_a_store_that_writes_nothing_remembers(tree):
    make(tree, "a/f")
    before = snapshot(tree)
    policy = compiled(tree, entry("alice", "a", ALL, "Read"))
    store = NullStore(policy)
    assert run(policy, store, str(tree)).report.changed == 2
    assert snapshot(tree) == before
    assert [old.access for _, old, _ in store.written] == [None, None]


# Each EntryFlags bit alone.


def test_a_set_gid_bit_that_meant_nothing_does_not_become_a_groups_power(tree, tmp_path):
    make(tree, "docs/tool", "docs/real")
    os.chmod(tree / "docs/tool", 0o2744)
    os.chmod(tree / "docs/real", 0o2755)
    before = snapshot(tree)
    done = applied(tree, entry("alice", "docs", ALL, "ReadAndExecute"), journal=tmp_path)
    assert stat.S_IMODE((tree / "docs/tool").stat().st_mode) == 0o754
    assert stat.S_IMODE((tree / "docs/real").stat().st_mode) == 0o2755
    folder, _ = journal.find_run(tmp_path, done.name)
    undo(PosixStore(compiled(tree)), folder, str(tree))
    assert snapshot(tree) == before


def test_0x1_denies(tree):
    make(tree, "a/f")
    applied(tree, entry("alice", "a", ALL, "FullAccess", "0x1"))
    assert access(tree / "a/f").users == ((ALICE, 0),)
    assert access(tree / "a/f").mask == 4


def test_0x2_reaches_the_folders_above_but_not_their_other_children(tree):
    make(tree, "a/b/c/", "a/beside")
    applied(tree, entry("alice", "a/b/c", "ThisObjectOnly", "Read", "0x2"))
    assert [users(tree / path).get(ALICE) for path in ("", "a", "a/b", "a/b/c")] == [5, 5, 5, 5]
    assert users(tree / "a/beside") == {}


def test_0x4_erases_what_was_there_and_what_would_be_inherited(tree):
    make(tree, "a/b/f")
    os.chmod(tree / "a/b/f", 0o664)
    applied(tree, entry("bob", "a", ALL, "Modify"), entry("alice", "a/b", ALL, "Read", "0x4"))
    assert users(tree / "a/b") == {ALICE: 5}
    assert users(tree / "a/b/f") == {ALICE: 4}
    assert (access(tree / "a/b/f").other, access(tree / "a/b/f").group) == (0, 0)


def test_0x10_stays_at_the_folder(tree):
    make(tree, "a/f")
    applied(tree, entry("alice", "a", ALL, "Modify", "0x10"))
    assert users(tree / "a") == {ALICE: 7}
    assert users(tree / "a/f") == {}


def test_0x20_leaves_the_folder_and_what_is_in_it_alone(tree):
    make(tree, "a/b/f", "a/g")
    done = applied(tree, entry("alice", "a", ALL, "Modify"), entry("alice", "a/b", ALL, "Read", "0x20"))
    assert users(tree / "a/g") == {ALICE: 7}
    assert access(tree / "a/b").is_minimal
    assert access(tree / "a/b/f").is_minimal
    assert done.report.skipped == {"left alone": 1}


def test_0x40_makes_folders(tree):
    applied(tree, entry("alice", "a/b", ALL, "Modify", "0x40"))
    assert users(tree / "a/b") == {ALICE: 7}
    assert stat.S_IMODE((tree / "a").stat().st_mode) & 0o7 == 0


def test_0x80_is_for_the_existing_files_that_match(tree):
    make(tree, "a/one.log", "a/two.txt", "a/sub/three.log")
    applied(tree, entry("alice", "a\\*.log", "FilesOnly", "ReadWrite", "0x80"))
    assert users(tree / "a/one.log") == {ALICE: 6}
    assert users(tree / "a/two.txt") == users(tree / "a/sub/three.log") == {}
    assert users(tree / "a") == {}
    assert access(tree / "a").other & 1


def test_0x100_takes_what_the_account_had_and_without_it_stays(tree):
    for bits, expected in (("0x0", 7), ("0x100", 5)):
        make(tree, f"{bits}/")
        os.setxattr(tree / bits, posix_acl.ACCESS, posix_acl.pack(posix_acl.make(7, 5, 5, {ALICE: 7, BOB: 2}, {})))
        applied(tree, entry("alice", bits, "ThisObjectOnly", "ReadAndExecute", bits))
        assert users(tree / bits) == {ALICE: expected, BOB: 2}


def test_any_path_with_a_mask_finds_files_at_every_depth(tree):
    make(tree, "a/b/x.php", "y.php", "a/z.txt")
    applied(tree, entry("alice", "*.php", "ThisObjectOnly", "Read", "0x80", Path="*"))
    assert users(tree / "a/b/x.php") == users(tree / "y.php") == {ALICE: 4}
    assert users(tree / "a/z.txt") == {}


# Errors.


def test_a_literal_path_means_names_that_would_be_masks(tree):
    odd = "a*/what?\\[x] %y%/ b "
    make(tree, odd, "a*/other", "ab/plain", "[c]1", "c1")
    applied(tree, entry("alice", odd, HERE, "Read", Literal="1"), entry("bob", "[c]*", "FilesOnly", "Read", "0x80"))
    files = [path for path in tree.rglob("*") if path.is_file()]
    assert [path for path in files if ALICE in users(path)] == [tree / odd]
    assert [path for path in files if BOB in users(path)] == [tree / "[c]1"]


def test_a_rule_for_what_is_not_there_stops_before_the_first_write(tree):
    make(tree, "a/f")
    before = snapshot(tree)
    with pytest.raises(RuleError, match=r"not-there.*add 0x40"):
        applied(tree, entry("alice", "a", ALL, "Read"), entry("alice", "gone", ALL, "Read"))
    assert snapshot(tree) == before


def test_0x8_goes_on_after_an_error(tree):
    make(tree, "a/f")
    done = applied(
        tree,
        entry("alice", "a", ALL, "Read"),
        entry("alice", "gone", ALL, "Read", "0x8"),
        entry("nobody-here", "a", ALL, "Read", "0x8"),
    )
    assert users(tree / "a/f") == {ALICE: 4}
    assert done.report.problems == []
    assert [(item.code, item.line) for item in done.report.absent] == [("not-there", 3)]


def test_an_unknown_account_stops_before_the_first_write(tree):
    make(tree, "a/f")
    with pytest.raises(
        RuleError, match=r"r\.xml:2:1: error no-account: no account of this system is called nobody-here"
    ):
        applied(tree, entry("nobody-here", "a", ALL, "Read"))


def test_a_path_through_a_link_is_refused(tree):
    make(tree, "real/sub/")
    os.symlink(tree / "real", tree / "link")
    for path in ("link", "link/sub"):
        with pytest.raises(RuleError, match="link"):
            applied(tree, entry("alice", path, ALL, "Read"))
    assert access(tree / "real/sub").is_minimal


def test_a_path_outside_the_root_is_refused(tree):
    policy = compiled(tree, entry("alice", "", ALL, "Read", Path="/etc"))
    assert [finding.code for finding in policy.stops] == ["outside-root"]
    named = compiled(tree, entry("alice", "x", ALL, "Read", Path="[NOWHERE]"), names={"HERE": str(tree)})
    assert [finding.code for finding in named.stops] == ["unknown-name"]


def test_what_lies_behind_a_fence_is_never_entered(tree):
    make(tree, "a/f", "vhosts/site/f")
    rules = (entry("alice", "", ALL, "Modify"), entry("customers", "vhosts", "ThisObjectOnly", "Read", "0x1"))
    policy = compiled(tree, *rules, fences=[str(tree / "vhosts")])
    report = run(policy, PosixStore(policy), str(tree)).report
    assert report.skipped == {"fence": 1}
    assert users(tree / "a/f") == {ALICE: 7}
    assert dict(access(tree / "vhosts").groups) == {CUSTOMERS: 1}
    assert access(tree / "vhosts/site").is_minimal
    refused = compiled(tree, entry("alice", "vhosts/site", ALL, "Read"), fences=[str(tree / "vhosts")])
    assert [finding.code for finding in refused.stops] == ["behind-fence"]


def test_names_and_variables_mean_their_folders(tree):
    make(tree, "v/site/f")
    names = {"HTTPD_VHOSTS_D": str(tree / "v")}
    for path in ("[HTTPD_VHOSTS_D]", "%plesk_vhosts%", "[httpd_vhosts_d]"):
        policy = compiled(tree, entry("alice", "site", ALL, "Read", Path=path), names=names)
        assert [parts for parts, node in policy.nodes() if node.placed] == [("v", "site")]


def test_more_accounts_than_a_list_holds_is_said_and_nothing_else_harmed(tree, monkeypatch):
    make(tree, "a/f")
    monkeypatch.setattr("innkeeper.permissions.posix.translate.MAX_NAMED", 2)
    done = applied(tree, *[entry(name, "a", ALL, "Read") for name in ("alice", "bob", "charlie")])
    assert "too-many-entries" in done.report.stopped
    assert access(tree / "a").is_minimal


def test_group_rules_and_the_sticky_measure(tree):
    make(tree, "httpdocs/lib/")
    applied(
        tree,
        entry("alice", "httpdocs", "ThisObjectOnly", "FileNonRemovable", "0x140"),
        entry("alice", "httpdocs", "SubfoldersAndFilesOnly", "FullAccess", "0x140"),
        entry("alice", "httpdocs/lib", "ThisObjectOnly", "FileRemovable", "0x141"),
        entry("alice", "httpdocs/lib", ALL, "FullAccess", "0x140"),
        entry("customers", "", "ThisObjectOnly", "0x0F017F", "0x1"),
    )
    assert (tree / "httpdocs").stat().st_mode & stat.S_ISVTX
    assert dict(access(tree).groups) == {CUSTOMERS: 0}
    assert users(tree)[ALICE] == 1
    assert (USERS["alice"], GROUPS["customers"]) == (ALICE, CUSTOMERS)


def test_where_users_may_link_to_files_of_others_the_very_object_is_written(tree, monkeypatch):
    monkeypatch.setattr("innkeeper.permissions.walk._hard_links_are_free", lambda: True)
    make(tree, "a/f", "a/g/h")
    os.symlink("f", tree / "a/link")
    assert applied(tree, entry("alice", "a", ALL, "Modify")).report.changed == 4
    assert users(tree / "a/f") == users(tree / "a/g/h") == {ALICE: 7}
    assert applied(tree, entry("alice", "a", ALL, "Modify")).report.changed == 0


def test_another_file_that_took_the_name_meanwhile_is_not_written(tree, monkeypatch):
    monkeypatch.setattr("innkeeper.permissions.walk._hard_links_are_free", lambda: True)
    make(tree, "a/f", "a/g", "other")

    def swap(path, *_):
        if path == ("a", "f"):
            (tree / "other").rename(tree / "a/f")

    done = applied(tree, entry("alice", "a", ALL, "Modify"), watch=swap)
    assert (done.report.changed, done.report.vanished) == (2, 1)
    assert (users(tree / "a/f"), users(tree / "a/g")) == ({}, {ALICE: 7})


def test_a_tree_deeper_than_descriptors_last_is_reported(tree, monkeypatch):
    monkeypatch.setattr("innkeeper.permissions.walk.MAX_DEPTH", 20)
    make(tree, "/".join(["d"] * 30) + "/")
    report = applied(tree, entry("alice", "", ALL, "Read")).report
    assert [problem.code for problem in report.problems] == ["too-deep"]
    assert report.folders == 20


def test_a_root_that_is_left_alone_is_left_alone(tree):
    make(tree, "a/f")
    before = snapshot(tree)
    applied(tree, entry("alice", "", ALL, "Read", "0x20"), entry("alice", "a", ALL, "Read"))
    assert snapshot(tree) == before


def test_ctrl_c_ends_a_run_between_two_objects_and_so_it_does_its_undoing(tree, tmp_path, monkeypatch):
    make(tree, *[f"{folder}/{number}" for folder in range(9) for number in range(5)])
    before, handler = snapshot(tree), signal.getsignal(signal.SIGINT)
    change, calls = PosixStore.change, []

    def interrupted(self, *arguments, **options):
        write = change(self, *arguments, **options)

        def one(target):
            calls.append(target)
            if len(calls) == 9:
                os.kill(os.getpid(), signal.SIGINT)
            write(target)

        return one

    monkeypatch.setattr(PosixStore, "change", interrupted)
    monkeypatch.setattr(walk, "BATCH", 4)
    done = applied(tree, entry("alice", "", ALL, "Modify"), journal=tmp_path)
    assert done.report.stopped == "interrupted; run again to go on"
    assert 9 <= done.report.changed == len(calls) < 9 * 6
    folder, about = journal.find_run(tmp_path, done.name)
    assert about["finished"] is False
    calls.clear()
    store = PosixStore(compiled(tree))
    back = undo(store, folder, str(tree))
    assert (back.stopped, back.changed) == ("interrupted; undo the run again to go on", 9)
    again = undo(store, folder, str(tree))
    assert (again.stopped, again.changed) == ("", done.report.changed - 9)
    assert snapshot(tree) == before
    assert signal.getsignal(signal.SIGINT) is handler


def test_ten_thousand_rules_for_a_thousand_accounts_compile():
    many = Principals({f"u{number}": 5000 + number for number in range(1000)}, {}, {})
    text = "".join(
        entry(f"u{number % 1000}", f"s{number // 10}/f{number % 10}", ALL, "Modify", "0x140")
        for number in range(10_000)
    )
    rules, findings = read_rules([Document(f"<R>{text}</R>")])
    policy = Policy(rules, many, Places("/srv"))
    assert (len(rules), findings, policy.findings) == (10_000, [], [])
    assert sum(1 for _ in policy.nodes()) == 1 + 1000 + 10_000
