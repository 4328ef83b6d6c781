"""A private PostgreSQL server for tests: its own folder, a free loopback port, gone at the end."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from guard import Guard

BIN = Path("/usr/lib/postgresql/15/bin")
SYSTEM_USER = "postgres"


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Cluster:
    """`with Cluster() as cluster: cluster.database("name")` gives the URL of a new database and its owner."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="innkeeper-pg-"))
        self.port = free_port()

    def _as_postgres(self, *command: str, text: str = "") -> str:
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            user=SYSTEM_USER, group=SYSTEM_USER, extra_groups=[], cwd=self.folder,
            input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def __enter__(self) -> Self:
        shutil.chown(self.folder, SYSTEM_USER, SYSTEM_USER)
        data = str(self.folder / "data")
        self._guard = Guard("sh", "-c", 'kill -QUIT "$(head -n 1 "$0/data/postmaster.pid")"; rm -r "$0"', self.folder)
        self._as_postgres("initdb", "-D", data, "-A", "scram-sha-256", "--auth-local=peer", "-E", "UTF8", "--no-sync")
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
        options += " -c fsync=off -c full_page_writes=off"  # nothing of it outlives a crash
        self._as_postgres("pg_ctl", "-D", data, "-w", "-l", str(self.folder / "log"), "-o", options, "start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._as_postgres("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")
        self._guard.release()
        shutil.rmtree(self.folder)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as superuser; rows come back one a line."""
        return self._as_postgres(
            "psql", "-h", str(self.folder), "-p", str(self.port), "-d", database,
            "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", text=statement,
        )  # fmt: skip

    def database(self, name: str) -> str:
        """Make a database with an owner of the same name who may make roles; its URL."""
        password = secrets.token_hex(12)
        self.sql(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD '{password}'")
        self.sql(f"CREATE DATABASE {name} OWNER {name}")
        return f"postgresql://{name}:{password}@127.0.0.1:{self.port}/{name}"
