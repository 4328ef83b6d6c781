"""A process that runs programs as one account, one at a time, and leaves nothing of them behind.

hostd starts it when it is needed, tells it the account and its limits, and gives it jobs. It is the subreaper of what
it starts, so that whatever a program forks away becomes its child and is killed before the answer goes out. When hostd
ends or drops it, it kills what it has and ends too. Here nothing is decided: hostd has checked every job.

Copying a process for each run would cost more than the run, so programs are started by `posix_spawn`, which copies
nothing but cannot change ids: the runner takes on those of its account while it starts one, and keeps the way back to
root, which no program inherits. For that moment the account's other processes can send it signals. They could end or
stop this one runner, which serves nobody else, and hostd ends one that does not answer in time. Limits are for good,
and the runner's own too: where root may raise none again, as in most containers, no other way holds.
"""

from __future__ import annotations

import ctypes
import gc
import marshal
import math
import os
import resource
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Job = dict[str, Any]
    Answer = dict[str, Any]

IDLE_S = 60.0
TERM_S = 2.0
"""How long a program that took too long has between the request to end and its death."""

KILL_S = 10.0

QUICK_S = 0.1
"""When a job takes longer, its runs that have not begun are given back, for others may have room for them."""

MUCH_OUTPUT = 256 * 1024
"""The same when the answers so far are larger."""

CHASES = 200
PART = 65536
SCRIPT_BYTES = 65536
PROCESSES = 1024
"""Of one user who is not root. It bounds a program that forks without end."""

LENGTH_BYTES = 4

SIGNALS = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
"""Programs expect their defaults. Python ignores some, and so may whoever started the instance."""

PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """From now on processes that lose their parent below this one become its children."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def send(channel: int, value: Any) -> None:
    """Send a message between hostd and a runner, which trust each other."""
    data = marshal.dumps(value)
    for part in (len(data).to_bytes(LENGTH_BYTES, "big"), data):
        left = memoryview(part)
        while left:
            left = left[os.write(channel, left) :]


def _read(channel: int, count: int) -> bytes:
    """So many bytes from hostd, or fewer at the end."""
    data = b""
    while len(data) < count and (part := os.read(channel, count - len(data))):
        data += part
    return data


def _receive(channel: int) -> Any:
    """The next message of hostd; None at the end."""
    head = _read(channel, LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    return marshal.loads(_read(channel, int.from_bytes(head, "big")))  # noqa: S302 - of hostd


def serve(channel: int) -> None:
    """Do the jobs that come over a socket, until the channel closes or nothing comes for a while."""
    become_subreaper()
    gc.disable()
    gc.freeze()
    terms = _receive(channel)
    if terms is None:
        return
    runner = Runner(channel, terms)
    idle = select.poll()
    idle.register(channel, select.POLLIN)
    try:
        while idle.poll(IDLE_S * 1000) and (job := _receive(channel)) is not None:
            runner.do(job)
    except (DroppedError, ConnectionError):
        pass
    finally:
        _end_all()


class DroppedError(Exception):
    """hostd does not wait for the answer any more."""


class Runner:
    """Runs programs on the terms that hostd set: as one account, within limits."""

    def __init__(self, channel: int, terms: Job) -> None:
        self._channel = channel
        self._uid, self._gid, self._groups = terms["uid"], terms["gid"], terms["groups"]
        self._own_groups = os.getgroups()
        self._answers: list[Answer] = []
        self._slow_at = math.inf
        self._null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        os.umask(0o077)
        os.chdir("/")
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_DATA, terms["memory_mb"] * 1024 * 1024)
        _limit(resource.RLIMIT_NOFILE, terms["open_files"])
        if self._uid != 0:
            _limit(resource.RLIMIT_NPROC, PROCESSES)
        if not terms["set_uid_works"]:
            _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)

    def do(self, job: Job) -> None:
        """Do a job and answer. Raises DroppedError, ConnectionError; what runs then is the caller's to end."""
        slow_at = time.monotonic() + QUICK_S
        self._slow_at = slow_at if len(job["runs"]) > 1 else math.inf
        size = 0
        for run in job["runs"]:
            answer = self._run(job, run)
            self._answers.append(answer)
            size += len(answer["stdout"]) + len(answer["stderr"])
            if not answer["clean"] or size > MUCH_OUTPUT or time.monotonic() > slow_at:
                break
        self._say(more=False)

    def _say(self, *, more: bool) -> None:
        """Send the answers to the runs that have ended. With more to come: to the one that runs, and to no other."""
        send(self._channel, (self._answers, more))
        self._answers.clear()

    def _run(self, job: Job, run: Job) -> Answer:
        """Do one run of a job."""
        begun = time.monotonic()
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(2)]
        try:
            pid, error = self._start(run, [write for _, write in pipes]), ""
        except OSError as failure:
            pid, error = 0, failure.strerror or str(failure)
        for _, write in pipes:
            os.close(write)
        out, err = (read for read, _ in pipes)
        outputs = {out: bytearray(), err: bytearray()}
        truncated = timed_out = False

        def take(number: int) -> bool:
            """Read a part; whether there may be more."""
            nonlocal truncated
            try:
                part = os.read(number, PART)
            except BlockingIOError:
                return False
            room = job["output_kb"] * 1024 - len(outputs[number])
            outputs[number] += part[:room]
            truncated = truncated or len(part) > room
            return bool(part)

        status, clean = 0, True
        if pid:
            for each in outputs:
                os.set_blocking(each, False)
            timed_out = self._watch(pid, begun + job["timeout_s"], (out, err), take)
            status = _reap(pid)
            clean = _end_all()
            for each in outputs:
                for _ in range(32):  # at most what a pipe holds; a writer out of reach cannot keep us
                    if not take(each):
                        break
        for each in outputs:
            os.close(each)
        code = os.waitstatus_to_exitcode(status)
        return {
            "exit_status": code if code >= 0 and not error else None,
            "signal": -code if code < 0 else None,
            "stdout": outputs[out],
            "stderr": outputs[err],
            "truncated": truncated,
            "duration_ms": round((time.monotonic() - begun) * 1000),
            "timed_out": timed_out,
            "error": error,
            "clean": clean,
        }

    def _watch(self, pid: int, deadline: float, outputs: tuple[int, int], take: Callable[[int], bool]) -> bool:
        """Take output until a program ends; whether its time ended first. Raises DroppedError."""
        pidfd = os.pidfd_open(pid)
        waiting = select.poll()
        for each in (pidfd, *outputs, self._channel):
            waiting.register(each, select.POLLIN)
        timed_out = False
        try:
            while True:
                now = time.monotonic()
                if now >= deadline:
                    if timed_out:
                        return True
                    timed_out, deadline = True, now + TERM_S
                    _signal_group(pid)
                if now >= self._slow_at:
                    self._slow_at = math.inf
                    self._say(more=True)
                for number, _ in waiting.poll((min(deadline, self._slow_at) - now) * 1000 + 1):
                    if number == pidfd:
                        return timed_out
                    if number == self._channel:
                        raise DroppedError
                    if not take(number):
                        waiting.unregister(number)
        finally:
            os.close(pidfd)

    def _start(self, run: Job, pipes: list[int]) -> int:
        """Start a program as the account; its pid."""
        actions = [(os.POSIX_SPAWN_DUP2, old, new) for new, old in enumerate((self._null, *pipes))]
        try:
            os.setgroups(self._groups)
            os.setresgid(self._gid, self._gid, 0)
            os.setresuid(self._uid, self._uid, 0)
            if "path" in run:
                return self._look(run["path"], pipes[0])
            return os.posix_spawn(
                run["argv"][0], run["argv"], run["environment"], file_actions=actions, setsid=True,
                setsigmask=[], setsigdef=SIGNALS,
            )  # fmt: skip
        finally:
            self._return()

    def _return(self) -> None:
        """Be root again, or end: hostd ends what was started then."""
        try:
            os.setresuid(0, 0, 0)
            os.setresgid(0, 0, 0)
            os.setgroups(self._own_groups)
        except OSError:
            os._exit(1)

    def _look(self, path: str, out: int) -> int:
        """Let a copy of this process that is the account for good look at a program; its pid."""
        pid = os.fork()
        if not pid:
            try:
                os.setsid()
                os.setresgid(self._gid, self._gid, self._gid)
                os.setresuid(self._uid, self._uid, self._uid)
                os.write(out, look_at(path))
            finally:
                os._exit(0)
        return pid


def _signal_group(pid: int) -> None:
    try:  # noqa: SIM105 - contextlib is one import more
        os.killpg(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass


def _reap(pid: int) -> int:
    """Kill the program, if it still runs, and take its status."""
    if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def _end_all() -> bool:
    """Kill every descendant; False if one does not end, as in a hanging file system."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return end_children(lambda _: True)


def end_children(which: Callable[[int], bool]) -> bool:
    """Kill the children of this process whose session `which` accepts, with all below them, until none is left.

    What loses its parent meanwhile becomes our child, for this process is a subreaper. False if one does not end.
    """
    deadline = time.monotonic() + KILL_S
    me = os.getpid()
    while time.monotonic() < deadline:
        _chase(which)
        below: dict[int, list[tuple[int, str]]] = {}
        mine = []
        for name in os.listdir("/proc"):  # noqa: PTH208 - see above
            if name.isdigit() and (found := _stat(int(name))) is not None:
                parent, session, start = found
                below.setdefault(parent, []).append((int(name), start))
                if parent == me and which(session):
                    mine.append((int(name), start))
        if not mine:
            return True
        for pid, _ in (tree := list(mine)):
            tree += below.get(pid, [])  # the list grows while it is walked
        for pid, start in tree:
            _kill(pid, start)
        for pid, _ in mine:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue
        time.sleep(0.002)
    return False


def _chase(which: Callable[[int], bool]) -> None:
    """Kill children as long as the kernel lists some: nothing comes between looking and killing.

    A program may live no longer than it takes to fork the next one, and is gone when all processes were looked at.
    """
    path = f"/proc/self/task/{os.getpid()}/children"
    for _ in range(CHASES):
        try:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - see above
                pids = [int(pid) for pid in file.read(PART).split()]
        except OSError:  # a kernel that lists none
            return
        mine = [
            pid for pid in pids if (found := _stat(pid)) is not None and found[0] == os.getpid() and which(found[1])
        ]
        if not mine:
            return
        for pid in mine:
            # Nobody but us takes the status of an ended child, so its number is still its own.
            os.kill(pid, signal.SIGKILL)
        for pid in mine:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


def _kill(pid: int, start: str) -> None:
    """Kill exactly the process that was seen: it is named by pid and start time together."""
    try:
        number = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        found = _stat(pid)
        if found is not None and found[2] == start:
            signal.pidfd_send_signal(number, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(number)


def _stat(pid: int) -> tuple[int, int, str] | None:
    """Parent, session and start time of a process, ended ones that wait for their parent included."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:  # noqa: PTH123 - see above
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), int(fields[3]), fields[19]


def _limit(which: int, most: int) -> None:
    """Let this process, and what it starts, have no more of something."""
    hard = resource.getrlimit(which)[1]
    value = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (value, value))


def look_at(path: str) -> bytes:
    """What this user sees of a program: `E` and what is wrong with it, `S` and the text of a script, or `B`.

    Plain text, because whoever is this user may meddle with a process of his.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - see above
    except OSError as error:
        return b"E" + (error.strerror or str(error)).encode()
    if mode & KIND != FILE:
        return b"Eit is a folder" if mode & KIND == FOLDER else b"Eit is no file"
    if not os.access(path, os.X_OK):
        return b"Eit is not executable for this user"
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        text = os.read(number, SCRIPT_BYTES) if os.fstat(number).st_mode & KIND == FILE else b""
    except OSError:
        text = b""
    return b"S" + text if text.startswith(b"#!") else b"B"


KIND, FILE, FOLDER = 0o170000, 0o100000, 0o040000

if __name__ == "__main__":
    os.set_inheritable(int(sys.argv[1]), False)
    serve(int(sys.argv[1]))
