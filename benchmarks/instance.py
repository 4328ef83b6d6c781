"""A private instance for the benchmarks that need the real daemons."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.harness import AGENT, ROOT

SCRIPT = ROOT / "innkeeper"
DEFAULT_PORTS = (8443, 2525, 2587, 2143, 2110, 2419)


def free_port_base() -> int:
    """A number to add to every default port so that all of them are free."""
    for base in range(20_000, 40_000, 100):
        with contextlib.ExitStack() as stack:
            try:
                for port in DEFAULT_PORTS:
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port + base))
            except OSError:
                continue
            return base
    raise RuntimeError("no free ports")


@dataclass(frozen=True, slots=True)
class Instance:
    """A running instance: what `up --json` said of it."""

    state: Path
    facts: dict[str, Any]

    def packet(self, body: str, headers: dict[str, str] | None = None) -> str:
        """Run a packet as the administrator and return its answer."""
        panel = self.facts["panel"]
        port = int(re.search(r":(\d+)", panel["url"].removeprefix("https:"))[1])  # type: ignore[index]
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=300)
        login = headers or {
            "HTTP_AUTH_LOGIN": panel["admin"],
            "HTTP_AUTH_PASSWD": Path(panel["password_file"]).read_text().strip(),
        }
        connection.request("POST", AGENT, body.encode(), login | {"Content-Type": "text/xml"})
        answer = connection.getresponse().read().decode()
        connection.close()
        return answer

    def create_site(self, name: str) -> int:
        """A webspace of the administrator's; its id."""
        answer = self.packet(
            f"<packet><webspace><add><gen_setup><name>{name}</name><ip_address>127.0.0.1</ip_address>"
            "<htype>none</htype></gen_setup></add></webspace></packet>"
        )
        found = re.search(r"<id>(\d+)</id>", answer)
        if found is None:
            raise RuntimeError(answer)
        return int(found[1])

    def pss(self) -> dict[str, float]:
        """Memory in MB of each of our own programs with its children: shared pages are counted once in all."""
        status = json.loads(subprocess.run(
            [SCRIPT, "status", "--json", "--state", self.state], capture_output=True, text=True, check=True
        ).stdout)  # fmt: skip
        roots = {"supervisor": status["supervisor"]}
        roots |= {n: p["pid"] for n, p in status["programs"].items() if n not in ("dovecot", "postfix")}
        result: dict[str, float] = {}
        for name, pid in roots.items():
            process = psutil.Process(pid)
            family = [process] if name == "supervisor" else [process, *process.children(recursive=True)]
            result[name] = sum(_pss(member.pid) for member in family)
        return result


def _pss(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1000
    return 0.0


@contextlib.contextmanager
def up(*options: str) -> Iterator[Instance]:
    """Bring an instance up, and take it down with everything that it made."""
    state = Path(tempfile.mkdtemp(prefix="ik-bench-"))
    command = [SCRIPT, "up", "--no-demo", "--json", "--state", state, "--port-base", str(free_port_base()), *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        yield Instance(state, json.loads(done.stdout))
    finally:
        subprocess.run([SCRIPT, "down", "--purge", "--state", state], capture_output=True, check=False)
