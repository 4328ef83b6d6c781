"""hostd's part about files, served to tests by their own process, or by one that is as small as in the product.

Each request forks, and to fork the process of all tests costs several times the rest of a request.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from innkeeper.hostd import file_actions, rights
from innkeeper.hostd.client import Client
from innkeeper.hostd.requests import Request
from innkeeper.hostd.server import Server
from tests.permissions import servers

REPOSITORY = Path(__file__).parents[1]


class OnlyFiles:
    """The part of hostd's actions that is about files."""

    def __init__(self, instance: Any) -> None:
        self.files = file_actions.FileActions(instance)

    def do(self, request: Request, client: socket.socket | None = None) -> Any:
        return self.files.do(request, client)  # type: ignore[arg-type]


def listening(root: Path, name: str) -> tuple[Server, socket.socket]:
    """A server for the instance of this name, with its accounts below `root/vhosts`, and its socket."""
    instance = SimpleNamespace(name=name, vhosts=root / "vhosts")
    server = Server(OnlyFiles(instance), frozenset({0}))  # type: ignore[arg-type]
    return server, server.listen(address(root, os.getpid()), 0)


def address(root: Path, pid: int) -> Path:
    """The socket of the process that serves."""
    return root / f"hostd-{pid}"


@contextmanager
def in_this_process(root: Path, name: str) -> Iterator[Client]:
    """For tests that change what hostd does."""
    server, listener = listening(root, name)
    thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
    thread.start()
    yield Client(address(root, os.getpid()))
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@contextmanager
def in_its_own(root: Path, name: str, *, one_user: bool = False) -> Iterator[Client]:
    """For all others. All accounts may be of one system user, whose name is the instance's."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.file_hostd", root, name, *["one user"] * one_user],
        cwd=REPOSITORY, env={"PYTHONPATH": "src:."}, stdout=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.stdout
        assert process.stdout.read(1), "hostd did not start"
        yield Client(address(root, process.pid))
        process.terminate()


def give_all_to_one_user(root: Path, name: str, set_: Any = setattr) -> None:
    """Whatever the number of an account, it is this system user's; the rules' layout is that of the folder."""
    for module in (file_actions, rights):
        set_(module, "user_name", lambda _instance, _key: name)
    set_(rights, "Layout", SimpleNamespace(of=lambda _instance: servers.named(root)))


def main(root: str, name: str, one_user: str = "") -> None:
    if one_user:
        give_all_to_one_user(Path(root), name)
    server, listener = listening(Path(root), name)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    server.serve(listener)


if __name__ == "__main__":
    main(*sys.argv[1:])
