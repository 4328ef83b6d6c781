"""A private instance for tests: started by `up`, with sites and accounts made by packets."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import sqlite3
import subprocess
import tempfile
from dataclasses import dataclass, field
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import psycopg
from guard import Guard

from services import mail_clients
from services.mail_clients import compose, wait_for
from services.packets import NEW, OLD, Element, Panel

REPOSITORY = Path(__file__).parents[2]
SCRIPT = REPOSITORY / "innkeeper"
PASSWORD = "Kx4!paper-Moon"
DEFAULT_PORTS = {"panel": 8443, "smtp": 2525, "submission": 2587, "imap": 2143, "pop3": 2110, "sieve": 2419}

_sites = count(1)


def free_port_base() -> int:
    """A number for `--port-base` at which every port is free; a random one, so that runs side by side do not meet."""
    for base in random.sample(range(20000, 50000, 10), 100):
        try:
            for port in DEFAULT_PORTS.values():
                mail_clients.probe_free(port + base)
        except OSError:
            continue
        return base
    raise AssertionError("no free ports")


def xml(name: str, value: object) -> str:
    """One element with text."""
    return f"<{name}>{escape(str(value))}</{name}>"


class PrivateInstance:
    """`up` on a state folder of its own."""

    def __init__(self, database_url: str = "", state: Path | None = None) -> None:
        self.parent = state.parent if state else Path(tempfile.mkdtemp(prefix="inn-", dir="/var/tmp"))
        self.parent.chmod(0o755)
        self.state = state or self.parent / "s"
        self.database_url = database_url
        self.base = free_port_base()
        self.ports = {name: port + self.base for name, port in DEFAULT_PORTS.items()}
        self._guard = Guard("sh", "-c", '"$0" down --purge --state "$1"; rmdir "$(dirname "$1")"', SCRIPT, self.state)

    # ---- life

    def command(
        self, *arguments: str, text: str | None = None, check: bool = True, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run `./innkeeper` for this state folder."""
        done = subprocess.run(
            [str(SCRIPT), *arguments, "--state", str(self.state)],
            input=text, capture_output=True, text=True, check=False, timeout=timeout, cwd="/",
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done

    def up(self, *more: str) -> dict[str, Any]:
        """Start it, or put it right; what `up --json` says."""
        database = ["--database", self.database_url] if self.database_url else []
        done = self.command("up", "--json", "--no-demo", "--port-base", str(self.base), *database, *more)
        described: dict[str, Any] = json.loads(done.stdout)
        return described

    def down(self) -> None:
        """End it and remove everything that a test has left of it."""
        if self.state.exists():
            self.command("down", "--purge")
        self._guard.release()
        shutil.rmtree(self.parent, ignore_errors=True)

    @property
    def description(self) -> dict[str, Any]:
        """The instance's own file."""
        described: dict[str, Any] = json.loads((self.state / "instance.json").read_text())
        return described

    def pids(self) -> dict[str, list[int]]:
        """Process ids by command name, of everything that carries the instance's mark."""
        mark = f"INNKEEPER_INSTANCE={self.description['tag']}".encode()
        found: dict[str, list[int]] = {}
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                marked = mark in (folder / "environ").read_bytes().split(b"\0")
                arguments = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if marked and arguments[0]:
                name = " ".join(a.decode(errors="replace") for a in arguments if a)
                found.setdefault(name, []).append(int(folder.name))
        return found

    def pids_of(self, word: str) -> list[int]:
        """The processes whose command line holds a word."""
        return sorted(pid for name, pids in self.pids().items() if word in name for pid in pids)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement in the panel's database, committed, past every rule of the panel."""
        if self.database_url:
            with psycopg.connect(self.database_url, autocommit=True) as server:
                cursor = server.execute(statement)
                return cursor.fetchall() if cursor.description else []
        with contextlib.closing(sqlite3.connect(self.state / "db/innkeeper.sqlite3", timeout=30)) as file, file:
            return file.execute(statement).fetchall()

    def run_job(self, name: str) -> None:
        """Make an entry of the schedule due, and wait until the worker has done it."""
        self.sql(f"UPDATE jobs_job SET due_at = '2000-01-01 00:00:00' WHERE name = '{name}'")
        due = f"SELECT 1 FROM jobs_job WHERE name = '{name}' AND (due_at < '2000-01-02 00:00:00' OR worker <> '')"
        wait_for(f"the job {name} has run", lambda: not self.sql(due), 30)

    # ---- the panel

    @property
    def panel(self) -> Panel:
        """The packet endpoint, asked as administrator."""
        return Panel(self.ports["panel"], "admin", (self.state / "secrets/admin-password").read_text().strip())

    def customer(self, login: str) -> int:
        """A new customer's id."""
        info = xml("pname", f"Customer {login}") + xml("login", login) + xml("passwd", PASSWORD)
        result = self.panel.result(f"<customer><add><gen_info>{info}</gen_info></add></customer>")
        return int(result.findtext("id") or 0)

    def webspace(self, name: str, owner: int | None = None) -> Site:
        """A new webspace's main site."""
        setup = xml("name", name) + (xml("owner-id", owner) if owner else "")
        result = self.panel.result(f"<webspace><add><gen_setup>{setup}</gen_setup></add></webspace>")
        return Site(self, int(result.findtext("id") or 0), name)

    def site(self, name: str, webspace: Site) -> Site:
        """A new site of a webspace."""
        setup = xml("name", name) + xml("webspace-id", webspace.id)
        result = self.panel.result(f"<site><add><gen_setup>{setup}</gen_setup></add></site>")
        return Site(self, int(result.findtext("id") or 0), name)

    # ---- mail

    def settle(self) -> None:
        """Wait until nothing is under way in Postfix's queue: what was sent is delivered, bounced or deferred."""
        empty = 0

        def still() -> bool:
            # Twice, because a reply enters the queue while the message it answers leaves it.
            nonlocal empty
            busy = any(any((self.state / "spool" / queue).iterdir()) for queue in ("maildrop", "incoming", "active"))
            empty = 0 if busy else empty + 1
            return empty >= 2

        wait_for("Postfix's queue is settled", still)

    def send(self, sender: str, recipient: str, subject: str = "Hello", text: str = "Body.\n", **headers: str) -> None:
        """A message by port 25, waited for until it is out of the queue."""
        self.send_message(sender, recipient, compose(sender or "<>", recipient, subject, text, **headers))

    def send_message(self, sender: str, recipient: str, message: EmailMessage) -> None:
        """The same, with a message of one's own."""
        mail_clients.smtp(self.ports["smtp"], sender, recipient, message)
        self.settle()

    def takes(self, recipient: str, sender: str = "someone@peer.invalid") -> bool:
        """Whether port 25 accepts the recipient."""
        return mail_clients.takes(self.ports["smtp"], recipient, sender)

    def log(self) -> str:
        """Postfix's log."""
        return (self.state / "log/postfix.log").read_text()


@dataclass(frozen=True)
class Site:
    """A site whose mail accounts tests make and change by packets."""

    instance: PrivateInstance
    id: int
    name: str

    @staticmethod
    def fresh_name(label: str = "site") -> str:
        """A domain name that no other test uses."""
        return f"{label}{next(_sites)}.test"

    def address(self, name: str) -> str:
        return f"{name}@{self.name}"

    def account(
        self, name: str, settings: str = "", *, password: str | None = PASSWORD, mailbox: str = "true", quota: int = -1
    ) -> Account:
        """A new account; `settings` are the elements after `mailbox` and before `password`.

        `mailbox` is `true`, `false`, or empty for an account that never had one.
        """
        box = f"<mailbox>{xml('enabled', mailbox)}{xml('quota', quota)}</mailbox>" if mailbox else ""
        secret = f"<password>{xml('value', password)}<type>plain</type></password>" if password else ""
        self.create(xml("name", name) + box + settings + secret)
        return Account(self, name, password or "")

    def create(self, mailname: str) -> None:
        """`create` with the children of one `mailname`."""
        self.mail(f"<create><filter>{xml('site-id', self.id)}<mailname>{mailname}</mailname></filter></create>")

    def mail(self, operation: str, version: str = NEW) -> list[Element]:
        """Operations of the `mail` operator; results, or the first error raised."""
        return self.instance.panel.results(f"<mail>{operation}</mail>", version)

    def update(self, name: str, settings: str, mode: str = "set") -> None:
        """`update` of one account."""
        mailname = f"<mailname>{xml('name', name)}{settings}</mailname>"
        self.mail(f"<update><{mode}><filter>{xml('site-id', self.id)}{mailname}</filter></{mode}></update>")

    def old_create(self, mailname: str) -> None:
        """`create` in the old dialect."""
        self.mail(f"<create><filter>{xml('domain_id', self.id)}<mailname>{mailname}</mailname></filter></create>", OLD)

    def old_update(self, name: str, settings: str, mode: str = "set") -> None:
        """`update` of one account in the old dialect, which knows groups and several automatic replies."""
        mailname = f"<mailname>{xml('name', name)}{settings}</mailname>"
        self.mail(f"<update><{mode}><filter>{xml('domain_id', self.id)}{mailname}</filter></{mode}></update>", OLD)

    def remove(self, name: str) -> None:
        self.mail(f"<remove><filter>{xml('site-id', self.id)}{xml('name', name)}</filter></remove>")

    def rename(self, name: str, new_name: str) -> None:
        self.mail(f"<rename>{xml('site-id', self.id)}{xml('name', name)}{xml('new-name', new_name)}</rename>")

    def prefs(self, prefs: str) -> None:
        """`set_prefs` of this site."""
        self.mail(f"<set_prefs><filter>{xml('site-id', self.id)}</filter><prefs>{prefs}</prefs></set_prefs>")

    def service(self, *, on: bool) -> None:
        """`enable` or `disable`."""
        verb = "enable" if on else "disable"
        self.mail(f"<{verb}>{xml('site-id', self.id)}</{verb}>")

    def set_status(self, operator: str, status: int) -> None:
        """Suspend or resume by the `site` or `webspace` operator."""
        setup = f"<gen_setup>{xml('status', status)}</gen_setup>"
        self.instance.panel.result(
            f"<{operator}><set><filter>{xml('id', self.id)}</filter><values>{setup}</values></set></{operator}>"
        )


@dataclass(frozen=True)
class Account:
    """A mail account and what its owner can do."""

    site: Site
    name: str
    password: str = field(default=PASSWORD, repr=False)

    @property
    def address(self) -> str:
        return self.site.address(self.name)

    @property
    def ports(self) -> dict[str, int]:
        return self.site.instance.ports

    def inbox(self) -> list[EmailMessage]:
        """What IMAP shows now."""
        return mail_clients.messages(self.ports["imap"], self.address, self.password)

    def subjects(self) -> list[str]:
        return [str(m["Subject"]) for m in self.inbox()]

    def logs_in(self, password: str | None = None) -> bool:
        """Whether IMAP takes the password."""
        return mail_clients.logs_in(self.ports["imap"], self.address, password or self.password)

    def submit(self, recipient: str, subject: str = "Hello", sender: str = "", text: str = "Body.\n") -> None:
        """Send as a mail program would, and wait until it is out of the queue."""
        sender = sender or self.address
        message = compose(sender, recipient, subject, text)
        mail_clients.submit(self.ports["submission"], self.address, self.password, sender, recipient, message)
        self.site.instance.settle()
