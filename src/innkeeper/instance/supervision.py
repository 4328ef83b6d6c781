"""Supervisor for one instance: its configuration, and control over its UNIX socket.

Nothing starts by itself: `up` starts each program in order and waits until it is ready, because the daemons need the
keeper and the panel needs hostd. Once started, supervisor starts a program again whenever it ends.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from innkeeper.instance import processes
from innkeeper.instance.config import Instance, InstanceError, read_secret, write_file
from innkeeper.instance.processes import MARK

USER = "innkeeper"
RUNNING = "RUNNING"


@dataclass(frozen=True, slots=True)
class Program:
    """One program that supervisor runs. Programs start in the order of their list and end in the opposite one."""

    name: str
    command: str
    user: str = "root"
    umask: str = "022"
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_wait_s: int = 10


def config_text(instance: Instance, programs: list[Program]) -> str:
    """supervisord.conf. It holds the password of the control socket."""
    password = read_secret(instance.secrets / "supervisor-password")
    sections = [
        f"""\
[unix_http_server]
file = {instance.supervisor_socket}
chmod = 0700
username = {USER}
password = {password}

[supervisord]
logfile = {instance.log_dir}/supervisord.log
pidfile = {instance.run_dir}/supervisord.pid
childlogdir = {instance.log_dir}
user = root
directory = /
umask = 022
minfds = 4096
environment = {MARK}="{instance.tag}"

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
    ]
    for number, program in enumerate(programs):
        environment = ",".join(f'{name}="{value}"' for name, value in program.environment.items())
        sections.append(
            f"""\
[program:{program.name}]
command = {program.command}
user = {program.user}
directory = /
umask = {program.umask}
priority = {number + 1}
autostart = false
autorestart = true
startsecs = 1
startretries = 20
stopsignal = TERM
stopwaitsecs = {program.stop_wait_s}
redirect_stderr = true
stdout_logfile = {instance.log_dir}/{program.name}.log
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 3
environment = {environment}
"""
        )
    return "\n".join(sections)


def config_path(instance: Instance) -> Path:
    return instance.etc / "supervisord.conf"


def write_config(instance: Instance, programs: list[Program]) -> bool:
    """Write supervisord.conf if it differs. Tells whether it did."""
    return write_file(config_path(instance), config_text(instance, programs), mode=0o600)


class Supervisor:
    """Control of the instance's supervisor. Only root can reach its socket."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._proxy: Any = None

    def _rpc(self) -> Any:
        if self._proxy is None:
            # Supervisor's own transport, without the server that its package would import.
            from supervisor.xmlrpc import SupervisorTransport

            password = read_secret(self._instance.secrets / "supervisor-password")
            transport = SupervisorTransport(USER, password, f"unix://{self._instance.supervisor_socket}")
            self._proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor
        return self._proxy

    def answers(self) -> bool:
        """Whether supervisor is there."""
        try:
            self._rpc().getState()
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            self._proxy = None
            return False
        return True

    def launch(self) -> None:
        """Start supervisor itself, as a daemon of its own."""
        self._instance.supervisor_socket.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(config_path(self._instance))],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", MARK: self._instance.tag},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        deadline = time.monotonic() + 10
        while not self.answers():
            if done.returncode or time.monotonic() > deadline:
                raise InstanceError(
                    f"supervisor did not start: {(done.stderr or done.stdout).strip()}"
                    f" (see {self._instance.log_dir}/supervisord.log)"
                )
            time.sleep(0.05)

    def states(self) -> dict[str, dict[str, Any]]:
        """What supervisor says of each program; empty when it is away."""
        try:
            return {info["name"]: info for info in self._rpc().getAllProcessInfo()}
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            self._proxy = None
            return {}

    def reload_config(self) -> bool:
        """Take the configuration over. Programs that it changed or dropped are stopped; whether there were any."""
        [[added, changed, removed]] = self._rpc().reloadConfig()
        for name in reversed([*changed, *removed]):
            self.stop(name)
            self._rpc().removeProcessGroup(name)
        for name in [*changed, *added]:
            self._rpc().addProcessGroup(name)
        return bool(added or changed or removed)

    def start(self, name: str) -> None:
        """Start a program, without waiting until it is ready. One that runs is left alone."""
        try:
            self._rpc().startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise InstanceError(f"{name} cannot be started: {fault.faultString}") from None

    def stop(self, name: str) -> None:
        """Stop a program and wait until it has ended. One that does not run is left alone."""
        try:
            self._rpc().stopProcess(name, True)
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise InstanceError(f"{name} cannot be stopped: {fault.faultString}") from None

    def shut_down(self, timeout_s: float = 60) -> None:
        """Stop every program, the last started first, then supervisor."""
        process = processes.read(self.pid())
        with contextlib.suppress(OSError, http.client.HTTPException, xmlrpc.client.Error):
            self._rpc().shutdown()
        if process is not None:
            processes.wait_ended([process], timeout_s)

    def pid(self) -> int:
        """Supervisor's pid, or 0."""
        try:
            return int(self._rpc().getPID())
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            return 0


def quote(*words: str | os.PathLike[str]) -> str:
    """A command line for supervisor. Paths of an instance hold no character that would need more."""
    return " ".join(os.fspath(word).replace("%", "%%") for word in words)
