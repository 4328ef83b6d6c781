"""What mail programs do: send by SMTP, log in for submission, read by IMAP and POP3, upload a Sieve script."""

from __future__ import annotations

import imaplib
import os
import poplib
import pwd
import smtplib
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import count
from typing import TypeVar

from services.packets import unverified

HOST = "127.0.0.1"
T = TypeVar("T")
_numbers = count(1)


def wait_for(what: str, probe: Callable[[], T], seconds: float = 60) -> T:
    """Ask until the answer is true, and return it. A machine with much else to do takes its time."""
    end = time.monotonic() + seconds
    while not (answer := probe()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.03)
    return answer


def probe_free(port: int) -> None:
    """Raises OSError if somebody listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))


def refused_as(user: str, path: str) -> bool:
    """Whether a UNIX socket refuses a system user."""
    code = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    done = subprocess.run(
        ["/usr/bin/python3", "-c", code, path],
        user=user, group=pwd.getpwnam(user).pw_gid, extra_groups=os.getgrouplist(user, pwd.getpwnam(user).pw_gid),
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode != 0


def compose(sender: str, recipient: str, subject: str = "Hello", text: str = "Body.\n", **headers: str) -> EmailMessage:
    """A plain message. Header names are given with underscores."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Message-ID"] = f"<{time.time_ns()}.{next(_numbers)}@test.invalid>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


def smtp(port: int, sender: str, recipient: str | list[str], message: EmailMessage) -> None:
    """Hand a message to port 25, as another server would. Refusals raise smtplib's exceptions."""
    with smtplib.SMTP(HOST, port, local_hostname="peer.invalid", timeout=30) as connection:
        refused = connection.sendmail(sender, recipient, message.as_bytes())
        assert not refused, refused


def refusal(port: int, recipient: str, sender: str = "someone@peer.invalid", size: int = 0) -> tuple[int, str]:
    """What port 25 answers at RCPT."""
    with smtplib.SMTP(HOST, port, local_hostname="peer.invalid", timeout=30) as connection:
        connection.ehlo()
        connection.mail(sender, [f"SIZE={size}"] if size else [])
        code, text = connection.rcpt(recipient)
        return code, text.decode()


def takes(port: int, recipient: str, sender: str = "someone@peer.invalid") -> bool:
    """Whether port 25 accepts the recipient."""
    return refusal(port, recipient, sender)[0] == 250


def submission(port: int, login: str, password: str) -> smtplib.SMTP:
    """A session of a mail program that sends, after STARTTLS and log-in."""

    session = smtplib.SMTP(HOST, port, local_hostname="laptop.invalid", timeout=30)
    try:
        session.starttls(context=unverified())
        session.login(login, password)
    except BaseException:
        session.close()
        raise
    return session


def submit(port: int, login: str, password: str, sender: str, recipient: str, message: EmailMessage) -> None:
    """Send one message as a mail user."""
    with submission(port, login, password) as session:
        session.sendmail(sender, recipient, message.as_bytes())


def imap(port: int, login: str, password: str) -> imaplib.IMAP4:
    """A logged-in IMAP session. Raises imaplib.IMAP4.error if the log-in is refused."""
    session = imaplib.IMAP4(HOST, port, timeout=30)
    try:
        session.starttls(unverified())
        session.login(login, password)
    except Exception:
        session.shutdown()
        raise
    return session


def has_ended(session: imaplib.IMAP4) -> bool:
    """Whether the server has ended an IMAP session."""
    try:
        session.noop()
    except (OSError, imaplib.IMAP4.abort):
        return True
    return False


def logs_in(port: int, login: str, password: str) -> bool:
    """Whether IMAP takes the password."""
    try:
        session = imap(port, login, password)
    except imaplib.IMAP4.error:
        return False
    session.logout()
    return True


def messages(port: int, login: str, password: str, folder: str = "INBOX") -> list[EmailMessage]:
    """All messages of a folder, oldest first.

    Sessions of a name that is renamed or removed are looked for twice, half a second apart; one of the name's new
    account may be ended with them, as one of a restart may be. A mail program then comes again, and so does this.
    """
    try:
        return _messages(port, login, password, folder)
    except imaplib.IMAP4.abort:
        return _messages(port, login, password, folder)


def _messages(port: int, login: str, password: str, folder: str) -> list[EmailMessage]:
    session = imap(port, login, password)
    try:
        session.select(folder, readonly=True)
        numbers = session.search(None, "ALL")[1][0].split()
        found = []
        for number in numbers:
            data = session.fetch(number, "(BODY.PEEK[])")[1]
            assert isinstance(data[0], tuple)
            found.append(message_from_bytes(data[0][1], policy=policy.default))
        return found  # type: ignore[return-value]
    finally:
        try:
            session.logout()
        except imaplib.IMAP4.abort:
            session.shutdown()


def quota_bytes(port: int, login: str, password: str) -> int | None:
    """The limit that IMAP shows, in bytes; None without one."""
    session = imap(port, login, password)
    try:
        lines = session.getquotaroot("INBOX")[1][1]
        for line in lines:
            words = line.decode().replace("(", " ").replace(")", " ").split() if line else []
            if "STORAGE" in words:
                return int(words[words.index("STORAGE") + 2]) * 1024
        return None
    finally:
        session.logout()


def authenticates(port: int, login: str, password: str) -> bool:
    """Whether submission takes a password of any characters (smtplib's own log-in knows ASCII only)."""
    secret = b64encode(f"\0{login}\0{password}".encode()).decode()
    with smtplib.SMTP(HOST, port, local_hostname="laptop.invalid", timeout=30) as session:
        session.starttls(context=unverified())
        session.ehlo()
        return session.docmd("AUTH", f"PLAIN {secret}")[0] == 235


def pop3(port: int, login: str, password: str) -> poplib.POP3:
    """A logged-in POP3 session."""
    session = poplib.POP3(HOST, port, timeout=30)
    session.stls(unverified())
    session.user(login)
    session.pass_(password)
    return session


class Sieve:
    """A ManageSieve session after STARTTLS and log-in; each command raises AssertionError unless the server says OK."""

    def __init__(self, port: int, login: str, password: str) -> None:
        self._socket = socket.create_connection((HOST, port), timeout=30)
        self._file = self._socket.makefile("rb")
        self._answer()
        self.command("STARTTLS")
        self._socket = unverified().wrap_socket(self._socket)
        self._file = self._socket.makefile("rb")
        self._answer()
        secret = b64encode(f"\0{login}\0{password}".encode()).decode()
        self.command(f'AUTHENTICATE "PLAIN" "{secret}"')

    def _answer(self) -> list[str]:
        lines = []
        while not (line := self._file.readline().decode().strip()).startswith(("OK", "NO", "BYE")):
            assert line, "the server hung up"
            lines.append(line)
        assert line.startswith("OK"), line
        return lines

    def command(self, text: str) -> list[str]:
        self._socket.sendall(f"{text}\r\n".encode())
        return self._answer()

    def activate(self, name: str, script: str) -> None:
        """Upload a script and make it the active one."""
        self.command(f'PUTSCRIPT "{name}" {{{len(script.encode())}+}}\r\n{script}')
        self.command(f'SETACTIVE "{name}"')

    def close(self) -> None:
        self.command("LOGOUT")
        self.hang_up()

    def hang_up(self) -> None:
        self._file.close()
        self._socket.close()
