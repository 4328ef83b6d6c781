"""Passwords from where nobody else reads them: standard input or the environment."""

from __future__ import annotations

import os
import sys

from innkeeper.doors.cli.parser import UsageError

ENVIRONMENT = "INNKEEPER_PASSWORD"


def from_stdin() -> str:
    """The first line of standard input; asked for without echo at a terminal."""
    if sys.stdin.isatty():
        import getpass  # at a terminal alone

        return getpass.getpass()
    text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise UsageError("password: standard input is empty. Give the password as its first line.")
    return text


def given(*, stdin: bool) -> str | None:
    """The password of this command, or None."""
    return from_stdin() if stdin else os.environ.get(ENVIRONMENT) or None
