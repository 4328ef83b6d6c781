"""Ends the open sessions of mail accounts: IMAP, POP3 and ManageSieve in Dovecot, submission in Postfix."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Collection
from pathlib import Path

from innkeeper.instance import processes
from innkeeper.instance.config import Instance

log = logging.getLogger("innkeeper.hostd")

TIMEOUT_S = 5
ESTABLISHED = "01"
PIDFD_GETFD = 438  # the same number on every architecture
PROC = Path("/proc")

_libc = ctypes.CDLL(None, use_errno=True)


def end(instance: Instance, usernames: Collection[str]) -> int:
    """End the sessions that these accounts have now; how many were ended.

    A submission session that has named no recipient yet tells nobody whose it is. The policy service is told which are
    open, and ends one that turns out to be theirs before it can send. Without that service all of them are ended.
    """
    wanted = set(usernames)
    ended = _end_submission(instance, wanted)
    return ended + sum(processes.send(process, signal.SIGTERM) for process in _dovecot(instance, wanted))


def _dovecot(instance: Instance, wanted: set[str]) -> list[processes.Process]:
    """Dovecot's processes that serve one of these users."""
    config = instance.etc / "dovecot" / "dovecot.conf"
    done = subprocess.run(
        ["/usr/bin/doveadm", "-c", str(config), "-f", "tab", "who", "-1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )
    if done.returncode:
        raise RuntimeError(f"Dovecot does not tell its sessions: {done.stderr.strip()[-200:]}")
    rows = [line.split("\t") for line in done.stdout.splitlines()[1:]]
    master = processes.of_pid_file(instance.run_dir / "dovecot" / "master.pid")
    # The columns are username, proto, pid, ip and more.
    pids = {int(row[2]) for row in rows if len(row) > 2 and row[0] in wanted and row[2].isdigit()}
    found = (processes.read(pid) for pid in pids)
    return [p for p in found if p is not None and master is not None and p.parent == master.pid]


def _end_submission(instance: Instance, wanted: set[str]) -> int:
    """Close the submission sessions of these users, and let those that are nobody's yet go on only for others."""
    peers = _established(instance.ports.submission)
    if not peers:
        return 0
    try:
        owners = _owners(instance)
        others = [f"{host}:{port}" for host, port in peers if owners.get((host, port)) not in wanted]
        _ask_policy(instance, f"request=innkeeper_ended\nlogins={' '.join(wanted)}\npeers={' '.join(others)}")
        inodes = {inode for peer, inode in peers.items() if owners.get(peer) in wanted}
    except OSError as error:
        log.warning("the policy service does not tell the submission sessions, all are ended: %s", error)
        inodes = set(peers.values())
    master = processes.of_pid_file(instance.spool / "pid" / "master.pid")
    ended = 0
    for process in _children(master) if master else []:
        if process.command == "smtpd":
            for inode, fd in _sockets(process.pid).items():
                if inode in inodes:
                    ended += _hang_up(process, fd)
    return ended


def _hang_up(process: processes.Process, fd: int) -> bool:
    """Shut a process's connection down. It then ends the session as if the client had gone.

    Killing it instead would make Postfix's master believe that it cannot start, and hold the whole service back.
    """
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if processes.read(process.pid) != process:
            return False
        copy = _libc.syscall(PIDFD_GETFD, pidfd, fd, 0)
        if copy < 0:
            return processes.send(process, signal.SIGTERM)
        with socket.socket(fileno=copy) as connection, contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        return True
    finally:
        os.close(pidfd)


def _established(port: int) -> dict[tuple[str, str], str]:
    """Connections of clients to a local port: (address, port) of the client to the inode of the server's socket."""
    found = {}
    for line in (PROC / "net" / "tcp").read_text().splitlines()[1:]:
        fields = line.split()
        local, remote, state, inode = fields[1], fields[2], fields[3], fields[9]
        if state == ESTABLISHED and int(local.split(":")[1], 16) == port:
            host, remote_port = remote.split(":")
            address = socket.inet_ntoa(bytes.fromhex(host)[::-1])
            found[address, str(int(remote_port, 16))] = inode
    return found


def _owners(instance: Instance) -> dict[tuple[str, str], str]:
    """Whose each submission session is, as far as the policy service has seen. Raises OSError when it is away."""
    lines = _ask_policy(instance, "request=innkeeper_sessions").splitlines()
    rows = (line.split(" ", 2) for line in lines if line)
    return {(row[0], row[1]): row[2] for row in rows if len(row) == 3}


def _ask_policy(instance: Instance, request: str) -> str:
    """The policy service's answer. Raises OSError when it is away."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(instance.policy_socket))
        connection.sendall(f"{request}\n\n".encode())
        text = b""
        while not text.endswith(b"\n\n"):
            part = connection.recv(65536)
            if not part:
                raise ConnectionResetError("it closed the connection")
            text += part
    return text.decode(errors="replace")


def _children(parent: processes.Process) -> list[processes.Process]:
    found = (processes.read(int(path.name)) for path in PROC.iterdir() if path.name.isdigit())
    return [process for process in found if process is not None and process.parent == parent.pid]


def _sockets(pid: int) -> dict[str, int]:
    """The sockets of a process: inode to descriptor."""
    found = {}
    try:
        for entry in os.scandir(PROC / str(pid) / "fd"):
            target = os.readlink(entry.path)  # noqa: PTH115 - scandir's own path
            if target.startswith("socket:["):
                found[target[8:-1]] = int(entry.name)
    except OSError:  # it ended meanwhile
        return {}
    return found
