"""One process that has everything loaded and forks the programs that need it, so that they share its memory.

A program that loads Django and ours for itself takes 40 MB, of which 30 are the same in each. The image runs one
program from the beginning, with which it lives and ends, and forks others for their stand-ins (`stand_in`). These do
not depend on it once they run. It stays a single thread, opens nothing and does nothing else: what it forks is clean.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from innkeeper.instance.parent import end_with_parent

REQUEST_S = 5.0
PATIENCE_S = 20.0
"""How long the first program may take to end, whoever stopped it. Supervisor waits as long for what it stops itself."""
LONGEST_NAME = 256
ENDS = {signal.SIGTERM: signal.SIGTERM, signal.SIGINT: signal.SIGINT, signal.SIGALRM: signal.SIGKILL}
"""The first program is sent the right one when the left one comes."""

Program = Callable[[], object]
"""A program's `main`. What it returns, or raises SystemExit with, is its exit code."""


def run(first: Program, others: Mapping[str, Program], path: Path | None) -> int:
    """Run `first`, fork `others` for stand-ins that ask at a UNIX socket, and return the exit code of `first`."""
    awake, wake = socket.socketpair()
    own = [awake, wake]
    if path is not None:
        own.append(_listen(path))
    for each in own:
        each.setblocking(False)
    told: set[int] = set()
    for number in ENDS:
        signal.signal(number, lambda number, _frame: told.add(ENDS[signal.Signals(number)]))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    pid = _fork(first, own, end_with_parent)
    while True:
        ready, _, _ = select.select([awake, *own[2:]], [], [])
        if awake in ready:
            awake.recv(4096)
            for _ in range(len(told)):
                os.kill(pid, told.pop())
                if signal.getitimer(signal.ITIMER_REAL)[0] == 0:
                    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
                while len(own) > 2:  # what is started from now on is for the next image
                    own.pop().close()
            if (code := _reap(pid)) is not None:
                signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # told while it leaves, it would end with another code
                return code
        for listener in own[2:]:
            with contextlib.suppress(OSError), listener.accept()[0] as stand_in:
                stand_in.settimeout(REQUEST_S)
                _serve(stand_in, others, own, Path(listener.getsockname()))


def _listen(path: Path) -> socket.socket:
    """The image's socket, in a folder that only its user enters."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


def _serve(stand_in: socket.socket, programs: Mapping[str, Program], own: list[socket.socket], path: Path) -> None:
    """Fork the program that a stand-in asks for. A link beside the socket tells its pid, as its target."""
    name, output, _, _ = socket.recv_fds(stand_in, LONGEST_NAME, 2)
    module = name.decode(errors="replace")
    program = programs.get(module)

    def take_over() -> None:
        # What administrators see of it in `top`: its arguments are the image's.
        Path("/proc/self/comm").write_text(module.removeprefix("innkeeper."))
        made = path.with_name(f"{module}.new")
        made.unlink(missing_ok=True)
        made.symlink_to(str(os.getpid()))
        made.rename(path.with_name(f"{module}.pid"))
        for number, fd in enumerate(output, start=1):
            os.dup2(fd, number)
            os.close(fd)
        stand_in.settimeout(None)
        threading.Thread(target=_follow, args=(stand_in,), daemon=True).start()

    try:
        if program is not None and len(output) == 2:
            _fork(program, own, take_over, lambda code: stand_in.send(bytes([code])))
    finally:
        for fd in output:
            os.close(fd)


def _follow(stand_in: socket.socket) -> None:
    """Stop when the stand-in says so, and end when it has ended."""
    with contextlib.suppress(OSError):
        while stand_in.recv(1):
            os.kill(os.getpid(), signal.SIGTERM)
    os._exit(1)


def _fork(
    program: Program,
    own: list[socket.socket],
    prepare: Callable[[], object],
    say: Callable[[int], object] = lambda _code: None,
) -> int:
    """Run a program in a child, without what is the image's own, and `say` its exit code. Returns the child's pid."""
    if pid := os.fork():
        return pid
    signal.set_wakeup_fd(-1)
    for number in (*ENDS, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    for each in own:
        each.close()
    code = 1
    try:
        prepare()
        result = program()
        code = result if isinstance(result, int) else 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        logging.getLogger(__name__).exception("the program failed")
    finally:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        with contextlib.suppress(OSError):
            say(code)
        os._exit(code)


def _reap(first: int) -> int | None:
    """Take leave of the children that have ended. The exit code of the first program, once it has."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == first:
                code = os.waitstatus_to_exitcode(ended[1])
    return code if code is None or code >= 0 else 128 - code
