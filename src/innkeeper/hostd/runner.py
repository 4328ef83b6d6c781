"""A process that runs programs as other users, one at a time, and leaves nothing of them behind.

hostd forks it when it is needed. It is the subreaper of what it starts, so that whatever a program forks away becomes
its child and is killed before the answer goes out. When hostd ends or drops it, it kills what it has and ends too.
Here nothing is decided: hostd has checked every job.

It comes out of a process with threads, so it calls nothing that could need a lock of another thread: no users' and
groups' data base, no log.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from innkeeper.instance import processes

IDLE_S = 60.0
TERM_S = 2.0
"""How long a program that took too long has between the request to end and its death."""

KILL_S = 10.0
PART = 65536
SCRIPT_BYTES = 65536
PROCESSES = 1024
"""Of one user who is not root. It bounds a program that forks without end."""

PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

Job = dict[str, Any]

_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """From now on processes that lose their parent below this one become its children."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def serve(channel: socket.socket) -> NoReturn:
    """Do the jobs that come over the channel, a JSON line each, until it closes or nothing comes for a while."""
    code = 1
    try:
        gc.disable()  # objects of threads that do not exist here must not be closed
        number = channel.fileno()
        os.closerange(3, number)
        os.closerange(number + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(each, signal.SIG_DFL)
        become_subreaper()
        _serve(channel)
        code = 0
    finally:
        os._exit(code)


def _serve(channel: socket.socket) -> None:
    buffer = bytearray()
    while True:
        if b"\n" not in buffer:
            channel.settimeout(IDLE_S)
            try:
                part = channel.recv(PART)
            except TimeoutError:
                return
            if not part:
                return
            buffer += part
            continue
        line, _, rest = bytes(buffer).partition(b"\n")
        buffer = bytearray(rest)
        job: Job = json.loads(line)
        answer = _run(job, channel)
        if answer is None:
            return
        channel.settimeout(IDLE_S)
        channel.sendall(json.dumps(answer).encode() + b"\n")


def _run(job: Job, channel: socket.socket) -> dict[str, Any] | None:
    """Run one job; None if hostd dropped it."""
    begun = time.monotonic()
    me = os.getpid()
    pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
    pid = os.fork()
    if not pid:
        try:
            _child(job, me, [write for _, write in pipes])
        finally:
            os._exit(127)
    for _, write in pipes:
        os.close(write)
    out, err, failed = (read for read, _ in pipes)
    outputs = {out: bytearray(), err: bytearray()}
    truncated: set[int] = set()
    pidfd = os.pidfd_open(pid)
    for each in outputs:
        os.set_blocking(each, False)
    waiting = select.poll()
    for each in (pidfd, out, err, channel.fileno()):
        waiting.register(each, select.POLLIN)
    deadline = begun + job["timeout_s"]
    timed_out = dropped = False

    def take(number: int) -> bool:
        """Read a part; whether there may be more."""
        try:
            part = os.read(number, PART)
        except BlockingIOError:
            return False
        room = job["output_kb"] * 1024 - len(outputs[number])
        outputs[number] += part[:room]
        if len(part) > room:
            truncated.add(number)
        return bool(part)

    ended = False
    while not ended:
        left = deadline - time.monotonic()
        if left <= 0:
            if timed_out:
                break
            timed_out, deadline = True, time.monotonic() + TERM_S
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGTERM)
            continue
        for number, _ in waiting.poll(left * 1000 + 1):
            if number == pidfd:
                ended = True
            elif number in outputs:
                if not take(number):
                    waiting.unregister(number)
            else:
                dropped = ended = True
    os.close(pidfd)
    status = _reap(pid)
    clean = _end_all()
    for each in outputs:
        for _ in range(32):  # at most what a pipe holds; a writer out of reach cannot keep us
            if not take(each):
                break
    error = os.read(failed, PART).decode(errors="replace")
    for each in (out, err, failed):
        os.close(each)
    if dropped:
        return None
    code = os.waitstatus_to_exitcode(status)
    return {
        "exit_status": code if code >= 0 and not error else None,
        "signal": -code if code < 0 else None,
        "stdout": _text(outputs[out]),
        "stderr": _text(outputs[err]),
        "truncated": bool(truncated),
        "duration_ms": round((time.monotonic() - begun) * 1000),
        "timed_out": timed_out,
        "error": error,
        "clean": clean,
    }


def _text(data: bytearray) -> str:
    """Output as text that every database can hold."""
    return data.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _reap(pid: int) -> int:
    """Kill the program, if it still runs, and take its status."""
    with contextlib.suppress(ProcessLookupError):
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def _end_all() -> bool:
    """Kill every descendant; False if one does not end, as in a hanging file system."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return end_children(lambda _: True)
    return True


def end_children(which: Callable[[int], bool]) -> bool:
    """Kill the children of this process whose session `which` accepts, with all below them, until none is left.

    What loses its parent meanwhile becomes our child, for this process is a subreaper. False if one does not end.
    """
    deadline = time.monotonic() + KILL_S
    me = os.getpid()
    while time.monotonic() < deadline:
        below: dict[int, list[int]] = {}
        mine: list[int] = []
        for path in Path("/proc").iterdir():
            if path.name.isdigit() and (found := _parent_and_session(int(path.name))) is not None:
                pid, (parent, session) = int(path.name), found
                below.setdefault(parent, []).append(pid)
                if parent == me and which(session):
                    mine.append(pid)
        if not mine:
            return True
        for pid in (tree := list(mine)):
            tree += below.get(pid, [])  # the list grows while it is walked
        for pid in tree:
            if (process := processes.read(pid)) is not None:
                processes.send(process, signal.SIGKILL)
        for pid in mine:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.002)
    return False


def _parent_and_session(pid: int) -> tuple[int, int] | None:
    """Of a process, ended ones that wait for their parent included."""
    try:
        fields = (Path("/proc") / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), int(fields[3])


def _child(job: Job, parent: int, pipes: list[int]) -> None:
    """In the new process: become the user and do the job. Does not return when a program could be started."""
    out, err, failed = pipes
    try:
        os.setsid()  # by its own session hostd knows what a killed runner left
        if os.getppid() != parent:
            return
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, programs expect them
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        null = os.open("/dev/null", os.O_RDONLY)
        for new, old in ((null, 0), (out, 1), (err, 2)):
            os.dup2(new, old)
        os.umask(0o077)
        os.chdir("/")
        _limit(job)
        os.setgroups(job["groups"])
        os.setresgid(job["gid"], job["gid"], job["gid"])
        os.setresuid(job["uid"], job["uid"], job["uid"])
        if not job["set_uid_works"]:
            _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if job["kind"] == "check":
            os.write(1, json.dumps(look_at(job["path"])).encode())
            os._exit(0)
        os.execve(job["argv"][0], job["argv"], job["environment"])  # noqa: S606 - never a shell
    except OSError as error:
        os.write(failed, (error.strerror or str(error)).encode())
    except Exception as error:
        os.write(failed, f"{type(error).__name__}: {error}".encode())


def _limit(job: Job) -> None:
    memory = job["memory_mb"] * 1024 * 1024
    limits = [(resource.RLIMIT_DATA, memory), (resource.RLIMIT_NOFILE, job["open_files"]), (resource.RLIMIT_CORE, 0)]
    if job["uid"] != 0:
        limits.append((resource.RLIMIT_NPROC, PROCESSES))
    for which, most in limits:
        hard = resource.getrlimit(which)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (value, value))


def look_at(path: str) -> dict[str, str | None]:
    """What is wrong with a program for the user that this process is, and its text if it is a readable script."""
    try:
        found = Path(path).stat()
    except OSError as error:
        return {"error": error.strerror or str(error), "script": None}
    if not stat.S_ISREG(found.st_mode):
        return {"error": "it is a folder" if stat.S_ISDIR(found.st_mode) else "it is no file", "script": None}
    if not os.access(path, os.X_OK):
        return {"error": "it is not executable for this user", "script": None}
    script = None
    with contextlib.suppress(OSError):
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if stat.S_ISREG(os.fstat(number).st_mode):
            text = os.read(number, SCRIPT_BYTES)
            if text.startswith(b"#!"):
                script = text.decode(errors="replace")
    return {"error": None, "script": script}
