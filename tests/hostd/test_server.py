"""hostd's socket against clients that mean no good."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from innkeeper.hostd import server as server_module
from innkeeper.hostd.client import Client, HostdError
from innkeeper.hostd.requests import EmptyGrave, Kick, Programs, Request
from innkeeper.hostd.server import CONNECTIONS, Server

KEY = "0123456789abcdef" * 2
NOBODY = 65534


class Recorder:
    """Takes note of what reaches the actions."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def do(self, request: Request, client: socket.socket | None = None) -> Any:
        self.asked.append(request)
        if isinstance(request, EmptyGrave):
            raise PermissionError("secret path")
        return {}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def path(recorder: Recorder) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("gives a socket to a group: run as root")
    folder = tempfile.TemporaryDirectory(prefix="ik-")
    Path(folder.name).chmod(0o755)  # other users must be able to try
    path = Path(folder.name) / "hostd.sock"
    server = Server(recorder, frozenset({0}))  # type: ignore[arg-type]
    listener = server.listen(path, 0)
    thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
    thread.start()
    yield path
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    folder.cleanup()


def connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(str(path))
    return connection


def ended(connection: socket.socket) -> bool:
    """Whether the server hangs up without a word."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_the_client_is_answered(path: Path, recorder: Recorder) -> None:
    client = Client(path)
    longest = f"{'a' * 64}@{'b' * 246}"
    client.kick([f"{longest}.{n:06}" for n in range(1501)])
    assert client.programs() == {}
    assert [type(request) for request in recorder.asked] == [Kick, Kick, Programs]


def test_a_failure_is_an_answer_and_hostd_goes_on(path: Path) -> None:
    with pytest.raises(HostdError, match="PermissionError"):
        Client(path).empty_grave(KEY)
    assert Client(path).programs() == {}


def test_a_bad_request_is_answered_and_nothing_is_done(path: Path, recorder: Recorder) -> None:
    with connected(path) as connection:
        stream = connection.makefile("rwb")
        for bad in (b"x", b'{"op":"empty_grave","storage":"../../etc"}', b'{"op":"sh"}'):
            stream.write(bad + b"\n")
            stream.flush()
            assert json.loads(stream.readline())["ok"] is False
    assert recorder.asked == []


def test_another_user_is_shut_out_even_with_the_socket_open_to_all(path: Path, recorder: Recorder) -> None:
    path.chmod(0o666)
    code = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "s.connect(sys.argv[1])\n"
        "try:\n"
        '    s.sendall(b\'{"op":"programs"}\\n\')\n'
        "    sys.stdout.write(repr(s.recv(100)))\n"
        "except OSError as error:\n"
        "    sys.stdout.write(repr(b''))\n"
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-c", code, str(path)],
        user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, check=True, cwd="/",
    )  # fmt: skip
    assert done.stdout == "b''"
    assert recorder.asked == []


def test_the_socket_itself_is_closed_to_others(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o660


def test_a_line_without_end_is_cut_off(path: Path, recorder: Recorder) -> None:
    with connected(path) as connection:
        with pytest.raises(OSError):
            for _ in range(64):
                connection.sendall(b"x" * 65536)
        assert recorder.asked == []
    assert Client(path).programs() == {}


def test_a_slow_client_is_cut_off_and_holds_nobody_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "LINE_SECONDS", 1.0)
    with connected(path) as slow:
        slow.sendall(b'{"op":')
        assert Client(path).programs() == {}
        assert ended(slow)


def test_connections_are_bounded(path: Path) -> None:
    held = [connected(path) for _ in range(CONNECTIONS)]
    with connected(path) as one_more:
        assert ended(one_more)
    for connection in held:
        connection.close()


def test_a_process_without_free_descriptors_goes_on_when_there_are_some(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with connected(path), socket.socket(socket.AF_UNIX) as late:
        resource.setrlimit(resource.RLIMIT_NOFILE, (late.fileno() + 1, hard))
        try:
            late.connect(str(path))
            deadline = time.monotonic() + 10
            while "cannot take a connection" not in caplog.text and time.monotonic() < deadline:
                time.sleep(0.01)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert "cannot take a connection" in caplog.text
        assert Client(path).programs() == {}


def test_a_process_without_free_threads_goes_on_when_there_are_some(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        for _ in range(CONNECTIONS + 1):
            with connected(path) as connection:
                assert ended(connection)
    assert Client(path).programs() == {}


def test_nothing_of_a_request_is_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    Client(path).kick(["someone@private.test"])
    with pytest.raises(HostdError):
        Client(path).ask("kick", usernames=["p4ssword!"])
    assert "private" not in caplog.text
    assert "p4ssword" not in caplog.text
