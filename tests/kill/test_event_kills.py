"""`kill -9` of panel, worker, hostd and handlers while events are delivered: none is lost, stuck, or out of order."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from services.mail_clients import wait_for
from services.packets import PacketRefused
from services.private import PrivateInstance, Site, xml

pytestmark = pytest.mark.service

SIZES = {"sqlite": (16, 400), "postgresql": (6, 150)}
"""Kills and events. INNKEEPER_EVENT_KILLS=50 INNKEEPER_EVENTS=2000 is the long proof, of about a minute an engine."""

OBJECTS = 20
VICTIMS = {
    "panel": "innkeeper.doors.rsgi",
    "worker": "innkeeper.jobs.worker",
    "hostd": "innkeeper.hostd",
    "handler": "counting-handler",
}
SCRIPT = """\
#!/bin/sh
echo "begun $INNKEEPER_EVENT_ID $INNKEEPER_OBJECT_ID $$" >> {folder}/log
sleep 0.03
while [ -e {folder}/hold ]; do sleep 0.05; done
echo "ended $INNKEEPER_EVENT_ID $INNKEEPER_OBJECT_ID $$" >> {folder}/log
"""
"""A handler that goes on until nobody holds it: one that is to be killed must be there when it is."""


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="inn-event-kill-", dir="/var/tmp"))
    made.chmod(0o755)
    log = made / "log"
    log.touch()
    log.chmod(0o666)
    script = made / "counting-handler"
    script.write_text(SCRIPT.format(folder=made))
    script.chmod(0o755)
    yield made
    shutil.rmtree(made)


class Traffic(threading.Thread):
    """Changes customers without end, whatever becomes of the panel, about as fast as the handler can follow."""

    def __init__(self, instance: PrivateInstance, customers: list[int]) -> None:
        super().__init__(daemon=True)
        self._instance, self._customers = instance, customers
        self.stop = threading.Event()

    def run(self) -> None:
        count = 0
        while not self.stop.is_set():
            count += 1
            changes = "".join(
                f"<set><filter>{xml('id', id)}</filter><values><gen_info>"
                f"{xml('cname', f'Firm {count}')}</gen_info></values></set>"
                for id in self._customers
            )
            try:
                self._instance.panel.packet(f"<customer>{changes}</customer>", timeout=10)
            except (OSError, PacketRefused, AssertionError, ValueError):
                time.sleep(0.05)
            except Exception:  # an answer that was cut in the middle
                time.sleep(0.05)
            else:
                # Four runs of 0.1 s at once: what nobody can follow would have to be waited for at the end.
                self.stop.wait(OBJECTS * 0.1 / 4)


def raised(instance: PrivateInstance, customers: list[int]) -> list[tuple[int, int, int | None, str]]:
    ids = ", ".join(map(str, customers))
    return [
        (int(row[0]), int(row[1]), row[2], row[3])
        for row in instance.sql(
            "SELECT id, object_id, number, state FROM core_outboxevent"
            f" WHERE event = 'client_update' AND object_id IN ({ids}) ORDER BY id"
        )
    ]


RUNNING = "SELECT COUNT(*) FROM events_delivery WHERE state = 'running'"


def lines_of(log: Path) -> list[tuple[str, int, int, int]]:
    """What handlers wrote: `begun` or `ended`, the ids of event and object, and their own process id."""
    lines = [line.split() for line in log.read_text().splitlines()]
    return [(what, int(event), int(object_id), int(pid)) for what, event, object_id, pid in lines]


def running(log: Path) -> list[int]:
    """The handlers that run now."""
    last = {pid: what for what, _, _, pid in lines_of(log)}
    return [pid for pid, what in last.items() if what == "begun" and log.parent.name in command_of(pid)]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@contextlib.contextmanager
def held(folder: Path) -> Iterator[list[int]]:
    """Handlers that run, and do not end meanwhile."""
    hold = folder / "hold"
    hold.touch()
    try:
        yield wait_for("a handler runs", lambda: running(folder / "log"), 60)
    finally:
        hold.unlink()


def kill(found: list[int]) -> bool:
    """Kill one of these processes, if it is still there."""
    if not found:
        return False
    try:
        os.kill(random.choice(found), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def test_no_event_is_lost_or_out_of_order(instance: PrivateInstance, engine: str, folder: Path) -> None:
    kills, events = SIZES[engine]
    kills = int(os.environ.get("INNKEEPER_EVENT_KILLS", kills))
    events = int(os.environ.get("INNKEEPER_EVENTS", events))
    script, log = folder / "counting-handler", folder / "log"
    customers = [instance.customer(Site.fresh_name("killed").partition(".")[0]) for _ in range(OBJECTS)]
    instance.command("event-handler", "create", "--event", "client_update", "--command", str(script))
    traffic = Traffic(instance, customers)
    traffic.start()
    inside: Counter[str] = Counter()
    done: Counter[str] = Counter()
    deadline = time.monotonic() + 600
    begun_at = time.monotonic()
    try:
        while sum(done.values()) < kills:
            assert time.monotonic() < deadline, f"only {sum(done.values())} kills: {done}"
            name = list(VICTIMS)[sum(done.values()) % len(VICTIMS)]
            # Wait until something is delivered again, so that the kill has something to hurt. A busy machine takes its
            # time to start what was killed last.
            wait_for("a delivery runs", lambda: instance.sql(RUNNING)[0][0], 120)
            time.sleep(random.uniform(0, 0.1))
            found = held(folder) if name == "handler" else contextlib.nullcontext(instance.pids_of(VICTIMS[name]))
            with found as victims:
                busy = instance.sql(RUNNING)[0][0] > 0
                if kill(victims):
                    done[name] += 1
                    inside[name] += busy
        wait_for("enough has happened", lambda: len(raised(instance, customers)) >= events, 300)
    finally:
        traffic.stop.set()
        traffic.join()
    open_ones = "SELECT COUNT(*) FROM events_delivery WHERE state NOT IN ('done') AND event = 'client_update'"
    pending = "SELECT COUNT(*) FROM core_outboxevent WHERE state = 'pending'"
    wait_for("everything is delivered", lambda: instance.sql(open_ones)[0][0] + instance.sql(pending)[0][0] == 0, 300)

    rows = raised(instance, customers)
    lines = lines_of(log)
    ended = {id for what, id, _, _ in lines if what == "ended"}
    assert {number for _, _, number, _ in rows} <= ended, "an event was not delivered"
    order: dict[int, list[int]] = defaultdict(list)
    for what, id, object_id, _ in lines:
        if what == "begun":
            order[object_id].append(id)
    for object_id, numbers in order.items():
        assert numbers == sorted(numbers), f"customer {object_id} out of order"
        assert list(dict.fromkeys(numbers)) == [number for _, of, number, _ in rows if of == object_id]
    again = sum(what == "begun" for what, *_ in lines) - len(rows)
    sys.stdout.write(
        f"{engine}: {len(rows)} events, {sum(done.values())} kills {dict(done)}, {sum(inside.values())} of them inside"
        f" a delivery {dict(inside)}, {again} handlers run again, {time.monotonic() - begun_at:.0f} s\n"
    )
    assert sum(inside.values()) * 2 >= kills
