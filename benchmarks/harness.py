"""Servers, load and figures that the benchmarks share."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AGENT = "/enterprise/control/agent.php"
ROUNDS = 5
POSTGRESQL_BIN = Path("/usr/lib/postgresql/15/bin")


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="innkeeper-bench-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def database(engine: str, folder: Path) -> Iterator[str]:
    """A new database of an engine, as `INNKEEPER_DATABASE` names it."""
    if engine == "sqlite":
        yield str(folder / "panel.sqlite3")
        return
    data, run = folder / "pg", folder / "pgrun"
    run.mkdir()
    for path in (folder, run):
        shutil.chown(path, "postgres")
    as_postgres = {"user": "postgres", "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([POSTGRESQL_BIN / "initdb", "-A", "trust", "-U", "bench", "-D", data], check=True, **as_postgres)
    server = subprocess.Popen(
        [POSTGRESQL_BIN / "postgres", "-D", data, "-k", run, "-c", "listen_addresses=", "-c", "shared_buffers=256MB"],
        **as_postgres,
    )
    try:
        url = f"postgresql://bench@/postgres?host={run}"
        wait_for((run / ".s.PGSQL.5432").exists, "PostgreSQL")
        time.sleep(1)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


def wait_for(ready: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait until `ready()`; raise after so many seconds."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} is not ready after {seconds} s")
        time.sleep(0.05)


def environment(database_name: str, folder: Path) -> dict[str, str]:
    """What the product and the floors are started with."""
    return os.environ | {
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        "DJANGO_SETTINGS_MODULE": "innkeeper.core.settings",
        "INNKEEPER_DATABASE": database_name,
        "INNKEEPER_FILES": str(folder / "files"),
    }


def prepare(database_name: str, folder: Path) -> str:
    """Migrate, create the administrator, two webspaces and a secret key for 127.0.0.1; return the key."""
    return seed(database_name, folder)[1]


def seed(database_name: str, folder: Path, **more: str) -> tuple[str, str]:
    """Run `benchmarks.seed`; `more` goes to its environment. The administrator's password and the key."""
    script = "import benchmarks.seed; benchmarks.seed.main()"
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(database_name, folder) | more,
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    password, key = result.stdout.split()[-2:]
    return password, key


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    if not cert.exists():
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"],
            check=True, capture_output=True,
        )  # fmt: skip
    return cert, key


@contextlib.contextmanager
def serving(target: str, database_name: str, folder: Path, workers: int = 2) -> Iterator[tuple[int, int]]:
    """The product (RSGI) or a floor (WSGI) under Granian with TLS. Yields (port, pid of the server)."""
    cert, key = certificate(folder)
    interface = "rsgi" if target.startswith("innkeeper") else "wsgi"
    port = free_port()
    granian = Path(sys.executable).parent / "granian"
    server = subprocess.Popen(
        [granian, "--interface", interface, "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers),
         "--ssl-certificate", cert, "--ssl-keyfile", key, "--no-ws", "--log-level", "warning", target],
        env=environment(database_name, folder), cwd=folder,
    )  # fmt: skip
    try:
        wait_for(lambda: _answers(port), target)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(20)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@dataclass(frozen=True, slots=True)
class Load:
    """What a closed loop of clients saw: requests a second, latencies in seconds, and the last answer."""

    rate: float
    latencies: list[float]
    answer: bytes

    @property
    def p99(self) -> float:
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)]


def run_load(port: int, headers: dict[str, str], bodies: Sequence[bytes], clients: int) -> Load:
    """Post every body once, from so many clients that each wait for their answer. Any answer but 200 raises."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    latencies: list[float] = []
    failures: list[str] = []
    answers: list[bytes] = [b""]
    queue = iter(bodies)
    lock = threading.Lock()

    def client() -> None:
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=120)
        connection.connect()
        while True:
            with lock:
                body = next(queue, None)
            if body is None:
                break
            start = time.perf_counter()
            connection.request("POST", AGENT, body, headers | {"Content-Type": "text/xml"})
            response = connection.getresponse()
            answer = response.read()
            latencies.append(time.perf_counter() - start)
            if response.status != 200 or b"<status>error" in answer:
                failures.append(f"{response.status} {answer[:300]!r}")
            answers[0] = answer
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - start
    if failures:
        raise RuntimeError(f"{len(failures)} of {len(bodies)} requests failed; the first: {failures[0]}")
    return Load(len(bodies) / elapsed, latencies, answers[0])


def spread(values: Sequence[float], form: str = "{:.1f}") -> str:
    """`median (minimum - maximum)`."""
    texts = [form.format(v) for v in (statistics.median(values), min(values), max(values))]
    return f"{texts[0]} ({texts[1]} - {texts[2]})"


def report(what: str, ratio: float, target: str) -> None:
    """One line: the ratio beside its target."""
    sys.stdout.write(f"{what}: ratio {ratio:.2f}, target {target}\n")
    sys.stdout.flush()
