"""Databases with all tables, for the tests and for the programs that they start: migrated once a run, then copied."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from innkeeper.core.settings import postgresql_settings, sqlite_settings

SOURCE = Path(__file__).parents[1] / "src"
ADMINISTRATOR_PASSWORD = "Kx4!paper-Moon"

MIGRATE = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""
ADMINISTRATE = f"""
from innkeeper.accounts.operations import create_administrator
create_administrator({ADMINISTRATOR_PASSWORD!r})
"""
STAYING = {"django_content_type", "auth_permission"}
"""What `migrate` writes."""

PROGRAMS = {"without tables": "", "empty": MIGRATE, "administered": MIGRATE + ADMINISTRATE}
"""What fills each kind of database."""

END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = user"


class Databases:
    """Copies of what one process of the run filled, on the engine of the run or on SQLite."""

    def __init__(self, shared: Path) -> None:
        self._shared = shared  # by all processes of the run, and by no other run
        self._server = server()

    @contextmanager
    def fresh(self, folder: Path, kind: str) -> Iterator[str]:
        """The address of a new database on the engine of the run. It is gone at the end."""
        if not self._server:
            yield str(self.file(folder / "panel.sqlite3", kind))
            return
        self._once(f"{kind}.made", lambda: self._make_template(kind))
        name = f"test_{secrets.token_hex(4)}"
        with psycopg.connect(self._server, autocommit=True) as maintenance:
            maintenance.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template(kind)}"')
            try:
                yield self._url(name)
            finally:
                # Not WITH (FORCE): that is refused while the server's own vacuum looks at the database.
                maintenance.execute(END_SESSIONS, (name,))
                maintenance.execute(f'DROP DATABASE "{name}"')

    @contextmanager
    def for_django(self, folder: Path, blocker: DjangoDbBlocker) -> Iterator[None]:
        """Meanwhile Django works on a new database, in whatever thread."""
        settings_of = sqlite_settings if connection.vendor == "sqlite" else postgresql_settings

        def work_on(name: str) -> None:
            with blocker.unblock():
                connection.close()
            connection.settings_dict["NAME"] = name

        before = connection.settings_dict["NAME"]
        with self.fresh(folder, "empty") as address:
            work_on(settings_of(address)["NAME"])
            yield
            work_on(before)

    def file(self, path: Path, kind: str) -> Path:
        """The path, now of a new SQLite database whatever the engine of the run."""
        made = self._shared / f"{kind}.sqlite3"
        made.touch()
        self._once(f"{made.name}.made", lambda: fill(str(made), kind))
        return Path(shutil.copyfile(made, path))

    def _once(self, mark: str, make: Callable[[], None]) -> None:
        with (self._shared / mark).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not os.fstat(file.fileno()).st_size:  # as it is now that nobody else makes it
                make()
                file.write("made\n")

    def _make_template(self, kind: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as maintenance:
            maintenance.execute(f'DROP DATABASE IF EXISTS "{template(kind)}"')  # of a run that was killed
            maintenance.execute(f'CREATE DATABASE "{template(kind)}"')
        fill(self._url(template(kind)), kind)

    def _url(self, name: str) -> str:
        return urlsplit(self._server)._replace(path=f"/{name}").geturl()


def empty_tables() -> None:
    """Delete what a test committed."""
    tables = sorted(set(connection.introspection.django_table_names(only_existing=True)) - STAYING)
    with transaction.atomic(), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")


def server() -> str:
    """The address of a database on the PostgreSQL server that the tests run on, or nothing if it is SQLite."""
    address = os.environ.get("INNKEEPER_DATABASE", "")
    return address if address.startswith("postgres") else ""


def drop_templates() -> None:
    """After the run: nothing of it stays on a PostgreSQL server."""
    if server():
        with psycopg.connect(server(), autocommit=True) as maintenance:
            for kind in PROGRAMS:
                maintenance.execute(f'DROP DATABASE IF EXISTS "{template(kind)}"')


def template(kind: str) -> str:
    """The name of the PostgreSQL database that is copied."""
    return f"test_template_{kind}"


def fill(database: str, kind: str) -> None:
    """Give an empty database what its kind has."""
    environment = {name: value for name, value in os.environ.items() if name != "INNKEEPER_STATE"} | {
        "PYTHONPATH": str(SOURCE), "DJANGO_SETTINGS_MODULE": "innkeeper.core.settings", "INNKEEPER_DATABASE": database,
    }  # fmt: skip
    subprocess.run([sys.executable, "-c", PROGRAMS[kind]], env=environment, check=True, timeout=120)
