"""One account a request, over HTTPS with a secret key and a `crypt` value, beside the floor."""

from __future__ import annotations

import statistics

from benchmarks import packets
from benchmarks.harness import ROUNDS, Load, database, prepare, report, run_load, scratch, serving, spread

PRODUCT = "innkeeper.doors.rsgi:application"
FLOOR = "benchmarks.floors.create:application"
REQUESTS = 600


def main(engine: str) -> None:
    figures: dict[str, list[Load]] = {"product 1": [], "floor 1": [], "product 16": []}
    with scratch() as folder, database(engine, folder) as name:
        headers = {"KEY": prepare(name, folder)}
        with serving(PRODUCT, name, folder) as (product, _), serving(FLOOR, name, folder, workers=1) as (floor, _):
            for round_ in range(ROUNDS + 1):
                for label, port, clients in (
                    ("product 1", product, 1),
                    ("floor 1", floor, 1),
                    ("product 16", product, 16),
                ):
                    key = label.replace(" ", "")
                    bodies = [packets.create([f"{key}r{round_}n{n}"]) for n in range(REQUESTS)]
                    load = run_load(port, headers, bodies, clients)
                    if round_:  # the first round warms up
                        figures[label].append(load)
    for label, loads in figures.items():
        rates, tails = [load.rate for load in loads], [load.p99 * 1000 for load in loads]
        print(f"{label:>11} writer: {spread(rates)} a second, p99 {spread(tails)} ms")
    rate = {label: statistics.median(load.rate for load in loads) for label, loads in figures.items()}
    tail = {label: statistics.median(load.p99 for load in loads) for label, loads in figures.items()}
    report("rate beside the floor", rate["product 1"] / rate["floor 1"], ">= 0.60")
    report("p99 beside the floor's", tail["product 1"] / tail["floor 1"], "<= 3")
    report("16 writers beside one", rate["product 16"] / rate["product 1"], ">= 0.90")
    print(f"p99 of 16 writers: {tail['product 16'] * 1000:.0f} ms, target <= 100 ms")
