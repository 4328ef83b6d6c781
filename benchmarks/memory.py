"""Memory of all our processes: idle after 1,000,000 accounts, and at its peak during a 20 MiB packet."""

from __future__ import annotations

import contextlib
import os
import threading
import time

from benchmarks import packets
from benchmarks.harness import database, scratch
from benchmarks.instance import Instance, up

ACCOUNTS = int(os.environ.get("ACCOUNTS", "1000000"))
SITES = 10
PACKET = 5000
LARGE = 20 * 1024 * 1024 - 4096


def large_packet(site: int) -> str:
    """A valid packet of nearly 20 MiB: accounts with long descriptions."""
    filler = "x" * 250
    account = (
        "<mailname><name>big{}</name><mailbox><enabled>true</enabled></mailbox><description>{}</description></mailname>"
    )
    count = LARGE // len(account.format(10_000, filler))
    accounts = "".join(account.format(n, filler) for n in range(count))
    return f"<packet><mail><create><filter><site-id>{site}</site-id>{accounts}</filter></create></mail></packet>"


def show(title: str, figures: dict[str, float]) -> None:
    parts = ", ".join(f"{name} {value:.0f}" for name, value in figures.items())
    total = sum(value for name, value in figures.items() if name != "supervisor")
    print(f"{title}: {total:.0f} MB (target <= 250) ({parts}; supervisor, which is not ours, apart)", flush=True)


def peak_while(instance: Instance, work: threading.Thread) -> dict[str, float]:
    """The figures of the moment with the largest sum while a thread runs."""
    peak: dict[str, float] = {}
    work.start()
    while work.is_alive():
        now = instance.pss()
        if sum(now.values()) > sum(peak.values()):
            peak = now
        time.sleep(0.05)
    return peak


def main(engine: str) -> None:
    with contextlib.ExitStack() as stack:
        options: list[str] = []
        if engine == "postgresql":
            options = ["--database", stack.enter_context(database(engine, stack.enter_context(scratch())))]
        instance = stack.enter_context(up(*options))
        sites = [instance.create_site(f"site{n}.test") for n in range(SITES)]
        show("idle, empty", instance.pss())
        start = time.monotonic()
        for first in range(0, ACCOUNTS, PACKET):
            site = sites[first // PACKET % SITES]
            instance.packet(packets.create([f"n{n}" for n in range(first, first + PACKET)], site=site).decode())
        print(f"{ACCOUNTS:,} accounts loaded by packets in {time.monotonic() - start:.0f} s", flush=True)
        time.sleep(3)
        show("idle after loading", instance.pss())
        body = large_packet(sites[0])
        sending = threading.Thread(target=instance.packet, args=(body,))
        show(f"peak during a packet of {len(body) / 1024 / 1024:.1f} MiB", peak_while(instance, sending))
