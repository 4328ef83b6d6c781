"""The listener and the client as processes: who may enter, several at once, ends."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from cli_panel import Panel, Result

from innkeeper.doors.cli import server, wire
from tests.databases import SOURCE, Databases

root_only = pytest.mark.skipif(os.getuid() != 0, reason="needs root to act as another user")


@pytest.fixture
def lone_panel(tmp_path: Path, databases: Databases) -> Iterator[Panel]:
    """A panel whose listener the test may end; not started."""
    with databases.fresh(tmp_path, "administered") as database:
        yield from ending(Panel(tmp_path, database))


def ending(panel: Panel) -> Iterator[Panel]:
    yield panel
    if panel.process and panel.process.poll() is None:
        panel.end(signal.SIGKILL)


def connect(panel: Panel) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(str(panel.socket))
    return connection


def frame(payload: bytes, kind: int = 0) -> bytes:
    return struct.pack(">BI", kind, len(payload)) + payload


def ask_raw(panel: Panel, data: bytes) -> bytes:
    with connect(panel) as connection:
        connection.sendall(data)
        parts = b""
        with contextlib.suppress(ConnectionResetError):  # how a close looks to who has sent too much
            while part := connection.recv(65536):
                parts += part
    return parts


def test_only_the_owner_can_open_the_socket(panel: Panel) -> None:
    assert stat.S_IMODE(panel.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(panel.socket.parent.stat().st_mode) == 0o700


@root_only
def test_another_user_is_refused(databases: Databases) -> None:
    with tempfile.TemporaryDirectory() as name, databases.fresh(Path(name), "empty") as database:
        state = Path(name)
        state.chmod(0o755)
        panel = Panel(state, database)
        # The clone may lie below a folder that is closed to others, the instance's copy of the program never does.
        program = state / "program"
        shutil.copytree(SOURCE / "innkeeper" / "doors", program / "innkeeper" / "doors")
        shutil.copy(SOURCE / "innkeeper" / "__init__.py", program / "innkeeper")
        panel.start()
        try:
            result = panel.run_process("mail", "list", user="nobody", env={"PYTHONPATH": str(program)})
        finally:
            panel.end()
    assert (result.code, "Run this as root" in result.err) == (6, True)


def test_a_folder_that_others_may_enter_is_refused(lone_panel: Panel) -> None:
    lone_panel.socket.parent.mkdir(mode=0o755)
    lone_panel.socket.parent.chmod(0o755)
    process = lone_panel.spawn()
    assert process.wait(30) == 1
    assert "mode 0700" in lone_panel.log.read_text()


def test_a_killed_listeners_socket_is_taken_over_and_a_running_ones_is_not(lone_panel: Panel) -> None:
    lone_panel.start()
    second = lone_panel.spawn()
    assert second.wait(30) == 1
    assert "Another listener" in lone_panel.log.read_text()
    lone_panel.end(signal.SIGKILL)
    assert lone_panel.socket.exists()
    lone_panel.start()
    assert lone_panel.end(signal.SIGTERM) == 0
    assert not lone_panel.socket.exists()


def test_a_panel_that_is_away_is_said_so(tmp_path: Path) -> None:
    result = Panel(tmp_path, "").run_process("mail", "list")
    assert result.code == 1
    assert result.err == (
        f"innkeeper: Innkeeper does not answer in {tmp_path}. Bring it up with `./innkeeper up`,"
        " or name its folder with --state.\n"
    )


@pytest.fixture
def unready_panel(tmp_path: Path, databases: Databases) -> Iterator[Panel]:
    """One that nobody made ready."""
    with databases.fresh(tmp_path, "without tables") as database:
        yield from ending(Panel(tmp_path, database))


def test_a_database_without_tables_is_an_error_and_not_a_trace(unready_panel: Panel) -> None:
    unready_panel.start()
    result = unready_panel.run_process("mail", "list")
    assert (result.code, "database" in result.err, "Traceback" in result.err) == (1, True, False)


def test_a_slow_client_holds_nobody_up(panel: Panel) -> None:
    slow = [connect(panel) for _ in range(4)]
    for connection in slow:
        connection.sendall(frame(b"{}")[:3])
    panel.ok_process("mail", "list")
    for connection in slow:
        connection.close()


def test_several_commands_run_at_once(panel: Panel, site: str) -> None:
    codes: list[int] = []

    def create(number: int) -> None:
        codes.append(panel.run_process("mail", "create", f"user{number}@{site}").code)

    threads = [threading.Thread(target=create, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * 8
    assert len(panel.ok_process("mail", "list", site).out.splitlines()) == 8


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">BI", 0, 2**32 - 1),
        frame(b"not json"),
        frame(b"[]"),
        frame(b"{}", kind=1),
        frame(b'{"command":"mail.list","data":true}') + frame(b"{}"),
    ],
)
def test_what_is_no_request_is_hung_up_on(panel: Panel, data: bytes) -> None:
    assert ask_raw(panel, data) == b""
    panel.ok_process("mail", "list")


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"command": 7},
        {"command": "mail.explode"},
        {"command": "../../etc.passwd"},
        {"command": "mail.info", "arguments": []},
        {"command": "mail.info", "arguments": {"address": 7}},
        {"command": "mail.create", "arguments": {"address": "joe@example.test", "quota": True}},
    ],
)
def test_a_request_that_is_wrong_is_answered_with_an_error(panel: Panel, request_: dict[str, object]) -> None:
    answer = json.loads(ask_raw(panel, frame(json.dumps(request_).encode()))[5:])
    assert answer["exit"] in (2, 3)
    assert answer["error"]["message"]


def test_a_command_that_was_begun_is_finished_before_the_listener_ends(lone_panel: Panel) -> None:
    lone_panel.start()
    with connect(lone_panel) as connection:
        message = frame(b'{"command":"mail.list"}')
        connection.sendall(message[:-1])
        assert lone_panel.process is not None
        lone_panel.process.send_signal(signal.SIGTERM)
        connection.sendall(message[-1:])
        answer = wire.receive(connection)
    assert isinstance(answer, dict)
    assert answer["exit"] == 0
    assert lone_panel.process.wait(30) == 0


def test_who_came_just_before_the_end_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, served = threading.Event(), []
    ours, theirs = socket.socketpair()

    class Listener:
        """Nobody comes, the end is asked for, one has come meanwhile, and nobody comes any more."""

        comes = iter((stop.set, lambda: (theirs, ""), None))

        def settimeout(self, seconds: float) -> None:
            pass

        def accept(self) -> object:
            come = next(self.comes)
            if come is None or (answer := come()) is None:
                raise TimeoutError
            return answer

    monkeypatch.setattr(server, "converse", served.append)
    with ours, theirs:
        server.serve(Listener(), stop)  # type: ignore[arg-type]
        assert served == [theirs]


def test_what_a_customer_wrote_cannot_command_the_terminal(panel: Panel, site: str) -> None:
    evil = "\x1b]0;owned\x07 \x9b31m \u202eabc\nid: 1"
    panel.ask("mail.create", address=f"joe@{site}", description=evil)
    for words in (["mail", "info"], ["bin", "mail", "--info"], ["mail", "info", "--json"]):
        out = panel.ok_process(*words, f"joe@{site}").out
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(out)
        assert "\nid: 1" not in out
    assert panel.ok_process("mail", "info", f"joe@{site}", "--json").json["description"] == evil


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_names_that_the_locale_cannot_show_end_no_command(panel: Panel, site: str, locale: str) -> None:
    panel.ask("mail.create", address=f"joe@{site}", description="süß")
    out = panel.ok_process("mail", "info", f"joe@{site}", env={"LANG": locale, "PYTHONIOENCODING": "ascii"}).out
    assert "description:      s\\xfc\\xdf" in out
    found = panel.ok_process(
        "mail", "info", f"joe@{site}", "--json", env={"LANG": locale, "PYTHONIOENCODING": "ascii"}
    ).json
    assert found["description"] == "süß"


def test_what_is_not_utf_8_is_said_to_be_so(panel: Panel, site: str) -> None:
    result = panel.run_process("mail", "create", f"joe@{site}", "--password-stdin", stdin=b"caf\xe9-Kx4!\n")
    assert (result.code, "not UTF-8" in result.err) == (2, True)


@contextlib.contextmanager
def writers_held_up(database: str) -> Iterator[None]:
    """Nobody can write to the database meanwhile."""
    if database.startswith("postgres"):
        with psycopg.connect(database) as connection:
            connection.execute("LOCK TABLE core_auditentry")
            yield
            connection.rollback()
    else:
        with Path(f"{database}.writer").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def test_a_listener_that_is_killed_in_the_middle_leaves_nothing_half_and_the_client_says_so(lone_panel: Panel) -> None:
    lone_panel.start()
    lone_panel.ask("webspace.create", name="shop.test")
    results: list[Result] = []
    command = ("mail", "create", "joe@shop.test", "--alias", "sales")
    client = threading.Thread(target=lambda: results.append(lone_panel.run_process(*command)))
    with writers_held_up(lone_panel.database):
        client.start()
        client.join(1.0)  # by now the command waits for the right to write, or is on its way there
        assert client.is_alive()
        lone_panel.end(signal.SIGKILL)
        client.join(30)
    assert results[0].code == 1
    assert "ended before it answered" in results[0].err or "does not answer" in results[0].err
    lone_panel.start()
    counts = "SELECT (SELECT count(*) FROM mail_mailaccount), (SELECT count(*) FROM mail_mailname)"
    assert lone_panel.rows(counts) == [(0, 0)]
    lone_panel.ok_process(*command)
    assert lone_panel.rows(counts) == [(1, 2)]


def test_a_reader_that_has_enough_ends_the_client_quietly(panel: Panel, site: str) -> None:
    panel.ok_process("mail", "create", f"joe@{site}")
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -P -S -m innkeeper.doors.cli mail list --json | head -c 1"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "INNKEEPER_STATE": str(panel.state)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == (b"{", b"")


@pytest.mark.parametrize("words", [["mail", "--help"], ["mail", "create", "--help"], ["bin", "mail", "--help"], ["-h"]])
def test_help_needs_no_panel(tmp_path: Path, words: list[str]) -> None:
    result = Panel(tmp_path, "").run_process(*words)
    assert result.code == 0
    assert "--" in result.out or "mail" in result.out


@pytest.mark.parametrize("words", [["mail", "list"], ["call"], ["bin", "mail", "--list"], ["customer", "list"]])
def test_the_client_stays_thin(panel: Panel, words: list[str]) -> None:
    program = (
        "import sys\nfrom innkeeper.doors.cli.__main__ import run\nrun(sys.argv[1:])\n"
        "heavy = {'django', 'lxml', 'asyncio', 'pathlib', 'dataclasses', 'inspect', 'subprocess', 'logging'}\n"
        "sys.stderr.write(' '.join(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", program, *words],
        env={"PYTHONPATH": str(SOURCE), "INNKEEPER_STATE": str(panel.state)},
        input=b"<packet/>",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == b""


def test_a_command_of_an_event_handler_tells_how_deep_it_is(panel: Panel) -> None:
    def depth(login: str, variable: str | None) -> int:
        env = {"INNKEEPER_PASSWORD": "Kx4!paper"} | ({} if variable is None else {"INNKEEPER_EVENT_DEPTH": variable})
        panel.ok_process("customer", "create", login, "--name", "Deep", env=env)
        row = "SELECT depth FROM core_outboxevent WHERE event = 'client_create' ORDER BY id DESC LIMIT 1"
        return int(panel.rows(row)[0][0])

    assert [depth(f"deep{number}", value) for number, value in enumerate([None, "3", "-1", "999999"])] == [0, 3, 0, 0]
