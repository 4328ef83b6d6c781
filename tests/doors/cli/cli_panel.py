"""A listener on a database of its own, and the client, both as the processes that they are."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg

from innkeeper.doors.cli import client
from innkeeper.doors.cli.__main__ import main
from tests import cheap_hashes
from tests.databases import SOURCE


@dataclass(frozen=True)
class Result:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Panel:
    """A state folder with a listener, and commands to it."""

    def __init__(self, state: Path, database: str) -> None:
        self.state = state
        self.database = database
        self.socket = state / "run" / "cli" / "cli.sock"
        self.log = state / "cli.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self.environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(SOURCE),
            "INNKEEPER_DATABASE": database,
            "INNKEEPER_FILES": str(state / "files"),
            "DJANGO_SETTINGS_MODULE": "innkeeper.core.settings",
        }
        (state / "run").mkdir(mode=0o755, exist_ok=True)
        (state / "files").mkdir(exist_ok=True)

    def spawn(self) -> subprocess.Popen[bytes]:
        serve = cheap_hashes.program("innkeeper.doors.cli.server")
        command = [sys.executable, "-c", serve, "--socket", str(self.socket)]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, env=self.environment, stderr=log)

    def start(self) -> None:
        self.process = self.spawn()
        end = time.monotonic() + 30
        while not self.answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, "the listener does not answer"
            time.sleep(0.02)

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def run(self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Result:
        """Run a command line in this process, which takes a twentieth of the time that a process of its own does."""
        streams = [io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") for data in (stdin.encode(), b"", b"")]
        environment = {"PATH": os.environ["PATH"], "INNKEEPER_STATE": str(self.state)} | dict(env or {})
        with (
            mock.patch.dict(os.environ, environment, clear=True),
            mock.patch.multiple(
                sys, argv=["innkeeper", *words], stdin=streams[0], stdout=streams[1], stderr=streams[2]
            ),
        ):
            try:
                code = main()
            except SystemExit as end:  # the help of a command
                code = int(end.code or 0)
            out, err = (stream.seek(0) or stream.read() for stream in streams[1:])
        return Result(code, out, err)

    def ok(self, *words: str, **options: Any) -> Result:
        """Run a command line that must be done."""
        result = self.run(*words, **options)
        assert result.code == 0, result
        return result

    def run_process(
        self, *words: str, stdin: str | bytes = b"", env: Mapping[str, str] | None = None, user: str | None = None
    ) -> Result:
        """Run the client as the script `innkeeper` does."""
        command = [sys.executable, "-P", "-S", "-m", "innkeeper.doors.cli", *words]
        environment = {
            "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": str(SOURCE),
            "INNKEEPER_STATE": str(self.state), "PYTHONDONTWRITEBYTECODE": "1",
        } | dict(env or {})  # fmt: skip
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            command, env=environment, input=data, capture_output=True, timeout=60, check=False, user=user
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok_process(self, *words: str, **options: Any) -> Result:
        """Run the client so, for what must be done."""
        result = self.run_process(*words, **options)
        assert result.code == 0, result
        return result

    def ask(self, command: str, **arguments: Any) -> Any:
        """A command that must be done, without a client process: for what a test is not about."""
        return client.ask(str(self.state), {"command": command, "arguments": arguments})

    def info(self, address: str) -> Any:
        """Everything about an account."""
        return self.ask("mail.info", address=address)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What stands in the database."""
        if self.database.startswith("postgres"):
            with psycopg.connect(self.database) as connection:
                return connection.execute(statement).fetchall()
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(statement).fetchall()

    def site(self) -> str:
        """The name of a new site of Alice's."""
        name = f"site{next(self._numbers)}.test"
        self.ask("webspace.create", name=name, owner="alice")
        return name
