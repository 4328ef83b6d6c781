"""Hands a message of Dovecot's Sieve to Postfix, in place of `sendmail`.

Dovecot runs it as the storage user: `reply.py SOCKET FILES -i -f SENDER -- RECIPIENT...`, the message on standard
input. The socket is Postfix's, in a folder that only Postfix and the storage user can enter; a TCP port would relay for
every local user. FILES is the store from which `attachments` takes what an automatic reply names.

It starts for each reply, so it loads next to nothing: 10 ms of processor time. With `smtplib` and what that loads it
took 64, on the machine where Python alone takes 9.
"""

from __future__ import annotations

import _socket  # `socket` takes as long to load as Python takes to start
import os
import sys

ATTACHMENTS = b"x-innkeeper-attachments:"
TEMPORARY_FAILURE = 75  # EX_TEMPFAIL
TIMEOUT_S = 30


class RefusedError(Exception):
    """Postfix does not take the message."""


def send(path: str, sender: str, recipients: list[str], message: bytes) -> None:
    """Deliver one message over Postfix's socket. Raises RefusedError, OSError."""
    # A large message is not copied where nothing is to be changed.
    dotted = message.replace(b"\n.", b"\n..")
    connection = _socket.socket(_socket.AF_UNIX)
    try:
        connection.settimeout(TIMEOUT_S)
        connection.connect(path)
        _await(connection, b"2")
        _say(connection, b"HELO localhost", b"2")
        _say(connection, b"MAIL FROM:<" + os.fsencode(sender) + b">", b"2")
        for recipient in recipients:
            _say(connection, b"RCPT TO:<" + os.fsencode(recipient) + b">", b"2")
        _say(connection, b"DATA", b"3")
        if message.startswith(b"."):
            connection.sendall(b".")
        connection.sendall(dotted)
        connection.sendall(b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n")
        _await(connection, b"2")
        try:  # noqa: SIM105 - contextlib is one import more
            _say(connection, b"QUIT", b"2")
        except (OSError, RefusedError):  # Postfix has the message
            pass
    finally:
        connection.close()


def _say(connection: _socket.socket, command: bytes, expected: bytes) -> None:
    if b"\r" in command or b"\n" in command:
        raise RefusedError(f"{command!r} is more than a line")
    connection.sendall(command + b"\r\n")
    _await(connection, expected)


def _await(connection: _socket.socket, expected: bytes) -> None:
    """Read an answer, whose last line has no hyphen behind its code."""
    answer = b""
    while not answer.endswith(b"\n") or answer[answer.rfind(b"\n", 0, -1) + 1 :][3:4] == b"-":
        part = connection.recv(4096)
        if not part:
            raise RefusedError("Postfix hung up")
        answer += part
    if not answer.startswith(expected):
        raise RefusedError(answer.decode(errors="replace").strip())


def main(socket: str, files: str, *arguments: str) -> int:
    sender = arguments[arguments.index("-f") + 1]
    sender = "" if sender == "<>" else sender
    message = sys.stdin.buffer.read()
    # Only automatic replies have no sender: a forwarded message that carries the header gets no file of ours.
    if not sender and ATTACHMENTS in message.lower():
        message = _with_files(message, files)
    try:
        send(socket, sender, list(arguments[arguments.index("--") + 1 :]), message)
    except (OSError, RefusedError) as error:
        sys.stderr.write(f"uid {os.geteuid()}: {error}\n")
        return TEMPORARY_FAILURE
    return 0


def _with_files(message: bytes, files: str) -> bytes:
    """What few replies need, loaded for them alone. A script that runs isolated does not know its package."""
    sys.path.append(__file__.rsplit("/", 5)[0])
    from pathlib import Path

    from innkeeper.components.drivers.postfix_dovecot.attachments import expand

    return expand(message, Path(files))


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # to take Python down is a seventh of the whole
