"""Events and their handlers in a private instance: how soon, how many, and what waiting ones cost.

How soon: from the commit of an operation to the first instruction of its handler. How many: a no-op handler beside the
floor, which spawns the same command as the same user with the same environment, captured output and parallelism, and
does nothing else. What waiting costs: the worker's memory while events queue behind a paused handler and are drained.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks.harness import ROOT, database, report, scratch, spread, wait_for
from benchmarks.instance import SCRIPT, Instance, up

AT_ONCE = 4
"""Runs of one handler at once, as `innkeeper.events.loop` has it."""

ROUNDS = int(os.environ.get("INNKEEPER_BENCH_ROUNDS", "3"))
SINGLE = 200
MANY = 1_500
QUEUED = int(os.environ.get("INNKEEPER_BENCH_QUEUED", "100000"))

DRIVER = """
import json, sys, time
import django; django.setup()
from django.db import connection
from innkeeper.accounts.events import CLIENT_UPDATE
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.operation import Operation
actor = Actor(ActorKind.ADMINISTRATOR, 1, "admin")
values = {"login_name": "ines", "contact_name": "Ines Sommer"}
def operation(first, count):
    with Operation(actor, "bench") as found:
        for number in range(first, first + count):
            found.audit("client", number, "ines")
            found.event(CLIENT_UPDATE, number, old=values, new=values)
"""
ONE_BY_ONE = (
    DRIVER
    + """
connection.ensure_connection()
for number in range(FIRST, FIRST + COUNT):
    operation(number, 1)
    print(number, time.time(), flush=True)
    time.sleep(0.03)
"""
)
AT_ONE_TIME = (
    DRIVER
    + """
for number in range(FIRST, FIRST + COUNT, 5000):
    operation(number, min(5000, FIRST + COUNT - number))
"""
)
TIMED = (
    DRIVER
    + """
from django.test.utils import CaptureQueriesContext
operation(FIRST, 1)
with CaptureQueriesContext(connection) as found:
    operation(FIRST, 1)
times = []
for _ in range(COUNT):
    begun = time.perf_counter(); operation(FIRST, 1); times.append(time.perf_counter() - begun)
print(json.dumps([len(found), sorted(times)[COUNT // 2] * 1e3]))
"""
)


class Bench:
    """An instance, and programs that run in it as the panel does."""

    def __init__(self, instance: Instance, url: str) -> None:
        self.instance, self._url = instance, url
        self._numbers = 1_000
        status = self.command("status", "--json")
        self.programs = {name: each["pid"] for name, each in json.loads(status)["programs"].items()}
        self._panel = psutil.Process(self.programs["worker"])
        self.user = re.search(r"(\S+-events)\b", (instance.state / "etc/event-handlers.toml").read_text())[1].strip('"')  # type: ignore[index]

    def command(self, *arguments: str) -> str:
        done = subprocess.run(
            [SCRIPT, *arguments, "--state", self.instance.state], capture_output=True, text=True, check=True
        )
        return done.stdout

    def run(self, script: str, count: int, *arguments: str) -> str:
        first, self._numbers = self._numbers, self._numbers + count
        environment = self._panel.environ()
        done = subprocess.run(
            [self._panel.cmdline()[0], "-c", f"FIRST, COUNT = {first}, {count}\n{script}", *arguments],
            env=environment, user=self._panel.uids().real, group=self._panel.gids().real, cwd="/",
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def count(self, condition: str) -> int:
        """Rows, counted over a connection that costs what is measured nothing."""
        return int(self._rows(f"SELECT COUNT(*) FROM {condition}")[0][0])

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        if self._url:
            with psycopg.connect(self._url) as server:
                return server.execute(statement).fetchall()
        path = self.instance.state / "db" / "innkeeper.sqlite3"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as file:
            return file.execute(statement).fetchall()

    def span(self, handler: int, count: int) -> float:
        """Seconds from the dispatch of the first of a handler's last deliveries to the end of the last."""
        rows = self._rows(
            "SELECT created_at, finished_at FROM events_delivery"
            f" WHERE handler_id = {handler} ORDER BY id DESC LIMIT {count}"
        )
        times = [[datetime.fromisoformat(str(at)) for at in row] for row in rows]
        return (max(end for _, end in times) - min(begin for begin, _ in times)).total_seconds()

    @contextlib.contextmanager
    def handler(self, command: str) -> Iterator[int]:
        out = self.command("event-handler", "create", "--event", "client_update", "--command", command)
        id = int(re.search(r"\d+", out)[0])  # type: ignore[index]
        yield id
        self.command("event-handler", "remove", str(id))


def latency(bench: Bench, folder: Path) -> None:
    log = folder / "begun"
    log.touch()
    log.chmod(0o666)
    script = folder / "first"
    script.write_text(f'#!/bin/bash\necho "$INNKEEPER_OBJECT_ID $EPOCHREALTIME" >> {log}\n')
    script.chmod(0o755)
    with bench.handler(str(script)):
        committed = {int(n): float(at) for n, at in map(str.split, bench.run(ONE_BY_ONE, SINGLE).splitlines())}
        wait_for(lambda: len(log.read_text().splitlines()) >= SINGLE, "the last handler")
    begun = {int(n): float(at) for n, at in map(str.split, log.read_text().splitlines())}
    waits = sorted((begun[number] - committed[number]) * 1000 for number in committed)
    p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    sys.stdout.write(f"from the commit to the handler's first instruction: p50 {p50:.1f} ms, p99 {p99:.1f} ms\n")


def sustained(bench: Bench) -> None:
    ours, floors = [], []
    with bench.handler("/bin/true <new_contact_name> <new_login_name>") as id:
        for _ in range(ROUNDS):
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.floors.handlers", bench.user, str(MANY), str(AT_ONCE)],
                cwd=ROOT, capture_output=True, text=True, check=True,
            )  # fmt: skip
            floors.append(float(json.loads(done.stdout)))
            before = bench.count("events_delivery WHERE state = 'done'")
            bench.run(AT_ONE_TIME, MANY)
            wait_for(
                lambda before=before: bench.count("events_delivery WHERE state = 'done'") == before + MANY,  # type: ignore[misc]
                "the last delivery", 120,
            )  # fmt: skip
            ours.append(MANY / bench.span(id, MANY))
    sys.stdout.write(f"events a second, no-op handler: {spread(ours)}; the floor: {spread(floors)}\n")
    report("sustained", statistics.median(a / b for a, b in zip(ours, floors, strict=True)), ">= 0.70")


def operation_cost(bench: Bench) -> None:
    none = json.loads(bench.run(TIMED, 300))
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(bench.handler("/bin/true"))
        some = json.loads(bench.run(TIMED, 300))
        wait_for(lambda: not bench.count("events_delivery WHERE state IN ('waiting', 'running', 'retry')"), "rest", 300)
    sys.stdout.write(
        f"an operation with 0 and 20 handlers: {none[0]} and {some[0]} statements, {none[1]:.2f} and {some[1]:.2f} ms\n"
    )
    report("statements", some[0] / none[0], "1.00")


def backlog(bench: Bench) -> None:
    panel = psutil.Process(bench.programs["panel"])
    (worker,) = (each for each in panel.children() if each.name() == "jobs.worker")
    with bench.handler("/bin/true <new_login_name>") as id:
        pause = f"UPDATE events_eventhandler SET paused_at = {{}} WHERE id = {id}"
        bench.run(STATEMENT, 0, pause.format("CURRENT_TIMESTAMP"))
        before = worker.memory_full_info().pss / 1e6
        bench.run(AT_ONE_TIME, QUEUED)
        begun = time.monotonic()
        wait_for(lambda: not bench.count("core_outboxevent WHERE state = 'pending'"), "the dispatch", 600)
        dispatched = time.monotonic() - begun
        bench.run(STATEMENT, 0, pause.format("NULL"))
        begun, most = time.monotonic(), 0.0
        while bench.count(f"events_delivery WHERE handler_id = {id} AND state <> 'done'"):
            most = max(most, worker.memory_full_info().pss / 1e6)
            time.sleep(1)
        took = time.monotonic() - begun
    sys.stdout.write(
        f"{QUEUED} events queued: dispatched in {dispatched:.1f} s, drained in {took:.0f} s ({QUEUED / took:.0f}/s);"
        f" worker {before:.1f} MB before, at most {most:.1f} MB\n"
    )
    report("memory", most / before, "<= 1.20")


STATEMENT = """
import sys
import django; django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute(sys.argv[1])
"""


def main(engine: str) -> None:
    with scratch() as folder, contextlib.ExitStack() as stack:
        options, url = [], ""
        if engine == "postgresql":
            pg = stack.enter_context(scratch())
            url = stack.enter_context(database(engine, pg))
            options = ["--database", url]
        bench = Bench(stack.enter_context(up(*options)), url)
        latency(bench, folder)
        sustained(bench)
        operation_cost(bench)
        if QUEUED:
            backlog(bench)
