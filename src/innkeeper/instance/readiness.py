"""Whether each program of an instance does its work, asked the way its users do."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from innkeeper.instance.config import Instance, InstanceError
from innkeeper.instance.supervision import RUNNING, Supervisor

PROBE_TIMEOUT_S = 3
START_TIMEOUT_S = 60
FAILING_S = 8
"""How long a program may end and be started again before `up` gives up on it."""


def _greets(host: str, port: int, greeting: bytes) -> bool:
    with socket.create_connection((host, port), PROBE_TIMEOUT_S) as connection:
        return connection.recv(256).startswith(greeting)


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PROBE_TIMEOUT_S)
        connection.connect(str(path))
    return True


def _answers_policy(path: Path) -> bool:
    """Whether the policy service answers: a connection alone would be taken by the kernel, whatever it does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PROBE_TIMEOUT_S)
        connection.connect(str(path))
        connection.sendall(b"request=smtpd_access_policy\n\n")
        return connection.recv(256).startswith(b"action=")


def _answers_https(instance: Instance) -> bool:
    context = ssl.create_default_context(cafile=str(instance.certificate))
    connection = http.client.HTTPSConnection(
        instance.host, instance.ports.panel, timeout=PROBE_TIMEOUT_S, context=context
    )
    with contextlib.closing(connection):
        connection.request("GET", "/")
        return connection.getresponse().status < 500


def probes(instance: Instance) -> dict[str, Callable[[], bool]]:
    """A probe for each program that has something to ask; the others are ready when they run."""
    host, ports = instance.host, instance.ports
    wal = [instance.database.path.with_name(instance.database.path.name + end) for end in ("-wal", "-shm")]
    return {
        "keeper": lambda: all(path.exists() for path in wal),
        "hostd": lambda: _connects(instance.hostd_socket),
        "policy": lambda: _answers_policy(instance.policy_socket),
        "dovecot": lambda: (
            _greets(host, ports.imap, b"* OK")
            and _greets(host, ports.pop3, b"+OK")
            and _greets(host, ports.sieve, b'"IMPLEMENTATION"')
            and _connects(instance.spool / "private" / "dovecot-lmtp")
        ),
        "postfix": lambda: _greets(host, ports.smtp, b"220 ") and _greets(host, ports.submission, b"220 "),
        "panel": lambda: _answers_https(instance),
        "cli": lambda: _connects(instance.cli_socket),
    }


def works(probe: Callable[[], bool]) -> bool:
    """Whether a probe succeeds now."""
    try:
        return probe()
    except (OSError, http.client.HTTPException):
        return False


def wait(instance: Instance, supervisor: Supervisor, name: str) -> None:
    """Wait until a program that was started is ready.

    Raises InstanceError, with the last line of its log, when it gives up or takes too long.
    """
    probe = probes(instance).get(name, lambda: True)
    begun = time.monotonic()
    while True:
        state = supervisor.states().get(name, {}).get("statename", "away")
        if state == RUNNING or (state == "STARTING" and name != "worker"):
            if works(probe):
                return
        elif state in ("FATAL", "away") or time.monotonic() > begun + FAILING_S:
            raise InstanceError(f"{name} does not start ({state}). {last_words(instance, name)}")
        if time.monotonic() > begun + START_TIMEOUT_S:
            raise InstanceError(f"{name} runs but does not answer. {last_words(instance, name)}")
        time.sleep(0.05)


def last_words(instance: Instance, name: str) -> str:
    """The last line of a program's log, and where the rest is."""
    path = instance.log_dir / f"{name}.log"
    with contextlib.suppress(OSError):
        lines = path.read_text(errors="replace").strip().splitlines()
        if lines:
            return f"Its last words: {lines[-1].strip()} (see {path})"
    return f"See {instance.log_dir}/{name}.log and supervisord.log."
