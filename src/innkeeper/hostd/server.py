"""hostd's socket: who may ask, how much, and how long; then one action for each request."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from innkeeper.hostd.actions import Actions
from innkeeper.hostd.file_actions import Carried
from innkeeper.hostd.handlers import AbandonedError
from innkeeper.hostd.requests import MAX_LINE_BYTES, BadRequestError, parse

log = logging.getLogger("innkeeper.hostd")

CONNECTIONS = 40
LINE_SECONDS = 5.0
IDLE_SECONDS = 300.0
ROOM_SECONDS = 0.1
OUT_OF_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ECONNABORTED})
PEER = struct.Struct("3i")  # pid, uid, gid


class Server:
    """Serves requests from the users of a list, known by what the kernel says of the peer."""

    def __init__(self, actions: Actions, allowed: frozenset[int]) -> None:
        self._actions = actions
        self._allowed = allowed
        self._slots = threading.BoundedSemaphore(CONNECTIONS)

    def listen(self, path: Path, gid: int) -> socket.socket:
        """The listening socket, open to root and one group."""
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        old = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(old)
        os.chown(path, 0, gid)
        path.chmod(0o660)
        listener.listen(CONNECTIONS)
        return listener

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError as error:
                if error.errno not in OUT_OF_ROOM:
                    return
                log.warning("cannot take a connection now: %s", error.strerror)
                time.sleep(ROOM_SECONDS)
                continue
            pid, uid, _ = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
            if uid not in self._allowed:
                log.warning("refused pid %d of uid %d", pid, uid)
                connection.close()
            elif not self._slots.acquire(blocking=False):
                log.warning("refused pid %d: %d connections are open", pid, CONNECTIONS)
                connection.close()
            else:
                try:
                    threading.Thread(target=self._connection, args=(connection, pid), daemon=True).start()
                except RuntimeError as error:
                    log.warning("refused pid %d: %s", pid, error)
                    connection.close()
                    self._slots.release()

    def _connection(self, connection: socket.socket, pid: int) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                buffer = bytearray()
                while (line := _line(connection, buffer)) is not None:
                    answer = self.answer(line, pid, connection)
                    connection.settimeout(LINE_SECONDS)
                    _send(connection, answer)
        finally:
            self._slots.release()

    def answer(self, line: bytes, pid: int = 0, connection: socket.socket | None = None) -> dict[str, Any]:
        """Do what one line asks. Every outcome is an answer; none ends hostd."""
        begun = time.monotonic()
        try:
            request = parse(line)
        except BadRequestError as error:
            log.warning("pid %d: refused: %s", pid, error)
            return {"ok": False, "error": str(error)}
        name = type(request).__name__
        try:
            result = self._actions.do(request, connection)
        except BadRequestError as error:
            log.warning("pid %d: %s: refused: %s", pid, name, error)
            return {"ok": False, "error": str(error)}
        except AbandonedError as error:
            log.warning("pid %d: %s: ended, %s", pid, name, error)
            return {"ok": False, "error": str(error)}
        except Exception as error:
            log.exception("pid %d: %s failed", pid, name)
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}
        log.info("pid %d: %s: done in %.3f s", pid, name, time.monotonic() - begun)
        return {"ok": True, "result": result}


def _send(connection: socket.socket, answer: dict[str, Any]) -> None:
    """Send an answer, and with it the descriptors that it carries."""
    result = answer.get("result")
    if not isinstance(result, Carried):
        connection.sendall(json.dumps(answer).encode() + b"\n")
        return
    try:
        data = json.dumps(answer | {"result": result.value}).encode() + b"\n"
        sent = socket.send_fds(connection, [data], list(result.descriptors))
        connection.sendall(data[sent:])
    finally:
        for fd in result.descriptors:
            os.close(fd)


def _line(connection: socket.socket, buffer: bytearray) -> bytes | None:
    """The next line, or None when the peer has ended, is too slow, or sends too much."""
    clock: Callable[[], float] = time.monotonic
    deadline = clock() + IDLE_SECONDS
    begun = bool(buffer)
    if begun:
        deadline = clock() + LINE_SECONDS
    while True:
        end = buffer.find(b"\n")
        if end >= 0:
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            return line
        if len(buffer) > MAX_LINE_BYTES:
            return None
        left = deadline - clock()
        if left <= 0:
            return None
        connection.settimeout(left)
        part = connection.recv(65536)
        if not part:
            return None
        if not begun:
            begun, deadline = True, clock() + LINE_SECONDS
        buffer += part
