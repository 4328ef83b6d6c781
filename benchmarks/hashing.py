"""Accounts with plain passwords beside one thread's hashes times cores, while other packets are answered."""

from __future__ import annotations

import os
import statistics
import threading
import time

from benchmarks import packets
from benchmarks.create import PRODUCT
from benchmarks.harness import ROUNDS, database, prepare, report, run_load, scratch, serving, spread

ACCOUNTS = 100


def single_thread_rate() -> float:
    """BLF-CRYPT hashes a second of one thread."""
    from innkeeper.core.passwords import hash_mail

    start = time.perf_counter()
    for n in range(20):
        hash_mail(f"Word-{n}-of-Many")
    return 20 / (time.perf_counter() - start)


def main(engine: str) -> None:
    ratios: list[float] = []
    slowest: list[float] = []
    with scratch() as folder, database(engine, folder) as name:
        headers = {"KEY": prepare(name, folder)}
        with serving(PRODUCT, name, folder) as (port, _):
            for round_ in range(ROUNDS + 1):
                floor = single_thread_rate() * (os.cpu_count() or 1)
                body = packets.create(
                    [f"r{round_}n{n}" for n in range(ACCOUNTS)], password="Word-of-Many-1", kind="plain"
                )
                rate = run_load(port, headers, [body], 1).rate * ACCOUNTS
                if round_:
                    ratios.append(rate / floor)
            body = packets.create([f"last{n}" for n in range(500)], password="Word-of-Many-1", kind="plain")
            hashing = threading.Thread(target=run_load, args=(port, headers, [body], 1))
            hashing.start()
            while hashing.is_alive():
                slowest.append(max(run_load(port, headers, [packets.PROBE], 1).latencies))
                time.sleep(0.1)
    print(f"hash rate beside cores x one thread: {spread(ratios, '{:.2f}')}")
    report("hashing", statistics.median(ratios), ">= 0.90")
    print(f"slowest other packet while 500 hashes ran: {max(slowest):.2f} s of {len(slowest)}, target < 1 s")
