"""1,000 accounts in one packet with `crypt` values, beside parse + validate + one set INSERT + answer."""

from __future__ import annotations

import statistics

from benchmarks import packets
from benchmarks.create import FLOOR, PRODUCT
from benchmarks.harness import ROUNDS, database, prepare, report, run_load, scratch, serving, spread

ACCOUNTS = 1000
PACKETS = 4


def main(engine: str) -> None:
    rates: dict[str, list[float]] = {"product": [], "floor": []}
    with scratch() as folder, database(engine, folder) as name:
        headers = {"KEY": prepare(name, folder)}
        with serving(PRODUCT, name, folder) as (product, _), serving(FLOOR, name, folder, workers=1) as (floor, _):
            for round_ in range(ROUNDS + 1):
                for label, port in (("product", product), ("floor", floor)):
                    bodies = [
                        packets.create([f"{label}r{round_}p{p}n{n}" for n in range(ACCOUNTS)]) for p in range(PACKETS)
                    ]
                    load = run_load(port, headers, bodies, 1)
                    if round_:
                        rates[label].append(load.rate * ACCOUNTS)
    for label, values in rates.items():
        print(f"{label}: {spread(values, '{:.0f}')} accounts a second")
    report(
        "packet of 1,000 beside the floor",
        statistics.median(rates["product"]) / statistics.median(rates["floor"]),
        ">= 0.50",
    )
