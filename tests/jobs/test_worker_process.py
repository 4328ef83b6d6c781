"""The worker as a process of its own, on a database file of its own."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from innkeeper.jobs.worker import POLL_S
from tests.databases import SOURCE, Databases


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


class Bench:
    """A database file, and workers on it."""

    def __init__(self, folder: Path, databases: Databases) -> None:
        self.folder = folder
        self.environment = os.environ | {
            "INNKEEPER_DATABASE": str(databases.file(folder / "db.sqlite3", "empty")),
            "DJANGO_SETTINGS_MODULE": "innkeeper.core.settings",
            "PYTHONPATH": f"{SOURCE}:{Path(__file__).parent}",
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-m", "innkeeper.jobs.worker"], env=self.environment)
        self.processes.append(process)
        return process

    def enqueue(self, task: str, *arguments: object) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        with sqlite3.connect(self.folder / "db.sqlite3", timeout=20) as database:
            database.execute(
                "INSERT INTO jobs_job (queue, task, arguments, created_at, due_at, attempts, worker, error)"
                " VALUES ('prompt', ?, ?, ?, ?, 0, '', '')",
                [task, json.dumps([arguments, {}]), now, now],
            )
        database.close()

    def waiting(self) -> int:
        with sqlite3.connect(self.folder / "db.sqlite3", timeout=20) as database:
            count: int = database.execute("SELECT count(*) FROM jobs_job WHERE queue = 'prompt'").fetchone()[0]
        database.close()
        return count


@pytest.fixture
def bench(tmp_path: Path, databases: Databases) -> Iterator[Bench]:
    bench = Bench(tmp_path, databases)
    yield bench
    for process in bench.processes:
        process.kill()
        process.wait()


def test_a_worker_notices_jobs_that_come_while_it_idles(bench: Bench) -> None:
    notes = bench.folder / "notes"
    bench.start()
    bench.enqueue("sample_tasks.note", str(notes), "first")
    wait_for(notes.exists, "the worker's start")
    bench.enqueue("sample_tasks.note", str(notes), "second")
    wait_for(lambda: "second" in notes.read_text(), "the second job")
    assert POLL_S["prompt"] <= 0.25  # sessions end within a second of the commit


def test_the_job_of_a_killed_worker_is_run_again_by_its_successor(bench: Bench) -> None:
    pids = bench.folder / "pids"
    killed = bench.start()
    bench.enqueue("sample_tasks.note_then_hang_once", str(pids))
    wait_for(lambda: pids.exists() and pids.read_text(), "the first attempt")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    successor = bench.start()
    wait_for(lambda: bench.waiting() == 0, "the second attempt")
    assert pids.read_text().split() == [str(killed.pid), str(successor.pid)]


def test_a_worker_that_is_told_to_end_does_so_with_status_0(bench: Bench) -> None:
    notes = bench.folder / "notes"
    process = bench.start()
    bench.enqueue("sample_tasks.note", str(notes), "here")
    wait_for(notes.exists, "the worker's start")
    process.terminate()
    assert process.wait(60) == 0


def test_a_worker_of_which_a_thread_fails_ends_so_that_another_is_started(bench: Bench) -> None:
    text = (
        "import sys; from innkeeper.jobs import worker\n"
        "def work(queue, *_): assert queue != 'upkeep', 'no thread can be started'\n"
        "worker.work = work; sys.exit(worker.main())"
    )
    command = [sys.executable, "-c", text]
    ended = subprocess.run(command, env=bench.environment, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 1 and b"no thread can be started" in ended.stderr
