"""The disk policy of a server: its files, what it reaches, and what it never touches."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from servers import layout as make_layout
from trees import entry, make, snapshot

from innkeeper.instance import security
from innkeeper.instance.config import InstanceError
from innkeeper.instance.report import Report
from innkeeper.permissions import apply, journal, policies, walk
from innkeeper.permissions.policy import Policy
from innkeeper.permissions.server import disk, running
from innkeeper.permissions.server.history import BY_HAND, MetadataError
from innkeeper.permissions.server.layout import Layout
from innkeeper.permissions.server.running import How, Outcome
from innkeeper.permissions.stores.posix import PosixStore
from innkeeper.permissions.walk import Walker


@pytest.fixture
def server(memory_tree: Path) -> Layout:
    made = make_layout(memory_tree)
    make(memory_tree, "program/v1/module.py", "bin/tool", "vhosts/example.com/httpdocs/index.html", "data/file")
    return made


def own_file(server: Layout, name: str, *entries: str) -> Path:
    path = server.disk_folder / name
    path.write_text("<SecurityMetadata>" + "\n".join(entries) + "</SecurityMetadata>")
    path.chmod(0o600)
    return path


def applied(server: Layout, **how: object) -> Outcome:
    return running.run(server, disk.policy(server), server.root, disk.files(server), How(**how))


def test_a_run_gives_what_the_files_say_and_a_second_finds_nothing(server):
    outcome = applied(server)
    assert outcome.policy.findings == []
    assert outcome.run.report.changed >= 4
    assert applied(server, dry=True).changes == []
    assert applied(server).run.name is None


def test_a_plan_writes_nothing_and_says_what_the_run_then_does(server):
    before = snapshot(server.root)
    plan = applied(server, dry=True)
    assert snapshot(server.root) == before
    done = applied(server)
    assert done.run.report.changed == len(plan.changes)


def test_the_run_never_enters_the_hosted_content(server):
    own_file(server, "own.xml", entry("nobody", "", "ThisFolderSubfoldersAndFiles", "FullAccess", "0x4"))
    before = snapshot(server.vhosts)
    outcome = applied(server)
    after = snapshot(server.vhosts)
    assert {path for path in before if before[path] != after[path]} == {"."}
    assert outcome.run.report.skipped["fence"] == 1
    own_file(server, "own.xml", entry("nobody", r"vhosts\example.com", "ThisObjectOnly", "FullAccess"))
    assert [finding.code for finding in disk.policy(server).findings] == ["behind-fence"]


def test_nobody_gets_at_the_rules_and_records_themselves(server):
    own_file(server, "own.xml", entry("nobody", "", "ThisFolderSubfoldersAndFiles", "FullAccess"))
    folders = (server.disk_folder, server.records)
    before = [snapshot(folder) for folder in folders]
    policy = disk.policy(server)
    apply.run(policy, PosixStore(policy), str(server.root))
    assert [snapshot(folder) for folder in folders] == before
    assert (server.etc / "hosting_template.xml").stat().st_mode & 0o777 == 0o600


def test_an_upgrade_replaces_shipped_files_remembers_what_stood_there_and_keeps_own_ones(server):
    own = own_file(server, "own.xml", entry("nobody", "data", "ThisObjectOnly", "Read"))
    shipped = server.disk_folder / "DiskSecurity.xml"
    text = shipped.read_text()
    shipped.write_text(text.replace("psaadm", "nobody"))
    assert disk.install(server) == ["DiskSecurity.xml"]
    assert shipped.read_text() == (policies.FOLDER / "DiskSecurity.xml").read_text()
    assert "data" in own.read_text()
    metadata = disk.disk_file(server, "DiskSecurity.xml")
    assert [version.why for version in metadata.versions()][1:] == [BY_HAND, "shipped with this version"]
    assert metadata.content(2).decode() == text.replace("psaadm", "nobody")


def test_the_path_option_reaches_one_folder_or_one_file_alone(server):
    own_file(server, "own.xml", entry("nobody", "data", "ThisFolderSubfoldersAndFiles", "Read"))
    make(server.root, "data/other")
    applied(server, start=("data", "file"))
    assert changed_by(server, "data") == {"data/other", "data"}
    applied(server, start=("data",), jobs=2)
    assert changed_by(server, "data") == set()
    assert changed_by(server, "program") != set()


def changed_by(server: Layout, top: str) -> set[str]:
    paths = {change["path"] for change in applied(server, dry=True).changes}
    return {path for path in paths if path.split("/")[0] == top}


def test_a_path_elsewhere_is_refused_with_the_command_that_fits(server):
    with pytest.raises(MetadataError, match="security hosting"):
        disk.parts_of(server, server.vhosts / "example.com")
    with pytest.raises(MetadataError, match="does not lie below"):
        disk.parts_of(server, Path("/etc"))
    assert disk.parts_of(server, server.vhosts) == ("vhosts",)


def test_a_file_that_others_can_write_is_no_rule(server):
    own_file(server, "own.xml", entry("nobody", "data", "ThisObjectOnly", "FullAccess")).chmod(0o662)
    with pytest.raises(MetadataError, match="somebody else than root"):
        disk.policy(server)


def test_a_run_is_undone_by_its_name(server):
    before = snapshot(server.root)
    name = applied(server).run.name
    folder, about = journal.find_run(server.runs, name)
    apply.undo(PosixStore(Policy([], server.principals(), disk.policy(server).places)), folder, about["root"])
    after = snapshot(server.root)
    assert {path for path in before if before[path] != after[path]} == set()


def test_old_runs_are_forgotten_but_not_the_first(server, monkeypatch):
    monkeypatch.setattr(running, "KEPT_RUNS", 2)
    first = applied(server).run.name
    (server.records / running.FIRST).write_text(f'{{"run": "{first}"}}')
    names = []
    for number in range(4):
        mask = "Modify" if number % 2 else "Read"
        own_file(server, "own.xml", entry("nobody", "data", "ThisFolderSubfoldersAndFiles", mask, "0x100"))
        names.append(applied(server).run.name)
    left = {path.name for path in server.runs.iterdir()}
    assert first in left
    assert names[-1] in left
    assert len(left) == 3


def test_ctrl_c_while_up_plans_leaves_the_disk_as_it_is(server, monkeypatch):
    instance = SimpleNamespace(state=server.root, program=server.root / "program", python="python3")
    monkeypatch.setattr(Layout, "of", classmethod(lambda cls, instance: server))
    before, scan = snapshot(server.root / "program"), Walker._scan

    def interrupted(self, *arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return scan(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Walker, "_scan", interrupted)
        patch.setattr(walk, "BATCH", 1)
        with pytest.raises(InstanceError, match="not applied: interrupted; run again to go on"):
            security.prepare(instance, Report(io.StringIO()))
    assert snapshot(server.root / "program") == before
    security.prepare(instance, Report(io.StringIO()))
    assert snapshot(server.root / "program") != before
