"""Accounts with plain passwords beside one thread's hashes times cores, while other packets are answered."""

from __future__ import annotations

import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks import packets
from benchmarks.create import PRODUCT
from benchmarks.harness import ROUNDS, database, prepare, report, run_load, scratch, serving, spread

ACCOUNTS = 100
PACKETS = 5


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
            print(f"hash rate beside cores x one thread: {spread(ratios, '{:.2f}')}")
            report("hashing", statistics.median(ratios), ">= 0.90")
            # Packet by packet: as one, a slow machine would refuse them, because hashing them would take too long.
            bodies = [
                packets.create([f"last{p}n{n}" for n in range(ACCOUNTS)], password="Word-of-Many-1", kind="plain")
                for p in range(PACKETS)
            ]
            with ThreadPoolExecutor(1) as pool:
                hashing = pool.submit(run_load, port, headers, bodies, 1)
                while not hashing.done():
                    slowest.append(max(run_load(port, headers, [packets.PROBE], 1).latencies))
                    time.sleep(0.1)
                hashing.result()
    print(
        f"slowest other packet while {PACKETS * ACCOUNTS} hashes ran: {max(slowest):.2f} s of {len(slowest)},"
        " target < 1 s"
    )
