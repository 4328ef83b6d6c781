"""Asks hostd. Used by the worker and the panel, without Django.

Each call raises OSError when hostd is away, and HostdError (a RuntimeError) when it refused or failed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from innkeeper.hostd.hosting_accounts import Spec
from innkeeper.hostd.requests import MAX_RUNS
from innkeeper.hostd.trees import Grave

TIMEOUT_S = 30
LONG_S = 300
MAX_DESCRIPTORS = 4
KICK_BATCH = 1_500  # as many of the longest names as a request takes: each looks at every session
USERS_BATCH = 2_000  # one rewriting of the password file each
TREES_BATCH = 50  # each gets its rules too
LINE_BYTES = 256 * 1024  # of runs in one request; a single one may be longer
FIGURES_BATCH = 50  # each is a walk through a mailbox, and the answer is waited for


class HostdError(RuntimeError):
    """hostd refused the request, or could not do it."""


class Figures(NamedTuple):
    """What one storage holds."""

    storage: str
    used_bytes: int
    last_login_at: datetime | None


class CommandCheck(NamedTuple):
    """Why a user cannot run a program (None: it can), and the text of a program that is a readable script."""

    error: str | None
    script: str | None


class Run(NamedTuple):
    """A run of a program. One whose name was asked for before begins when the earlier one has ended."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What a handler may use. `memory_mb` holds for each of its processes, `output_kb` for each of both streams."""

    timeout_s: int
    memory_mb: int
    output_kb: int
    open_files: int


class RunResult(NamedTuple):
    """What came of a run. `error` says why a program could not be started; it has no exit status then.

    `timed_out` says that it was ended for taking too long, `truncated` that some output is missing.
    """

    exit_status: int | None
    signal: int | None
    stdout: str
    stderr: str
    truncated: bool
    duration_ms: int
    timed_out: bool
    error: str


class Made(NamedTuple):
    """What came of making trees, by their keys: what failed, and to how many objects rules are still being applied.

    Whoever asks for the latter again hears when they are done.
    """

    failed: dict[str, str]
    running: dict[str, int]


class Client:
    """One connection for each request: hostd is asked seldom, and a restart of it is then no error."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, op: str, **fields: Any) -> Any:
        """Send one request and wait for its result."""
        return self._ask(TIMEOUT_S, op, fields)

    def ask_long(self, op: str, told: Callable[[dict[str, int]], None] = lambda _: None, **fields: Any) -> Any:
        """Send a request that may take minutes, and wait for its result.

        `told` hears how far it has come. When it raises, hostd is hung up on, and ends the work if it can.
        """
        with self._asked(_request(op, fields)) as connection, connection.makefile("rb") as stream:
            connection.settimeout(LONG_S)
            while "come" in (answer := _answer(stream.readline())):
                told(answer["come"])
            return answer["result"]

    def ask_carrying(self, op: str, **fields: Any) -> tuple[Any, list[int]]:
        """Send one request; its result, and the descriptors that come with it, which are the caller's to close."""
        received: list[int] = []
        try:
            return self._ask(TIMEOUT_S, op, fields, received), received
        except BaseException:
            for fd in received:
                os.close(fd)
            raise

    def _ask(self, timeout_s: float, op: str, fields: Mapping[str, Any], received: list[int] | None = None) -> Any:
        with self._asked(_request(op, fields)) as connection:
            connection.settimeout(timeout_s)
            line = b""
            if received is not None:
                line, descriptors, _, _ = socket.recv_fds(connection, 65536, MAX_DESCRIPTORS)
                received += descriptors
            if not line.endswith(b"\n"):
                with connection.makefile("rb") as stream:
                    line += stream.readline()
        return _answer(line)["result"]

    @contextmanager
    def _asked(self, request: str) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(str(self._path))
            connection.sendall(request.encode() + b"\n")
            yield connection

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

    def ensure_users(self, keys: Sequence[str]) -> None:
        """Make system users of hosting accounts (`s17`, `s17-web`, `d9`, `u5`, `f3`). One that is there is no error."""
        for start in range(0, len(keys), USERS_BATCH):
            self.ask("ensure_users", keys=list(keys[start : start + USERS_BATCH]))

    def remove_users(self, keys: Sequence[str]) -> None:
        """Remove system users of hosting accounts. One that is not there is no error."""
        for start in range(0, len(keys), USERS_BATCH):
            self.ask("remove_users", keys=list(keys[start : start + USERS_BATCH]))

    def ensure_trees(self, accounts: Sequence[Spec]) -> Made:
        """Make the trees of hosting accounts whose users are there, domains first, and apply their rules."""
        made = Made({}, {})
        for start in range(0, len(accounts), TREES_BATCH):
            batch = [dataclasses.asdict(spec) for spec in accounts[start : start + TREES_BATCH]]
            answer = self.ask("ensure_trees", accounts=batch)
            made.failed.update(answer["failed"])
            made.running.update(answer["running"])
        return made

    def move_trees(self, moves: Sequence[tuple[Spec, Spec]]) -> dict[str, str]:
        """Bring trees to their accounts' new places from where they were (new, old); what failed.

        Trees that swap their places belong into one call.
        """
        pairs = [[dataclasses.asdict(spec) for spec in pair] for pair in moves]
        failed: dict[str, str] = self.ask("move_trees", moves=pairs) if pairs else {}
        return failed

    def bury_trees(self, accounts: Sequence[Spec]) -> dict[str, str]:
        """Take the trees of removed hosting accounts away; what failed. One that is not there is no error."""
        failed: dict[str, str] = {}
        for start in range(0, len(accounts), TREES_BATCH):
            batch = [dataclasses.asdict(spec) for spec in accounts[start : start + TREES_BATCH]]
            failed |= self.ask("bury_trees", accounts=batch)
        return failed

    def graves(self) -> list[Grave]:
        """What was taken away of hosting accounts, the newest first."""
        return [Grave(**grave) for grave in self.ask("graves")]

    def restore_tree(self, account: Spec, grave: str) -> int | None:
        """Give an account what lies in a grave; None when it is done, else how far it is: ask again then."""
        result: int | None = self.ask("restore_tree", account=dataclasses.asdict(account), grave=grave)
        return result

    def empty_tree_grave(self, keep_s: int) -> int:
        """Delete the oldest grave of a tree that was made more than `keep_s` ago; how many more are due."""
        return int(self.ask("empty_tree_grave", keep_s=keep_s))

    def programs(self) -> dict[str, dict[str, Any]]:
        """State, pid and start (epoch seconds) of each program of the instance."""
        result: dict[str, dict[str, Any]] = self.ask("programs")
        return result

    def control(self, program: str, action: str) -> None:
        """`start`, `stop` or `restart` a program. Returns before a started one is ready."""
        self.ask("control", program=program, action=action)

    def handler_users(self) -> list[str]:
        """The system users that a handler of events may run as."""
        result: list[str] = self.ask("handler_users")
        return result

    def check_command(self, user: str, path: str) -> CommandCheck:
        """Whether a user may and can run a program."""
        return CommandCheck(**self.ask("check_command", user=user, path=path))

    def run_handler(self, user: str, runs: Sequence[Run], limits: RunLimits) -> Iterator[list[RunResult]]:
        """Run programs as a user one after the other, and tell of each when it has ended; hanging up ends what runs.

        Those whose results are missing at the end have not begun: a request holds only so many, and when a run takes
        long, those behind it are given back. Then the results so far come first, and at last that of the long one.
        """
        lines: list[str] = []
        size = 0
        for run in runs[:MAX_RUNS]:
            lines.append(json.dumps({"run": run.name, "argv": [*run.argv], "environment": {**run.environment}}))
            size += len(lines[-1])
            if size > LINE_BYTES and len(lines) > 1:
                lines.pop()
                break
        fields = {
            "user": user,
            "timeout_s": limits.timeout_s,
            "memory_mb": limits.memory_mb,
            "output_kb": limits.output_kb,
            "open_files": limits.open_files,
        }
        request = f'{_request("run_handler", fields)[:-1]}, "runs": [{", ".join(lines)}]}}'
        with self._asked(request) as connection, connection.makefile("rb") as stream:
            connection.settimeout(limits.timeout_s + 2 * TIMEOUT_S)
            while "part" in (answer := _answer(stream.readline())):
                yield [RunResult(**each) for each in answer["part"]]
        yield [RunResult(**each) for each in answer["result"]]


def _request(op: str, fields: Mapping[str, Any]) -> str:
    return json.dumps({"op": op, **fields})


def _answer(line: bytes) -> dict[str, Any]:
    if not line.endswith(b"\n"):
        raise ConnectionResetError("hostd closed the connection before its answer was complete")
    answer: dict[str, Any] = json.loads(line)
    if not answer["ok"]:
        raise HostdError(answer["error"])
    return answer
