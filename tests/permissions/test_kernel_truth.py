"""What processes of other users can really do. Needs root."""

# Calls of the system are what is tested, and what actors do is written as lambdas.
# ruff: noqa: PTH101, PTH104, PTH108, PTH116, PTH208, PTH211, PLW0108

from __future__ import annotations

import os
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trees import (
    ALICE,
    BOB,
    CHARLIE,
    GROUPS,
    MEMBERS,
    POOL,
    PRINCIPALS,
    USERS,
    WEB,
    applied,
    as_user,
    compiled,
    entry,
    make,
    snapshot,
)  # fmt: skip

import innkeeper
from innkeeper.permissions import journal
from innkeeper.permissions.apply import undo
from innkeeper.permissions.nt import sid
from innkeeper.permissions.nt.access import granted
from innkeeper.permissions.posix import acl as posix_acl
from innkeeper.permissions.posix.bits import permissions
from innkeeper.permissions.stores.posix import PosixStore

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become other users"),
]
ALL = "ThisFolderSubfoldersAndFiles"
SOURCE = Path(innkeeper.__file__).parent.parent
ENVIRONMENT = os.environ | {"PYTHONPATH": str(SOURCE)}
OPENS = {4: os.O_RDONLY, 2: os.O_WRONLY, 6: os.O_RDWR}


def hosting(tree: Path) -> Path:
    """The documented rules of a domain and of the folder of all domains."""
    make(tree, "example.com/httpdocs/index.html", "example.com/httpdocs/img/a.png", "example.com/error_docs/404.html",
         "example.com/httpdocs/picture_library/one.jpg", "other.com/httpdocs/index.html")  # fmt: skip
    for name, owner in (("example.com", ALICE), ("other.com", CHARLIE)):
        for path in (tree / name).rglob("*"):
            os.chown(path, owner, min(MEMBERS[owner]))
    rules = [entry("customers", "", "ThisObjectOnly", "0x0F017F", "0x1")]
    for name, owner in (("example.com", "alice"), ("other.com", "charlie")):
        site = f"{name}\\httpdocs"
        rules += [
            entry(owner, name, "ThisObjectOnly", "ReadAndExecute", "0x144"),
            entry(owner, f"{name}\\error_docs\\*.*", "FilesOnly", "ReadWrite", "0x88"),
            entry("web", site, "ThisFolderAndSubfolders", "ReadAndExecute", "0x140"),
            entry("web", site, "FilesOnly", "Read", "0x140"),
            entry("ftpsub", site, "ThisObjectOnly", "0x010000", "0x1"),
            entry(owner, site, "ThisObjectOnly", "FileNonRemovable", "0x140"),
            entry(owner, site, "SubfoldersAndFilesOnly", "FullAccess", "0x140"),
        ]
    rules += [
        entry("alice", "example.com\\httpdocs\\picture_library", "ThisObjectOnly", "FileRemovable", "0x141"),
        entry("alice", "example.com\\httpdocs\\picture_library", ALL, "FullAccess", "0x140"),
    ]
    report = applied(tree, *rules).report
    assert not report.stopped
    assert applied(tree, *rules).report.changed == 0
    return tree


def test_the_worked_examples_of_hosting(tree):
    site = hosting(tree) / "example.com"
    docs = site / "httpdocs"
    library = docs / "picture_library"

    def allowed(uid, action):
        return as_user(uid, action)

    # The owner works in his site, but cannot see the neighbours or remove what must stay.
    assert not allowed(ALICE, lambda: os.listdir(tree))
    assert allowed(ALICE, lambda: os.listdir(site))
    assert allowed(ALICE, lambda: (docs / "index.html").write_text("new"))
    assert allowed(ALICE, lambda: (docs / "made").mkdir())
    assert allowed(ALICE, lambda: (docs / "made" / "deep.html").write_text("deep"))
    assert not allowed(ALICE, lambda: docs.rename(site / "gone"))
    assert not allowed(ALICE, lambda: docs.chmod(0o777))
    assert not allowed(ALICE, lambda: os.listdir(tree / "other.com" / "httpdocs"))
    assert not allowed(ALICE, lambda: (tree / "other.com/httpdocs/index.html").read_text())

    # A folder in a writable one that may not be removed, though everything in it may.
    assert not allowed(ALICE, lambda: library.rename(docs / "moved"))
    assert allowed(ALICE, lambda: (library / "two.jpg").write_text("two"))
    assert allowed(ALICE, lambda: (library / "two.jpg").unlink())
    assert not allowed(ALICE, library.rmdir)
    assert allowed(ALICE, lambda: (docs / "index.html").rename(docs / "renamed.html"))

    # The web server reads, and nothing more; new files too.
    assert allowed(WEB, lambda: (docs / "renamed.html").read_text())
    assert allowed(WEB, lambda: (docs / "made" / "deep.html").read_text())
    assert allowed(WEB, lambda: os.listdir(docs / "img"))
    assert not allowed(WEB, lambda: (docs / "renamed.html").write_text("no"))
    assert not allowed(WEB, lambda: (docs / "evil.html").write_text("no"))
    assert not allowed(WEB, lambda: os.execv(docs / "img/a.png", ["a"]))

    # The files of error_docs, without the folder; the folder was broken off above and nobody else gets in.
    assert not allowed(ALICE, lambda: (site / "error_docs" / "new.html").write_text("no"))
    assert not allowed(BOB, lambda: (docs / "renamed.html").read_text())
    assert not allowed(POOL, lambda: (docs / "renamed.html").read_text())


def test_random_rules_and_trees_kernel_and_model_agree(tree):
    dice = random.Random(20)
    masks = ["Read", "ReadAndExecute", "ReadWrite", "Modify", "FullAccess", "0x1", "0x6", "0x20", "0x2"]
    flags = ["ThisObjectOnly", ALL, "FilesOnly", "ThisFolderAndSubfolders", "SubfoldersAndFilesOnly", "0x9", "0x7"]
    compared = 0
    for number in range(40):
        root = tree / str(number)
        make(root, "a/b/c/f", "a/g", "a/b/h", "d/i")
        for path in root.rglob("*"):
            os.chmod(path, dice.choice([0o755, 0o644, 0o700, 0o604, 0o640, 0o775]))
            os.chown(path, dice.choice([0, ALICE, BOB]), dice.choice([0, *GROUPS.values()]))
        rules = [
            entry(
                dice.choice([*USERS, *GROUPS, "Everyone"]), dice.choice(["", "a", "a/b", "a/b/c", "a/g"]),
                dice.choice(flags), dice.choice(masks), dice.choice(["0x0", "0x0", "0x1", "0x100", "0x4"]),
            )
            for _ in range(dice.randrange(1, 7))
        ]  # fmt: skip
        policy = compiled(root, *rules)
        store = PosixStore(policy)
        paths = [root, *root.rglob("*")]
        before = {path: (path.stat(), _list(path)) for path in paths}
        report = applied(root, *rules).report
        assert not report.stopped
        assert applied(root, *rules).report.changed == 0
        for uid in USERS.values():
            answers = _tried(uid, paths)
            for path in paths:
                model = _model(policy, store, root, path, *before[path], uid)
                expected = [model & request == request for request in range(1, 8)]
                assert answers[path] == expected, (rules, path, uid, _list(path))
                compared += 7
    assert compared == 40 * 9 * 5 * 7


def _tried(uid, paths):
    """What the kernel answers a user about each object alone, whatever the folders above it say.

    The objects are opened by root, and reached through these descriptors. Files are really opened for r, w and both;
    for the rest the kernel is asked.
    """
    held = {path: os.open(path, os.O_PATH | os.O_NOFOLLOW) for path in paths}
    files = {path for path in paths if path.is_file()}
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups(sorted(MEMBERS[uid]))
            gid = min(MEMBERS[uid])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            for path, fd in held.items():
                here = f"/proc/self/fd/{fd}"
                for request in range(1, 8):
                    answer = os.access(here, request)
                    if path in files and request in OPENS:
                        answer = _opens(here, OPENS[request])
                    os.write(writer, b"1" if answer else b"0")
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        data = stream.read()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    for fd in held.values():
        os.close(fd)
    answers = iter(data.decode())
    return {path: [next(answers) == "1" for _ in range(7)] for path in paths}


def _opens(path, how):
    try:
        os.close(os.open(path, how))
    except PermissionError:
        return False
    return True


def _list(path):
    names = os.listxattr(path)
    packed = os.getxattr(path, posix_acl.ACCESS) if posix_acl.ACCESS in names else None
    return posix_acl.unpack(packed) if packed else posix_acl.of_mode(os.stat(path).st_mode)


def _model(policy, store, root, path, st, before, uid):
    """r, w, x of a user by the NT model for one object, from what it was before the run."""
    ground, node = policy.start((0, 0)), policy.root
    parts = path.relative_to(root).parts
    for depth, name in enumerate(parts, 1):
        node = node.children.get(name) if node else None
        if depth < len(parts) or path.is_dir():
            ground = policy.child(ground, node, True, (0, 0))
        else:
            ground = policy.child_file(ground, node, (), (st.st_uid, st.st_gid))
    aces = store.translator.entries(ground, posix_acl.effective(before), st.st_uid, st.st_gid)
    token = PRINCIPALS.token(sid.user(uid))
    return permissions(granted(aces, token)) | (1 if ground.is_folder and ground.lets_pass(token) else 0)


def test_a_user_who_swaps_folders_for_links_reaches_nothing_outside(memory_tree):
    """While the engine applies again and again, the owner of the tree swaps a folder for a link to another's tree."""
    tree = memory_tree
    outside = tree / "outside"
    make(outside, *[f"sub/f{number}" for number in range(20)])
    inside = tree / "inside"
    make(inside, *[f"d{folder}/sub/f{number}" for folder in range(8) for number in range(20)])
    for path in (inside, *inside.rglob("*")):
        os.chown(path, ALICE, min(MEMBERS[ALICE]))
    before = snapshot(outside)
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(min(MEMBERS[ALICE]), min(MEMBERS[ALICE]), min(MEMBERS[ALICE]))
        os.setresuid(ALICE, ALICE, ALICE)
        number = 0
        while True:
            number = (number + 1) % 8
            folder, aside = inside / f"d{number}", inside / "aside"
            try:
                os.rename(folder, aside)
                os.symlink(outside, folder)
                os.unlink(folder)
                os.rename(aside, folder)
                target = inside / f"d{number}/sub/f1"
                os.unlink(target)
                os.symlink(outside / "sub/f1", target)
                os.unlink(target)
                os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
            except OSError:
                pass
    vanished = 0
    try:
        for attempt in range(1000):
            mask = "Modify" if attempt % 2 else "Read"
            report = applied(inside, entry("bob", "", ALL, mask, "0x108")).report
            assert not report.stopped
            vanished += report.vanished + report.skipped["link"]
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert snapshot(outside) == before
    assert vanished > 0, "the attacker never came in between; the test shows nothing"


def test_a_killed_run_over_200_000_files_is_undone_or_resumed_completely(memory_tree):
    run = CutOff(memory_tree, 200_000)
    before = run.states()
    run.cut_off("first", signal.SIGKILL)
    folder, about = run.record("first")
    assert about["finished"] is False
    assert undo(PosixStore(compiled(run.tree)), folder, str(run.tree)).problems == []
    assert run.states() == before
    run.cut_off("second", signal.SIGKILL)
    run.resume()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_asked_to_end_does_so_on_record_and_goes_on_later(memory_tree, end):
    run = CutOff(memory_tree, 20_000)
    before = run.states()
    code, out, err = run.cut_off("runs", end)
    folder, about = run.record("runs")
    assert about["finished"] is False
    assert code == 2
    assert err == "innkeeper security: stopped: interrupted; run again to go on\n"
    back = f"security undo {folder.name} --journal {folder.parent}"
    assert f"run {folder.name}; undo it with: innkeeper {back}\n" in out
    if end == signal.SIGINT:
        run.engine(*back.split()[1:])
        assert run.states() == before
    else:
        run.resume()


class CutOff:
    """A tree, and runs over it that do not come to their end. Its account has no name, so the rule has a SidStr."""

    def __init__(self, folder: Path, files: int) -> None:
        self.folder, self.tree, self.files = folder, folder / "tree", files
        for number in range(files // 100):
            below = self.tree / str(number % 10) / str(number // 10)
            below.mkdir(parents=True)
            for name in range(100):
                os.close(os.open(below / str(name), os.O_CREAT | os.O_WRONLY, 0o644))
        rules = folder / "rules.xml"
        rules.write_text(f"<R>{entry('x', '', ALL, 'Modify', '0x0', SidStr=sid.user(ALICE))}</R>")
        self.apply = ("apply", "--rules", str(rules), "--root", str(self.tree), "--jobs", "2")

    def states(self) -> dict[str, tuple[int, bytes | None]]:
        """Mode and list of every object."""
        found = {}
        for folder, _, files in os.walk(self.tree):
            for path in (folder, *(f"{folder}/{name}" for name in files)):
                names = os.listxattr(path)
                found[path] = os.lstat(path).st_mode, os.getxattr(path, names[0]) if names else None
        return found

    def cut_off(self, runs: str, end: signal.Signals) -> tuple[int, str, str]:
        """Begin a run and end it half-way; its exit code and what it said."""
        record = self.folder / runs
        process = subprocess.Popen(
            [sys.executable, "-m", "innkeeper.permissions", *self.apply, "--journal", str(record)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=ENVIRONMENT,
        )  # fmt: skip
        deadline = time.monotonic() + 120
        begun = "*-??????/part-*.log"  # a run's folder has another name until it is complete
        while sum(part.stat().st_size for part in record.glob(begun)) < self.files:
            assert process.poll() is None, "the run ended before it could be cut off"
            assert time.monotonic() < deadline
        if end == signal.SIGTERM:  # of the first process alone; the others hear of it from that
            process.terminate()
        else:
            os.killpg(process.pid, end)
        return (process.wait(60), *process.communicate())

    def record(self, runs: str) -> tuple[Path, dict[str, object]]:
        """The folder of a run, and what is written about it."""
        name = next((self.folder / runs).iterdir()).name
        return journal.find_run(self.folder / runs, name)

    def engine(self, *arguments: str) -> None:
        """Run a command to its end."""
        command = [sys.executable, "-m", "innkeeper.permissions", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr

    def resume(self) -> None:
        """Run again; everything has what the rule says then, of which a part was done before."""
        done = {path for path, (_, acl) in self.states().items() if acl}
        assert 0 < len(done) < self.files
        self.engine(*self.apply, "--no-journal")
        users = {posix_acl.unpack(acl).users if acl else () for _, acl in self.states().values()}
        assert users == {((ALICE, 7),)}


@pytest.mark.parametrize(("flags", "code"), [("0x0", 2), ("0x8", 1)])
def test_what_is_mounted_in_the_tree_is_left_alone_also_if_it_is_of_the_same_file_system(tmp_path, flags, code):
    """A rule about it is named; it stops the run before the first write unless it says to go on."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    make(tmp_path, "root/d/a", "root/d/to a/f", "root/d/to", "root/d/other/", "root/e", "outside/in/f", "outside/g")
    rules = tmp_path / "rules.xml"
    granted = {"SidStr": sid.user(ALICE)}
    entries = [entry("x", path, ALL, "Modify", flags, **granted) for path in ("d", "e", "d/to a/in/f")]
    entries.append(entry("x", "d/to a/left", ALL, "Modify", "0x20", **granted))
    rules.write_text("<R>\n" + "\n".join(entries) + "\n</R>")
    command = f"{sys.executable} -m innkeeper.permissions apply --rules {rules} --root {root} --no-journal"
    from_inside = (
        "from pathlib import Path; from trees import applied, entry; "
        f"rule = entry('x', 'd', {ALL!r}, 'Modify', SidStr={sid.user(ALICE)!r}); "
        f"runs = [applied(Path({str(root)!r}), rule, start=('d', 'to a', *more)) for more in ((), ('in',), ('g',))]; "
        "assert all('mounted at d/to a' in run.report.stopped for run in runs)"
    )
    explain = command.replace(" apply ", f" explain '{root}/d/to a/in/f' ").removesuffix(" --no-journal")
    script = (
        f"set -e; mount --bind {outside} '{root}/d/to a'; mount --bind {outside}/g {root}/d/to"
        f"; mount --bind {outside}/g {root}/e; mount -t tmpfs none {root}/d/other; {command} || test $? = {code}"
        f"; {explain} || test $? = 2"
        f"; getfacl -cp {root}/d/other; {sys.executable} -c {shlex.quote(from_inside)}"
    )
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        check=False, capture_output=True, text=True,
        env=ENVIRONMENT | {"PYTHONPATH": f"{SOURCE}:{Path(__file__).parent}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    why = "something is mounted at d/to a, and a run stays in the file system of its root"
    assert f"{root}/d/to a/in/f cannot be explained: {why}" in done.stderr
    told = [line for line in done.stderr.splitlines() if "mount-point" in line]
    assert len(told) == 2
    for line, place in ((3, "e"), (4, "d/to a")):
        where = f"{rules}:{line}:1"
        assert [one for one in told if where in one and f"something is mounted at {place}, and a run stays" in one]
    assert [path for path in (outside, *outside.rglob("*")) if posix_acl.ACCESS in os.listxattr(path)] == []
    assert f"user:{ALICE}" not in done.stdout
    assert _list(root / "d/a").users == (((ALICE, 7),) if code == 1 else ())


@pytest.mark.parametrize(("flags", "code"), [("0x0", 2), ("0x8", 1)])
def test_a_file_system_without_lists_is_said_with_the_rule(tmp_path, flags, code):
    rules = tmp_path / "rules.xml"
    rules.write_text(f"<R>\n{entry('x', 'd', ALL, 'Read', flags, SidStr=sid.user(ALICE))}\n</R>")
    root = tmp_path / "root"
    root.mkdir()
    command = f"{sys.executable} -m innkeeper.permissions apply --rules {rules} --root {root} --no-journal"
    script = f"mount -t ramfs none {root} && mkdir {root}/d && : >{root}/d/f && {command}"
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        check=False, capture_output=True, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert (
        f"no-acl: the file system holds no access control lists; mount it with acl (rules: {rules}:2:1)" in done.stderr
    )
    assert ("d/f: no-acl" in done.stderr) == (code == 1)
