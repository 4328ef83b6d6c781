"""Runs handlers of events for the panel, as the users that root's file allows."""

from __future__ import annotations

import contextlib
import json
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
from innkeeper.hostd.requests import BadRequestError, CheckCommand, Run, RunHandler
from innkeeper.instance import processes
from innkeeper.instance.config import Instance

log = logging.getLogger("innkeeper.hostd")

RUNS = 24
"""At once. Fewer than the connections of the server, so that its other requests are never kept out."""

WAIT_S = 15.0
"""How long a run waits for its predecessor of the same id to be ended, or for room."""

RUNNER_STALE_S = runner.IDLE_S / 2

ANSWER_S = runner.TERM_S + runner.KILL_S + 5
"""How long after the time of its run a runner that works may take to answer."""

CHECK = {"timeout_s": 10, "memory_mb": 512, "output_kb": 512, "open_files": 64}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RUN = "INNKEEPER_RUN"
"""Marks the processes of a run, next to the mark of the instance."""


class AbandonedError(Exception):
    """Nobody waits for the answer any more; what ran was ended."""


@dataclass(slots=True)
class _Runner:
    terms: dict[str, Any]
    process: subprocess.Popen[bytes]
    channel: socket.socket
    used_at: float


class Handlers:
    """Runs programs for one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._lock = threading.Condition()
        self._ending = threading.Lock()  # two would take each other's children, and then kill strangers
        self._idle: list[_Runner] = []  # the one used last is the last
        self._jobs = 0
        self._runs: set[str] = set()
        self._sessions = {os.getsid(0)}
        """Of hostd and of its runners. Every other one belongs to what a runner left."""

    def begin(self) -> None:
        """End what a killed predecessor left running. Call it before anything is run."""
        runner.become_subreaper()
        deadline = time.monotonic() + WAIT_S
        own = processes.handler_uid(self._instance)
        while left := [
            each
            for each in processes.of_instance(self._instance)
            if _is_marked(each.pid) or processes.runs_as(each.pid, own)
        ]:
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
        job = {"runs": [{"path": request.path}], **CHECK}
        [answer] = self._do(account, job, client)
        if answer["error"] or answer["exit_status"] != 0 or not answer["stdout"]:
            return {"error": answer["error"] or "it could not be looked at in time", "script": None}
        kind, text = answer["stdout"][:1], answer["stdout"][1:]
        return {"error": text if kind == "E" else None, "script": text if kind == "S" else None}

    def run(self, request: RunHandler, client: socket.socket | None) -> list[dict[str, Any]]:
        """Do runs of a handler one after the other; the answers, in order, to as many as have begun.

        When they take longer than they should, the client gets the answers so far on a line of their own. One run goes
        on then, and those behind it do not begin. When the client goes away what runs is ended. A client that lost its
        connection may ask for the same run again: the new one begins when the old has ended.
        """
        policy = Policy.load(self._instance)
        [account] = {policy.account(request.user, path) for path in {run.argv[0] for run in request.runs}}
        job = {
            "runs": [{"argv": list(run.argv), "environment": self._environment(account, run)} for run in request.runs],
            "timeout_s": request.timeout_s,
            "memory_mb": request.memory_mb,
            "output_kb": request.output_kb,
            "open_files": request.open_files,
        }
        with self._room({run.run for run in request.runs}):
            return self._do(account, job, client)

    def _environment(self, account: Account, run: Run) -> dict[str, str]:
        return {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "HOME": account.home,
            "USER": account.name,
            "LOGNAME": account.name,
            **run.environment,
            processes.MARK: self._instance.tag,
            RUN: run.run,
        }

    @contextlib.contextmanager
    def _room(self, runs: set[str]) -> Iterator[None]:
        with self._lock:
            if not self._lock.wait_for(lambda: not runs & self._runs and self._jobs < RUNS, WAIT_S):
                raise BadRequestError("run: it is still running" if runs & self._runs else "too many handlers run")
            self._runs |= runs
            self._jobs += 1
        try:
            yield
        finally:
            with self._lock:
                self._runs -= runs
                self._jobs -= 1
                self._lock.notify_all()

    def _do(self, account: Account, job: dict[str, Any], client: socket.socket | None) -> list[dict[str, Any]]:
        one = self._take(_terms(account, job))
        clean = False
        deadline = time.monotonic() + job["timeout_s"] + ANSWER_S
        try:
            runner.send(one.channel.fileno(), job)
            while True:
                answers, more = _answer(one.channel, client, deadline)
                # While more is to come it works for this request, and must never be given to another.
                clean = not more and all(answer["clean"] for answer in answers)
                answers = list(map(_told, answers))
                if not more:
                    return answers
                if client is not None:
                    client.sendall(json.dumps({"ok": True, "part": answers}).encode() + b"\n")
        except (OSError, EOFError) as error:
            raise RuntimeError(f"the runner ended: {error}") from error
        finally:
            if clean:
                self._give(one)
            else:
                self._drop(one, was_clean=False)

    def _take(self, terms: dict[str, Any]) -> _Runner:
        """A runner that serves these terms, and served no others."""
        with self._lock:
            now = time.monotonic()
            stale = [each for each in self._idle if now - each.used_at > RUNNER_STALE_S]
            found = next((each for each in reversed(self._idle) if each.terms == terms and each not in stale), None)
            self._idle = [each for each in self._idle if each not in stale and each is not found]
        for each in stale:
            self._drop(each)
        return found or self._start(terms)

    def _give(self, one: _Runner) -> None:
        one.used_at = time.monotonic()
        with self._lock:
            self._idle.append(one)
            oldest = self._idle.pop(0) if len(self._idle) > RUNS else None
        if oldest is not None:
            self._drop(oldest)

    def _start(self, terms: dict[str, Any]) -> _Runner:
        ours, theirs = socket.socketpair()
        with theirs, self._ending:  # until its session is known, it looks like one that was left
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", runner.__file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={"PATH": PATH, "LANG": "C.UTF-8", **_mark()},
                cwd="/",
                start_new_session=True,
            )
            self._sessions.add(process.pid)
        runner.send(ours.fileno(), terms)
        return _Runner(terms, process, ours, time.monotonic())

    def _drop(self, one: _Runner, *, was_clean: bool = True) -> None:
        """Let a runner end, with all that it runs. If it was killed, or left something, that is ours to end."""
        one.channel.close()
        try:
            status = one.process.wait(ANSWER_S)
        except subprocess.TimeoutExpired:  # stopped by a process of its account
            one.process.kill()
            status = one.process.wait()
        if status:
            log.error("a runner ended with status %d", status)
        with self._ending:
            self._sessions.remove(one.process.pid)
            if (status or not was_clean) and not runner.end_children(lambda session: session not in self._sessions):
                log.error("processes of a handler do not end")


def _mark() -> dict[str, str]:
    """hostd's own mark, by which `down` finds a runner too."""
    return {processes.MARK: mark} if (mark := os.environ.get(processes.MARK)) else {}


def _answer(channel: socket.socket, client: socket.socket | None, deadline: float) -> tuple[list[dict[str, Any]], bool]:
    """What the runner answers, and whether more is to come.

    Raises AbandonedError when the client hangs up before, EOFError when the runner does, OSError at the deadline.
    """
    waiting = select.poll()
    waiting.register(channel, select.POLLIN)
    if client is not None:
        waiting.register(client, select.POLLIN)
    while True:
        ready = {number for number, _ in waiting.poll(max(deadline - time.monotonic(), 0) * 1000)}
        if not ready:
            raise TimeoutError("it does not answer")
        if channel.fileno() in ready:
            length = int.from_bytes(_receive(channel, runner.LENGTH_BYTES), "big")
            answers, more = marshal.loads(_receive(channel, length))  # noqa: S302 - of our own runner
            return answers, more
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


def _terms(account: Account, limits: dict[str, Any]) -> dict[str, Any]:
    return {
        "uid": account.uid,
        "gid": account.gid,
        "groups": list(account.groups),
        "set_uid_works": account.is_named,
        "memory_mb": limits["memory_mb"],
        "open_files": limits["open_files"],
    }


def _told(answer: dict[str, Any]) -> dict[str, Any]:
    """A runner's answer as the client gets it, with the output as text that every database can hold."""
    texts = {
        name: answer[name].decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        for name in ("stdout", "stderr")
    }
    return {name: value for name, value in answer.items() if name != "clean"} | texts


def _is_marked(pid: int) -> bool:
    try:
        environment = (processes.PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return f"\0{RUN}=".encode() in b"\0" + environment
