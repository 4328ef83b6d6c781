"""A process that runs programs as other users, one at a time, and leaves nothing of them behind.

hostd starts it when it is needed. It is the subreaper of what it starts, so that whatever a program forks away becomes
its child and is killed before the answer goes out. When hostd ends or drops it, it kills what it has and ends too.
Here nothing is decided: hostd has checked every job.

It is a program of its own, run with a bare interpreter, and imports as little as can be: each run is a fork of it, and
what a fork costs is the memory that it copies the tables of.
"""

from __future__ import annotations

import ctypes
import gc
import marshal
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

IDLE_S = 60.0
TERM_S = 2.0
"""How long a program that took too long has between the request to end and its death."""

KILL_S = 10.0
CHASES = 200
PART = 65536
SCRIPT_BYTES = 65536
PROCESSES = 1024
"""Of one user who is not root. It bounds a program that forks without end."""

LENGTH_BYTES = 4

PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """From now on processes that lose their parent below this one become its children."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def pack(value: Any) -> bytes:
    """A message between hostd and a runner, which trust each other."""
    data = marshal.dumps(value)
    return len(data).to_bytes(LENGTH_BYTES, "big") + data


def _read(channel: int, count: int) -> bytes:
    """So many bytes from hostd, or fewer at the end."""
    data = b""
    while len(data) < count and (part := os.read(channel, count - len(data))):
        data += part
    return data


def serve(channel: int) -> None:
    """Do the jobs that come over a socket, until the channel closes or nothing comes for a while."""
    become_subreaper()
    gc.disable()
    gc.freeze()
    idle = select.poll()
    idle.register(channel, select.POLLIN)
    while idle.poll(IDLE_S * 1000):
        head = _read(channel, LENGTH_BYTES)
        if len(head) < LENGTH_BYTES:
            return
        answer = _run(marshal.loads(_read(channel, int.from_bytes(head, "big"))), channel)  # noqa: S302 - hostd's own
        if answer is None:
            return
        data = pack(answer)
        while data:
            data = data[os.write(channel, data) :]


def _run(job: Job, channel: int) -> dict[str, Any] | None:
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
    for each in (pidfd, out, err, channel):
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
            _signal_group(pid)
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
            os.write(1, look_at(job["path"]))
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
