"""Asks hostd. Used by the worker and the panel, without Django.

Each call raises OSError when hostd is away, and HostdError (a RuntimeError) when it refused or failed.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

TIMEOUT_S = 30
KICK_BATCH = 1_500  # as many of the longest names as a request takes: each looks at every session
FIGURES_BATCH = 50  # each is a walk through a mailbox, and the answer is waited for


class HostdError(RuntimeError):
    """hostd refused the request, or could not do it."""


class Figures(NamedTuple):
    """What one storage holds."""

    storage: str
    used_bytes: int
    last_login_at: datetime | None


class Client:
    """One connection for each request: hostd is asked seldom, and a restart of it is then no error."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, op: str, **fields: Any) -> Any:
        """Send one request and wait for its result."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(str(self._path))
            connection.sendall(json.dumps({"op": op, **fields}).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
        if not line:
            raise ConnectionResetError("hostd closed the connection without an answer")
        answer = json.loads(line)
        if not answer["ok"]:
            raise HostdError(answer["error"])
        return answer["result"]

    def kick(self, usernames: Sequence[str]) -> None:
        """End the open mail sessions of these log-in names. Names without a session are no error."""
        for start in range(0, len(usernames), KICK_BATCH):
            self.ask("kick", usernames=list(usernames[start : start + KICK_BATCH]))

    def figures(self, storages: Iterable[str]) -> Iterator[Figures]:
        """Use and last log-in of each storage that exists."""
        waiting = iter(storages)
        while batch := list(islice(waiting, FIGURES_BATCH)):
            for storage, (used, last) in self.ask("figures", storages=batch).items():
                yield Figures(storage, used, datetime.fromtimestamp(last, UTC) if last is not None else None)

    def empty_grave(self, storage: str) -> None:
        """Delete a removed account's storage. One that is not there is no error."""
        self.ask("empty_grave", storage=storage)

    def programs(self) -> dict[str, dict[str, Any]]:
        """State, pid and start (epoch seconds) of each program of the instance."""
        result: dict[str, dict[str, Any]] = self.ask("programs")
        return result

    def control(self, program: str, action: str) -> None:
        """`start`, `stop` or `restart` a program. Returns before a started one is ready."""
        self.ask("control", program=program, action=action)
