"""Hands a message of Dovecot's Sieve to Postfix, in place of `sendmail`.

Dovecot runs it as the storage user: `reply.py SOCKET -i -f SENDER -- RECIPIENT...`, the message on standard input. The
socket is Postfix's, in a folder that only Postfix and the storage user can enter; a TCP port would relay for every
local user. It uses the standard library alone, because it starts for each reply.
"""

from __future__ import annotations

import getopt
import os
import smtplib
import socket
import sys

TEMPORARY_FAILURE = 75  # EX_TEMPFAIL
TIMEOUT_S = 30


class SocketSMTP(smtplib.SMTP):
    """SMTP over a UNIX socket, whose path stands where the host name would."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        connection.connect(host)
        return connection


def send(path: str, sender: str, recipients: list[str], message: bytes) -> None:
    """Deliver one message; raises smtplib.SMTPException or OSError."""
    with SocketSMTP(path, port=1, local_hostname="localhost", timeout=TIMEOUT_S) as smtp:
        smtp.sendmail(sender, recipients, message)


def main() -> int:
    options, recipients = getopt.getopt(sys.argv[2:], "if:")
    sender = dict(options).get("-f", "")
    try:
        send(sys.argv[1], "" if sender == "<>" else sender, recipients, sys.stdin.buffer.read())
    except (OSError, smtplib.SMTPException) as error:
        sys.stderr.write(f"uid {os.geteuid()}: {error}\n")
        return TEMPORARY_FAILURE
    return 0


if __name__ == "__main__":
    sys.exit(main())
