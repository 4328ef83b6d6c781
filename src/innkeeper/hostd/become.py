"""Runs a piece of work in a child that has become an account, for good, before it looks at anything."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pwd
import resource
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from innkeeper.instance.parent import end_with_parent

MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_DESCRIPTORS = 4
MAX_MEMORY_BYTES = 1 << 30
"""With what hostd itself has. An account may have folders of more names than the machine has memory for."""

GRACE_S = 2.0
_PR_SET_NO_NEW_PRIVS = 38
_libc = ctypes.CDLL(None, use_errno=True)

LOOK_EVERY_S = 0.5
"""How soon a child is missed that the account's own processes have stopped: they are the same user."""

TOLD_EVERY_S = 0.3

# What the work answers: a JSON value, and descriptors that it opened.
Answer = tuple[Any, Sequence[int]]

# Takes how far long work has come: counts by their names. It costs next to nothing, and passes on one now and then.
Tell = Callable[[dict[str, int]], None]


class ChildFailedError(RuntimeError):
    """The child ended without an answer, or answered more than is taken."""


class TimeUpError(Exception):
    """Raised inside the work when its time is over, so that it can tidy up behind itself."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A system account with all its groups. Never root."""

    uid: int
    gid: int
    groups: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.uid <= 0 or self.gid <= 0 or 0 in self.groups:
            raise ValueError("nobody becomes root, or a member of its group")

    @classmethod
    def of(cls, name: str) -> Identity:
        """The account of a name. Raises KeyError for one that the system does not know."""
        entry = pwd.getpwnam(name)
        return cls(entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(name, entry.pw_gid)))


def run_as(
    identity: Identity,
    work: Callable[[Tell], Answer],
    *,
    keep: Sequence[int] = (),
    seconds: float = 10,
    grace: float | None = None,
    told: Tell | None = None,
) -> Answer:
    """Do the work as an account: all its groups, no capabilities, no way back.

    Of hostd's descriptors the child has those of `keep` alone. Those that the work answers are the caller's to close.
    `told` hears how far the work has come; when it raises, the work's time is over. `grace` is for tidying up then.

    Raises: ChildFailedError, what `told` raises.
    """
    grace = GRACE_S if grace is None else grace
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        _child(identity, work, theirs, {*keep, theirs.fileno()}, seconds)
    received: list[int] = []
    try:
        theirs.close()
        data = _receive(ours, pid, time.monotonic() + seconds + grace, received, told)
    except BaseException as error:
        for fd in received:
            os.close(fd)
        if not isinstance(error, ChildFailedError):
            _let_tidy_up(ours, pid, grace)
        raise
    finally:
        ours.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # it has answered, or has had its time; nothing of it stays
        os.waitpid(pid, 0)
    return data, received


def _let_tidy_up(connection: socket.socket, pid: int, grace: float) -> None:
    """Tell a child that its time is over, and wait a little until it has ended."""
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGALRM)
        connection.settimeout(grace)
        while connection.recv(65536):
            pass


def _receive(connection: socket.socket, pid: int, deadline: float, received: list[int], told: Tell | None) -> Any:
    """The child's answer. Each of its messages is a line."""
    data = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise ChildFailedError("took too long")
        connection.settimeout(min(left, LOOK_EVERY_S))
        try:
            part, descriptors, _, _ = socket.recv_fds(connection, 65536, MAX_DESCRIPTORS)
        except TimeoutError:
            if os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG) is not None:
                raise ChildFailedError("was stopped") from None
            continue
        received += descriptors
        if not part:
            raise ChildFailedError("ended without an answer")
        data += part
        while (end := data.find(b"\n")) >= 0:
            message = json.loads(data[:end])
            if "answer" in message:
                return message["answer"]
            del data[: end + 1]
            if told is not None:
                told(message["come"])
        if len(data) > MAX_ANSWER_BYTES:
            raise ChildFailedError("answered too much")


class _Teller:
    """Passes on how far the work has come, now and then."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._next = time.monotonic() + TOLD_EVERY_S

    def __call__(self, come: dict[str, int]) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + TOLD_EVERY_S
            self._connection.sendall(_message(come=come))


def _message(**values: Any) -> bytes:
    return json.dumps(values).encode() + b"\n"


def _child(
    identity: Identity, work: Callable[[Tell], Answer], answer: socket.socket, keep: set[int], seconds: float
) -> NoReturn:
    code = 1
    try:
        _leave_all_but(keep)
        _become(identity)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, _time_up)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        value, descriptors = work(_Teller(answer))
        signal.setitimer(signal.ITIMER_REAL, 0)
        data = _message(answer=value)
        sent = socket.send_fds(answer, [data[:65536]], list(descriptors))
        answer.sendall(data[sent:])
        code = 0
    finally:
        os._exit(code)


def _become(identity: Identity) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    os.setgroups(identity.groups)
    os.setresgid(identity.gid, identity.gid, identity.gid)
    os.setresuid(identity.uid, identity.uid, identity.uid)
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    os.umask(0o022)
    end_with_parent()  # the kernel forgets this with a change of ids, so it comes after


def _leave_all_but(keep: set[int]) -> None:
    """Close what hostd has open: sockets of others must end when hostd closes them."""
    last = 2
    for fd in sorted(keep):
        os.closerange(last + 1, fd)
        last = fd
    os.closerange(last + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _time_up(_number: int, _frame: object) -> NoReturn:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)  # it is said once: whoever tidies up is not disturbed
    raise TimeUpError
