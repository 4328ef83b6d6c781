"""The one description of a private instance, kept in `STATE/instance.json`.

The file belongs to root and is readable by the instance's group; it holds no secret. Secrets stand in
`STATE/secrets`, each in a file of its own that only its reader can open.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

FILE_NAME = "instance.json"
FORMAT = 1
"""Raised when a state folder changes in a way that an older program would get wrong."""

MAX_STATE_PATH = 400
"""Longest path of a state folder: SQLite takes 512 bytes for that of a database."""

MAX_SOCKETS_PATH = 68
"""Longest path below which sockets have room: their addresses are limited to 107 bytes."""

RUN = Path("/run")
"""Where the sockets of a state folder lie whose path is longer. Only root can write there."""


HOSTING_IDS = 4_000_000
"""How many numbers an instance keeps for the system users of its hosting accounts."""


class InstanceError(Exception):
    """The instance cannot be brought up, down or asked. The message says why and what to do."""


class ConfigError(InstanceError):
    """The instance's description cannot be used."""


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports on the loopback address."""

    panel: int = 8443
    smtp: int = 2525
    submission: int = 2587
    imap: int = 2143
    pop3: int = 2110
    sieve: int = 2419

    @classmethod
    def with_base(cls, base: int) -> Ports:
        """The default ports, each raised by `base`."""
        ports = {field.name: field.default + base for field in dataclasses.fields(cls)}  # type: ignore[operator]
        for name, port in ports.items():
            if not 1024 <= port <= 65535:
                raise ConfigError(f"--port-base {base} puts the {name} port at {port}; ports go from 1024 to 65535.")
        return cls(**ports)


@dataclass(frozen=True, slots=True)
class Users:
    """System users made for this instance alone."""

    panel: str
    mail: str
    policy: str


@dataclass(frozen=True, slots=True)
class Server:
    """Where a PostgreSQL database is. Values were checked when the URL was parsed."""

    host: str
    port: int
    name: str
    user: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Database:
    """The instance's database: an SQLite file in the state folder, or a PostgreSQL database."""

    engine: Literal["sqlite", "postgresql"]
    path: Path
    server: Server | None = None
    lookup_role: str = ""
    policy_role: str = ""
    secrets: Path = Path("/nonexistent")

    def role_url(self, user: str, password: str) -> str:
        """The database's URL for another role."""
        if self.server is None:
            raise ConfigError("An SQLite database has no roles.")
        login = quote(user, safe="") + (":" + quote(password, safe="") if password else "")
        query: list[tuple[str, str]] = [*self.server.options]
        netloc = ""
        if self.server.host.startswith("/"):
            query += [("host", self.server.host), ("port", str(self.server.port))]
        else:
            netloc = f"{self.server.host}:{self.server.port}"
        suffix = "?" + urlencode(query) if query else ""
        return f"postgresql://{login}@{netloc}/{quote(self.server.name, safe='')}{suffix}"

    @property
    def url(self) -> str:
        """The URL with the owner's password, or an empty string for SQLite."""
        if self.server is None:
            return ""
        return self.role_url(self.server.user, read_secret(self.secrets / "database-password"))

    @property
    def shown(self) -> str:
        """What may be printed: never a password."""
        return str(self.path) if self.server is None else self.role_url(self.server.user, "")


@dataclass(frozen=True, slots=True)
class Instance:
    """A private instance."""

    state: Path
    tag: str
    ports: Ports
    database: Database
    users: Users
    group: str
    environment: Path
    host: str = "127.0.0.1"
    first_id: int = 0
    """Begins the range of numbers of its hosting accounts' system users; 0 where the machine offers none."""

    # ---- the layout of the state folder

    @property
    def name(self) -> str:
        return f"innkeeper-{self.tag}"

    @property
    def sockets(self) -> Path:
        """The folder below which sockets lie: the state folder, or one for them alone if its path is too long."""
        too_long = len(os.fsencode(self.state)) > MAX_SOCKETS_PATH
        return RUN / self.name if too_long else self.state

    @property
    def etc(self) -> Path:
        return self.state / "etc"

    @property
    def run_dir(self) -> Path:
        return self.sockets / "run"

    @property
    def log_dir(self) -> Path:
        return self.state / "log"

    @property
    def secrets(self) -> Path:
        return self.state / "secrets"

    @property
    def spool(self) -> Path:
        """Postfix's queue, which lies in the state folder."""
        return self.sockets / "spool"

    @property
    def storage(self) -> Path:
        """Root of all stored mail; an account's part of it is named by its storage key."""
        return self.state / "mail"

    @property
    def program(self) -> Path:
        """Root-owned copy of the program that the service users can read; a link to the current version."""
        return self.state / "program" / "current"

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    @property
    def hostd_socket(self) -> Path:
        return self.run_dir / "hostd.sock"

    @property
    def cli_socket(self) -> Path:
        """In a folder that only the panel's user and root can enter."""
        return self.run_dir / "cli" / "cli.sock"

    @property
    def policy_socket(self) -> Path:
        return self.run_dir / "policy" / "policy.sock"

    @property
    def wake_socket(self) -> Path:
        """Where the worker hears of new events."""
        return self.run_dir / "worker" / "wake.sock"

    @property
    def image_socket(self) -> Path:
        """Where programs are forked from what the panel has loaded. In a folder of the panel's user alone."""
        return self.run_dir / "panel" / "image.sock"

    @property
    def handler_user(self) -> str:
        """A system user for handlers of events, which owns nothing."""
        return f"{self.name}-events"

    @property
    def handler_policy(self) -> Path:
        """Root's word on whom handlers of events may run as."""
        return self.etc / "event-handlers.toml"

    @property
    def root_handler_lock(self) -> Path:
        """While it exists no handler runs as root."""
        return self.state / "root.event_handler.lock"

    @property
    def supervisor_socket(self) -> Path:
        return self.run_dir / "supervisor.sock"

    @property
    def certificate(self) -> Path:
        return self.etc / "tls" / "cert.pem"

    @property
    def certificate_key(self) -> Path:
        return self.etc / "tls" / "key.pem"

    @property
    def vhosts(self) -> Path:
        """Root of all hosted content: a folder for each domain."""
        return self.state / "vhosts"

    @property
    def hosting_groups(self) -> dict[str, str]:
        """The groups of hosting accounts, by the names that rules have for them."""
        return {
            "psacln": f"{self.group}-cln",
            "psaserv": f"{self.group}-serv",
            "ftp_subaccounts": f"{self.group}-ftpsub",
        }

    def secret_key(self) -> bytes:
        """The key that signs sessions and forms; only the panel's user (and root) can read it."""
        return read_secret(self.secrets / "signing-key").encode()

    def sealing_key(self) -> bytes:
        """The key that seals secrets in the database; only the panel's user (and root) can read it."""
        return bytes.fromhex(read_secret(self.secrets / "sealing-key"))

    # ---- the file

    @classmethod
    def new(cls, state: Path, *, environment: Path, port_base: int = 0, database_url: str | None = None) -> Instance:
        """A new instance for a state folder, described but not yet there.

        Names of users and roles carry a tag made from the folder's path, so that two instances never share one and
        a folder that was removed by hand gets its own users back.
        """
        state = check_state_path(state)
        tag = hashlib.sha256(os.fsencode(state)).hexdigest()[:8]
        server = parse_database_url(database_url) if database_url else None
        database = Database(
            engine="postgresql" if server else "sqlite",
            path=state / "db" / "innkeeper.sqlite3",
            server=server,
            lookup_role=f"innkeeper_{tag}_lookup" if server else "",
            policy_role=f"innkeeper_{tag}_policy" if server else "",
            secrets=state / "secrets",
        )
        return cls(
            state=state,
            tag=tag,
            ports=Ports.with_base(port_base),
            database=database,
            users=Users(panel=f"innkeeper-{tag}", mail=f"innkeeper-{tag}-mail", policy=f"innkeeper-{tag}-policy"),
            group=f"innkeeper-{tag}",
            environment=environment,
        )

    @classmethod
    def load(cls, state: Path) -> Instance:
        """Read the instance of a state folder.

        Raises ConfigError when there is none, when it is damaged, moved, or of a newer version.
        """
        path = state / FILE_NAME
        try:
            data: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            raise ConfigError(f"There is no instance in {state}. Start one with `./innkeeper up`.") from None
        except PermissionError:
            raise ConfigError(f"{path} cannot be read by this user. Run the command as root.") from None
        except ValueError:
            raise ConfigError(f"{path} is damaged. Restore it, or remove the state folder.") from None
        if int(data.get("format", 0)) > FORMAT:
            raise ConfigError(f"{state} belongs to a newer version of Innkeeper. Run that version.")
        try:
            return cls._from_dict(data)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{path} is damaged ({error}). Restore it, or remove the state folder.") from None

    @classmethod
    def _from_dict(cls, data: dict[str, Any]) -> Instance:
        state = Path(data["state"])
        database = data["database"]
        server = database.get("server")
        return cls(
            state=state,
            tag=data["tag"],
            ports=Ports(**data["ports"]),
            database=Database(
                engine=database["engine"],
                path=Path(database["path"]),
                server=server and Server(**{**server, "options": tuple((k, v) for k, v in server["options"])}),
                lookup_role=database["lookup_role"],
                policy_role=database["policy_role"],
                secrets=state / "secrets",
            ),
            users=Users(**data["users"]),
            group=data["group"],
            environment=Path(data["environment"]),
            host=data["host"],
            first_id=data.get("first_id", 0),
        )

    def to_dict(self) -> dict[str, Any]:
        """The description as it stands in the file."""
        database = dataclasses.asdict(self.database)
        del database["secrets"]
        return {
            "format": FORMAT,
            "state": str(self.state),
            "tag": self.tag,
            "ports": dataclasses.asdict(self.ports),
            "database": {**database, "path": str(self.database.path)},
            "users": dataclasses.asdict(self.users),
            "group": self.group,
            "environment": str(self.environment),
            "host": self.host,
            "first_id": self.first_id,
        }

    def save(self, gid: int) -> None:
        """Write the description, readable by the group `gid`."""
        text = json.dumps(self.to_dict(), indent=2) + "\n"
        write_file(self.state / FILE_NAME, text, mode=0o640, gid=gid)


def check_state_path(state: Path) -> Path:
    """The absolute path of a state folder.

    Raises ConfigError for a path that daemons and their configuration cannot carry.
    """
    state = Path(os.path.realpath(state))
    text = str(state)
    if len(os.fsencode(text)) > MAX_STATE_PATH:
        raise ConfigError(
            f"--state {text} is longer than {MAX_STATE_PATH} bytes, too long for a database. Choose a shorter path."
        )
    if not all(c.isascii() and (c.isalnum() or c in "/._-+@") for c in text):
        raise ConfigError(
            f"--state {text} holds a character that daemons' configuration cannot carry."
            " Use letters, digits and / . _ - + @ only."
        )
    return state


def parse_database_url(url: str) -> Server:
    """The parts of a `postgresql://USER[:PASSWORD]@HOST[:PORT]/NAME` URL, without the password.

    Values go into configuration files of Postfix and Dovecot, so characters that these cannot carry are refused.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ConfigError("--database takes a URL of the form postgresql://USER:PASSWORD@HOST:PORT/NAME.")
    options = dict(parse_qsl(parts.query))
    try:
        host = options.pop("host", None) or parts.hostname or "127.0.0.1"
        port = int(options.pop("port", None) or parts.port or 5432)
    except ValueError:
        raise ConfigError("--database: the port is not a number.") from None
    name = unquote(parts.path.lstrip("/"))
    user = unquote(parts.username or "")
    for what, value in (("host", host), ("name", name), ("user", user)):
        if not value:
            raise ConfigError(f"--database: the {what} is missing (postgresql://USER:PASSWORD@HOST:PORT/NAME).")
        if not all(c.isascii() and (c.isalnum() or c in "/._-:") for c in value):
            raise ConfigError(f"--database: the {what} holds a character that daemons' configuration cannot carry.")
    return Server(host, port, name, user, tuple(sorted(options.items())))


def database_password(url: str) -> str:
    """The password in a database URL, or an empty string."""
    return unquote(urlsplit(url).password or "")


def read_secret(path: Path) -> str:
    """One secret, without its closing newline."""
    return path.read_text().rstrip("\n")


def write_file(path: Path, text: str, *, mode: int, uid: int = 0, gid: int = 0) -> bool:
    """Replace a file in one step, if its text, owner or mode differ. Tells whether it was written."""
    data = text.encode()
    try:
        found = path.stat()
        if (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (uid, gid, mode) and path.read_bytes() == data:
            return False
    except FileNotFoundError:
        pass
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        os.fchown(file.fileno(), uid, gid)
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    return True
