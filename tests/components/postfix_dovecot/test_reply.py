"""The program that hands replies to Postfix, as Dovecot runs it, and what it says to a server that listens."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from innkeeper.components.drivers.postfix_dovecot import reply

PYTHON = "/usr/bin/python3"
ACCEPTS = {"DATA": b"354-go\r\n354 on\r\n"}


class Server:
    """Takes one message over SMTP on a UNIX socket. Commands that begin with a key are answered as it says."""

    def __init__(self, path: Path, answers: dict[str, bytes]) -> None:
        self.path, self.answers = path, ACCEPTS | answers
        self.said: list[str] = []
        self.message = b""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        with self._listener:
            connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220-hello\r\n220 there\r\n")
            for line in lines:
                command = line.decode().rstrip("\r\n")
                self.said.append(command)
                found = [text for start, text in self.answers.items() if command.startswith(start)]
                answer = found[0] if found else b"250 ok\r\n"
                if not answer:
                    return
                for part in (answer[:5], *answer[5:].splitlines(keepends=True)):
                    connection.sendall(part)
                    time.sleep(0.01)  # so that they arrive one by one
                if command == "DATA" and answer.startswith(b"354"):
                    self.message = b"".join(iter(lambda: next(lines), b".\r\n"))
                    connection.sendall(self.answers.get("message", b"250 kept\r\n"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def run(path: Path, sender: str, *recipients: str, text: bytes, options: tuple[str, ...] = ()) -> tuple[int, str]:
    """The program's exit code and what it complains about."""
    command = [
        PYTHON,
        "-IS",
        *options,
        reply.__file__,
        str(path),
        str(path.parent),
        "-i",
        "-f",
        sender,
        "--",
        *recipients,
    ]
    done = subprocess.run(command, input=text, capture_output=True, check=False, timeout=30)
    return done.returncode, done.stderr.decode()


def test_a_message_goes_to_each_recipient_as_it_is(path: Path) -> None:
    server = Server(path, {})
    text = b".first\r\nSubject: x\r\n\r\n.\r\n..two\nbare\r\nlast"
    assert run(path, "a@b.example", "c@d.example", '"e f"@g.example', text=text) == (0, "")
    server.thread.join(10)
    assert server.said[:4] == [
        "HELO localhost", "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", 'RCPT TO:<"e f"@g.example>',
    ]  # fmt: skip
    assert server.said[4:] == ["DATA", "QUIT"]
    assert server.message == b"..first\r\nSubject: x\r\n\r\n..\r\n...two\nbare\r\nlast\r\n"


def test_no_sender_is_the_empty_one_and_next_to_nothing_is_loaded(path: Path) -> None:
    server = Server(path, {})
    code, loaded = run(path, "<>", "c@d.example", text=b"Subject: x\r\n\r\nbody\r\n", options=("-X", "importtime"))
    server.thread.join(10)
    assert code == 0 and "MAIL FROM:<>" in server.said
    names = {line.rpartition("|")[2].strip() for line in loaded.splitlines()}
    assert "_socket" in names and not names & {"re", "socket", "pathlib", "enum", "smtplib"}


@pytest.mark.parametrize(
    "answers",
    [
        {"HELO": b"421 4.3.0 later\r\n"},
        {"MAIL": b"451-4.3.0 one\r\n451 4.3.0 two\r\n"},
        {"RCPT": b"550 5.1.1 nobody\r\n"},
        {"DATA": b"554 5.5.1 no\r\n"},
        {"message": b"452 4.3.1 full\r\n"},
        {"RCPT": b""},
    ],
    ids=["greeting", "sender", "recipient", "data", "message", "hung-up"],
)
def test_what_postfix_does_not_take_is_to_be_tried_again(path: Path, answers: dict[str, bytes]) -> None:
    server = Server(path, answers)
    code, complaint = run(path, "a@b.example", "c@d.example", text=b"Subject: x\r\n\r\nbody\r\n")
    server.thread.join(10)
    [answer] = answers.values()
    assert code == reply.TEMPORARY_FAILURE
    assert (answer.decode().split("\r\n")[0] or "Postfix hung up") in complaint
    assert "QUIT" not in server.said


def test_a_message_that_was_taken_is_taken_whatever_comes_after(path: Path) -> None:
    server = Server(path, {"QUIT": b""})
    assert run(path, "a@b.example", "c@d.example", text=b"x") == (0, "")
    server.thread.join(10)
    assert server.message == b"x\r\n"


def test_nobody_listens_and_no_address_is_two_lines(path: Path) -> None:
    assert run(path, "a@b.example", "c@d.example", text=b"")[0] == reply.TEMPORARY_FAILURE
    server = Server(path, {})
    code, complaint = run(path, "a@b.example", "c@d.example>\r\nDATA", text=b"x")
    server.thread.join(10)
    assert code == reply.TEMPORARY_FAILURE and "more than a line" in complaint
    assert not [line for line in server.said if line.startswith(("RCPT", "DATA"))]


def test_files_that_the_header_names_are_put_in_for_replies_alone(path: Path) -> None:
    name = "0" * 64
    (path.parent / "00").mkdir()
    (path.parent / "00" / name).write_bytes(b"price list")
    text = f"X-Innkeeper-Attachments: {name}:a.txt\r\nContent-Type: text/plain\r\n\r\nbody\r\n".encode()
    for sender, is_put_in in (("<>", True), ("a@b.example", False)):
        path.unlink(missing_ok=True)
        server = Server(path, {})
        assert run(path, sender, "c@d.example", text=text) == (0, "")
        server.thread.join(10)
        assert (b"cHJpY2UgbGlzdA==" in server.message) == is_put_in
        assert (text == server.message) != is_put_in
