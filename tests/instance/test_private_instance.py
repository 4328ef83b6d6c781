"""`up`, `status` and `down` with the real daemons: what is started, found again, put right, and gone at the end."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from guard import Guard
from services.private import free_port_base

from innkeeper.instance import processes
from innkeeper.instance.config import Instance, Ports

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(os.geteuid() != 0, reason="starts real daemons: run as root"),
]

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAMS = {"keeper", "hostd", "policy", "dovecot", "postfix", "panel", "cli", "worker"}


class Private:
    """A state folder and the commands on it."""

    def __init__(self, state: Path, script: Path = REPOSITORY / "innkeeper") -> None:
        self.state = state
        self.script = script
        self.base = free_port_base()

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(self.script), *words, "--state", str(self.state)],
            capture_output=True, text=True, check=False, timeout=300, cwd="/",
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def up(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("up", "--no-demo", "--port-base", str(self.base), *words)

    def status(self, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", "--json", code=code).stdout)
        return found

    def pids(self) -> dict[str, int]:
        return {name: entry["pid"] for name, entry in self.status()["programs"].items()}

    @property
    def instance(self) -> Instance:
        return Instance.load(self.state)

    def serves(self) -> None:
        """Every door opens."""
        ports = self.instance.ports
        for port, greeting in ((ports.smtp, b"220"), (ports.submission, b"220"), (ports.imap, b"* OK")):
            with socket.create_connection(("127.0.0.1", port), 10) as connection:
                assert connection.recv(100).startswith(greeting)
        context = ssl.create_default_context(cafile=str(self.instance.certificate))
        panel = http.client.HTTPSConnection("127.0.0.1", ports.panel, timeout=10, context=context)
        panel.request("GET", "/")
        assert panel.getresponse().status < 500
        panel.close()


@contextmanager
def purged(private: Private) -> Iterator[None]:
    """At the end, whatever it is, nothing of it is left."""
    guard = Guard(private.script, "down", "--purge", "--state", private.state)
    try:
        yield
    finally:
        private.run("down", "--purge")
        guard.release()


@pytest.fixture(scope="module")
def private() -> Iterator[Private]:
    folder = Path(tempfile.mkdtemp(prefix="ik-", dir="/var/tmp"))
    folder.chmod(0o755)
    private = Private(folder / "s")
    with purged(private):
        private.up()
        yield private
    shutil.rmtree(folder)


def test_everything_is_up_and_stays_as_it_is(private: Private) -> None:
    private.serves()
    before = private.pids()
    assert before.keys() == PROGRAMS
    assert "everything was up already" in private.up().stdout
    assert private.pids() == before


def test_json_says_where_everything_is_and_no_secret(private: Private) -> None:
    done = private.up("--json")
    told = json.loads(done.stdout)
    ports = private.instance.ports
    assert told["panel"] == {
        "url": f"https://127.0.0.1:{ports.panel}/",
        "admin": "admin",
        "password_file": f"{private.state}/secrets/admin-password",
    }
    for name in ("smtp", "submission", "imap", "pop3", "sieve"):
        assert told[name] == {"host": "127.0.0.1", "port": getattr(ports, name)}
    assert told["database"] == f"{private.state}/db/innkeeper.sqlite3"
    assert told["state"] == str(private.state)
    assert told["demo"] is None
    password = (private.state / "secrets/admin-password").read_text().strip()
    assert password not in done.stdout + done.stderr


def test_no_secret_stands_in_an_argument_or_a_log(private: Private) -> None:
    secrets = [path.read_text().strip() for path in (private.state / "secrets").iterdir()]
    texts = [path.read_text(errors="replace") for path in (private.state / "log").iterdir()]
    for process in processes.of_instance(private.instance):
        texts.append((Path("/proc") / str(process.pid) / "cmdline").read_text(errors="replace"))
    for secret in secrets:
        assert not any(secret in text for text in texts)


def test_who_runs_as_root(private: Private) -> None:
    roots = {"hostd", "dovecot", "postfix"}
    for name, pid in private.pids().items():
        uid = (Path("/proc") / str(pid)).stat().st_uid
        assert (uid == 0) == (name in roots), name


def test_what_the_panel_may_not_change_belongs_to_root(private: Private) -> None:
    folders = [private.state / name for name in ("etc", "program", "log")]
    for path in [private.state, *folders, *(path for folder in folders for path in folder.rglob("*"))]:
        if path.is_symlink():
            continue
        found = path.stat()
        assert found.st_uid == 0, path
        assert not found.st_mode & 0o022, path


@pytest.mark.parametrize("name", ["postfix", "dovecot", "panel", "policy", "hostd", "keeper", "worker"])
def test_a_killed_program_is_put_right(private: Private, name: str) -> None:
    os.kill(private.pids()[name], signal.SIGKILL)
    private.up()
    private.serves()
    supervisor = private.status()["supervisor"]
    assert processes.strays(private.instance, supervisor) == []


def test_a_killed_supervisor_is_put_right(private: Private) -> None:
    os.kill(private.status()["supervisor"], signal.SIGKILL)
    assert private.status(code=1)["up"] is False
    private.up()
    private.serves()
    supervisor = private.status()["supervisor"]
    assert processes.strays(private.instance, supervisor) == []


def test_look_ups_survive_the_panel_and_the_worker(private: Private) -> None:
    """SQLite removes what readers need when the last writer leaves; the keeper is there against that."""
    pids = private.pids()
    for name in ("panel", "worker", "cli"):
        os.kill(pids[name], signal.SIGTERM)
    time.sleep(0.5)
    for end in ("-wal", "-shm"):
        assert (private.state / f"db/innkeeper.sqlite3{end}").exists()
    private.up()
    assert private.pids()["keeper"] == pids["keeper"]


def test_two_instances_do_not_meet(private: Private) -> None:
    with tempfile.TemporaryDirectory(prefix="ik-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        other = Private(Path(folder) / "s")
        before = private.pids()
        with purged(other):
            other.up()
            other.serves()
            assert not set(other.status()["users"]) & set(private.status()["users"])
        assert private.pids() == before
        assert processes.of_instance(Instance.new(other.state, environment=Path("/"))) == []


def test_a_folder_closed_to_others_is_opened_for_passing_alone() -> None:
    """A clone in a folder like /root, with its state in it: the normal case."""
    with tempfile.TemporaryDirectory(prefix="ik-", dir="/var/tmp") as name:
        folder = Path(name)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        clone = folder / "c"
        ignore = shutil.ignore_patterns(".git", "var", "__pycache__", ".*_cache")
        shutil.copytree(REPOSITORY, clone, ignore=ignore)
        private = Private(folder / "s", clone / "innkeeper")
        with purged(private):
            told = private.run("up", "--port-base", str(private.base)).stdout
            assert f"pass through {folder}" in told
            assert "demonstration: message read by IMAP" in told
            private.serves()
            assert subprocess.run(
                ["ls", str(folder)], user="nobody", group="nogroup", extra_groups=[], capture_output=True, check=False
            ).returncode
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert os.listxattr(folder) == []


def test_down_and_purge_leave_nothing() -> None:
    with tempfile.TemporaryDirectory(prefix="ik-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        mark = Path(folder) / "mark"
        accounts = [Path("/etc") / name for name in ("passwd", "group", "shadow", "gshadow")]
        before = distribution(accounts)
        # A path that is too long for the addresses of sockets below it.
        private = Private(Path(folder) / ("a-folder-of-a-long-name" * 8) / "s")
        mark.touch()
        time.sleep(0.01)
        with purged(private):
            private.run("up", "--port-base", str(private.base))
            instance = private.instance
            assert instance.sockets != instance.state
            private.serves()
            private.run("mail", "list")
            private.run("bin", "subscription", "-c", "inn.example", "-login", "innmain", "-passwd", "Kx4!paper-Moon")
            made = instance.vhosts / "inn.example" / "httpdocs"
            end = time.monotonic() + 20
            while not made.exists():  # with its system users, which go with the instance
                assert time.monotonic() < end
                time.sleep(0.1)
            assert f"{instance.name}-s" in accounts[0].read_text()
        assert processes.of_instance(instance) == []
        assert distribution(accounts) == before
        assert not any(instance.name in path.read_text() for path in accounts)
        assert {*Path(folder).iterdir()} == {mark, private.state.parent}
        assert list(private.state.parent.iterdir()) == []
        # Whatever an instance writes carries its name, its state folder, or lies where daemons keep their state.
        left = subprocess.run(
            ["find", "/etc", "/var/lib", "/var/spool", "/var/log", "/var/mail", "/run", "/opt/innkeeper", "-xdev",
             "-newer", str(mark), "-regextype", "posix-extended", "-regex", ".*(postfix|dovecot|innkeeper).*"],
            capture_output=True, text=True, check=False,
        ).stdout.split()  # fmt: skip
        assert [path for path in left if instance.name in path or "/innkeeper-" not in path] == []


def distribution(accounts: list[Path]) -> list[str]:
    """The lines of the accounts that no instance made."""
    lines = [line for path in accounts for line in path.read_text().splitlines()]
    return sorted(line for line in lines if not line.startswith("innkeeper-"))


def test_two_at_once_on_one_folder_do_not_mix() -> None:
    with tempfile.TemporaryDirectory(prefix="ik-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        private = Private(Path(folder) / "s")
        up = [private.script, "up", "--no-demo", "--port-base", str(private.base), "--state", private.state]
        with purged(private):
            both = [subprocess.Popen(up, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
            said = [process.communicate(timeout=300)[1] for process in both]
            assert sorted(process.returncode for process in both) == [0, 1], said
            assert "Another `up` or `down` works on this folder" in "".join(said)
            private.serves()


class TestRefusals:
    """Each says what is wrong and what to do, and changes nothing."""

    def test_a_taken_port(self) -> None:
        with tempfile.TemporaryDirectory(prefix="ik-", dir="/var/tmp") as folder, socket.socket() as taken:
            private = Private(Path(folder) / "s")
            taken.bind(("127.0.0.1", Ports.with_base(private.base).imap))
            taken.listen()
            done = private.run("up", "--no-demo", "--port-base", str(private.base), code=1)
            assert f"imap port 127.0.0.1:{Ports.with_base(private.base).imap} is taken" in done.stderr
            assert not private.state.exists()

    def test_a_folder_that_is_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "s").mkdir()
        (tmp_path / "s" / "thesis.txt").write_text("x")
        done = Private(tmp_path / "s").run("up", "--no-demo", code=1)
        assert "holds no instance" in done.stderr
        assert [p.name for p in (tmp_path / "s").iterdir()] == ["thesis.txt"]

    def test_another_database_than_its_own(self, private: Private) -> None:
        done = private.run("up", "--database", "postgresql://u:p@127.0.0.1/x", code=1)
        assert "This instance uses the database" in done.stderr

    def test_other_ports_while_it_runs(self, private: Private) -> None:
        done = private.run("up", "--port-base", str(private.base + 1), code=1)
        assert "Bring it down first" in done.stderr
        private.serves()

    def test_a_folder_of_a_newer_version(self, private: Private) -> None:
        path = private.state / "program" / "migrations.json"
        text = path.read_text()
        path.write_text(json.dumps([*json.loads(text), "mail.9999_from_the_future"]))
        try:
            done = private.run("up", "--no-demo", code=1)
            assert "newer version of Innkeeper (it knows mail.9999_from_the_future)" in done.stderr
        finally:
            path.write_text(text)
        private.serves()

    def test_a_user_who_is_not_root(self) -> None:
        with tempfile.TemporaryDirectory(prefix="ik-", dir="/var/tmp") as folder:
            Path(folder).chmod(0o755)
            shutil.copy(REPOSITORY / "innkeeper", folder)
            done = subprocess.run(
                [f"{folder}/innkeeper", "up"], user="nobody", group="nogroup", extra_groups=[],
                capture_output=True, text=True, check=False, cwd="/",
            )  # fmt: skip
            assert done.returncode == 1
            assert "needs root" in done.stderr

    def test_a_folder_without_an_instance(self, tmp_path: Path) -> None:
        for command in ("status", "down", "mail"):
            assert "no instance" in Private(tmp_path / "s").run(command, code=1).stderr
