"""Runs handlers of events for the panel, as the users that root's file allows."""

from __future__ import annotations

import contextlib
import logging
import marshal
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from innkeeper.hostd import runner
from innkeeper.hostd.handler_policy import Account, Policy
from innkeeper.hostd.requests import BadRequestError, CheckCommand, RunHandler
from innkeeper.instance import processes
from innkeeper.instance.config import Instance

log = logging.getLogger("innkeeper.hostd")

RUNS = 24
"""At once. Fewer than the connections of the server, so that its other requests are never kept out."""

WAIT_S = 15.0
"""How long a run waits for its predecessor of the same id to be ended, or for room."""

RUNNER_STALE_S = runner.IDLE_S / 2
CHECK = {"timeout_s": 10, "memory_mb": 512, "output_kb": 512, "open_files": 64}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RUN = "INNKEEPER_RUN"
"""Marks the processes of a run, next to the mark of the instance."""


class AbandonedError(Exception):
    """Nobody waits for the answer any more; what ran was ended."""


@dataclass(slots=True)
class _Runner:
    process: subprocess.Popen[bytes]
    channel: socket.socket
    used_at: float


class Handlers:
    """Runs programs for one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._lock = threading.Condition()
        self._ending = threading.Lock()  # two would take each other's children, and then kill strangers
        self._idle: list[_Runner] = []
        self._runs: set[str] = set()
        self._session = os.getsid(0)

    def begin(self) -> None:
        """End what a killed predecessor left running. Call it before anything is run."""
        runner.become_subreaper()
        deadline = time.monotonic() + WAIT_S
        while left := [each for each in processes.of_instance(self._instance) if _is_marked(each.pid)]:
            log.warning("ending %d processes of handlers that lost hostd", len(left))
            for process in left:
                processes.send(process, signal.SIGKILL)
            if time.monotonic() > deadline:
                return
            processes.wait_ended(left, 1)

    def end(self) -> None:
        """Let the idle runners go."""
        with self._lock:
            idle, self._idle = self._idle, []
        for each in idle:
            self._drop(each)

    def users(self) -> list[str]:
        return Policy.load(self._instance).accounts()

    def check(self, request: CheckCommand, client: socket.socket | None) -> dict[str, Any]:
        try:
            account = Policy.load(self._instance).account(request.user, request.path)
        except BadRequestError as error:
            return {"error": str(error), "script": None}
        job = {"kind": "check", "path": request.path, **_becoming(account), **CHECK}
        answer = self._do(job, client)
        if answer["error"] or answer["exit_status"] != 0 or not answer["stdout"]:
            return {"error": answer["error"] or "it could not be looked at in time", "script": None}
        kind, text = answer["stdout"][:1], answer["stdout"][1:]
        return {"error": text if kind == "E" else None, "script": text if kind == "S" else None}

    def run(self, request: RunHandler, client: socket.socket | None) -> dict[str, Any]:
        """Run a handler and wait for its end. When the client goes away the run is ended.

        A client that lost its connection may ask for the same run again: the new one begins when the old has ended.
        """
        account = Policy.load(self._instance).account(request.user, request.argv[0])
        environment = {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "HOME": account.home,
            "USER": account.name,
            "LOGNAME": account.name,
            **request.environment,
            processes.MARK: self._instance.tag,
            RUN: request.run,
        }
        job = {
            "kind": "run",
            "argv": list(request.argv),
            "environment": environment,
            "timeout_s": request.timeout_s,
            "memory_mb": request.memory_mb,
            "output_kb": request.output_kb,
            "open_files": request.open_files,
            **_becoming(account),
        }
        with self._room(request.run):
            return self._do(job, client)

    @contextlib.contextmanager
    def _room(self, run: str) -> Iterator[None]:
        with self._lock:
            if not self._lock.wait_for(lambda: run not in self._runs and len(self._runs) < RUNS, WAIT_S):
                raise BadRequestError("run: it is still running" if run in self._runs else "too many handlers run")
            self._runs.add(run)
        try:
            yield
        finally:
            with self._lock:
                self._runs.remove(run)
                self._lock.notify_all()

    def _do(self, job: dict[str, Any], client: socket.socket | None) -> dict[str, Any]:
        one = self._take()
        clean = False
        try:
            one.channel.sendall(runner.pack(job))
            answer = _answer(one.channel, client)
            clean = answer.pop("clean")
            return answer
        except (OSError, EOFError) as error:
            raise RuntimeError(f"the runner ended: {error}") from error
        finally:
            if clean:
                self._give(one)
            else:
                self._drop(one, was_clean=False)

    def _take(self) -> _Runner:
        with self._lock:
            now = time.monotonic()
            stale = [each for each in self._idle if now - each.used_at > RUNNER_STALE_S]
            self._idle = [each for each in self._idle if each not in stale]
            found = self._idle.pop() if self._idle else None
        for each in stale:
            self._drop(each)
        return found or _start()

    def _give(self, one: _Runner) -> None:
        one.used_at = time.monotonic()
        with self._lock:
            self._idle.append(one)

    def _drop(self, one: _Runner, *, was_clean: bool = True) -> None:
        """Let a runner end, with all that it runs. If it was killed, or left something, that is ours to end."""
        one.channel.close()
        status = one.process.wait()
        if status:
            log.error("a runner ended with status %d", status)
        if status or not was_clean:
            with self._ending:
                if not runner.end_children(lambda session: session != self._session):
                    log.error("processes of a handler do not end")


def _start() -> _Runner:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", runner.__file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={"PATH": PATH, "LANG": "C.UTF-8", **_mark()},
            cwd="/",
        )
    return _Runner(process, ours, time.monotonic())


def _mark() -> dict[str, str]:
    """hostd's own mark, by which `down` finds a runner too."""
    return {processes.MARK: mark} if (mark := os.environ.get(processes.MARK)) else {}


def _answer(channel: socket.socket, client: socket.socket | None) -> dict[str, Any]:
    """What the runner answers. Raises AbandonedError when the client hangs up before, EOFError when the runner does."""
    waiting = select.poll()
    waiting.register(channel, select.POLLIN)
    if client is not None:
        waiting.register(client, select.POLLIN)
    while True:
        ready = {number for number, _ in waiting.poll()}
        if channel.fileno() in ready:
            length = int.from_bytes(_receive(channel, runner.LENGTH_BYTES), "big")
            answer: dict[str, Any] = marshal.loads(_receive(channel, length))  # noqa: S302 - of our own runner
            return answer
        if client is not None:
            if not client.recv(1, socket.MSG_PEEK):
                raise AbandonedError("the client hung up")
            waiting.unregister(client)  # its next request waits its turn
            client = None


def _receive(channel: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = channel.recv(count - len(data))
        if not part:
            raise EOFError("without an answer")
        data += part
    return bytes(data)


def _becoming(account: Account) -> dict[str, Any]:
    return {
        "uid": account.uid,
        "gid": account.gid,
        "groups": list(account.groups),
        "set_uid_works": account.is_named,
    }


def _is_marked(pid: int) -> bool:
    try:
        environment = (processes.PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return f"\0{RUN}=".encode() in b"\0" + environment
