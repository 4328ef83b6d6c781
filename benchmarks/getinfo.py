"""`get_info` of 1,000 accounts beside SELECT + serialise, at two sizes of the table.

Asked for as their whole site, which is what the floor selects, and by their names, which the floor neither parses nor
looks up.
"""

from __future__ import annotations

import statistics
import sys

from benchmarks import packets
from benchmarks.create import PRODUCT
from benchmarks.harness import ROUNDS, database, prepare, report, run_load, scratch, serving, spread

FLOOR = "benchmarks.floors.getinfo:application"
READS = 20


def main(engine: str, sizes: tuple[int, int] = (100_000, 1_000_000)) -> None:
    medians: dict[tuple[str, int], float] = {}
    with scratch() as folder, database(engine, folder) as name:
        headers = {"KEY": prepare(name, folder)}
        whole, named = packets.get_info([]), packets.get_info([f"n{n}" for n in range(1000)])
        with serving(PRODUCT, name, folder) as (product, _), serving(FLOOR, name, folder, workers=1) as (floor, _):
            have = 0
            for size in sizes:
                while have < size:
                    # The first thousand is what is read; the rest fills another site.
                    names = [f"n{n}" for n in range(have, have + 1000)]
                    run_load(product, headers, [packets.create(names, site=1 if have == 0 else 2)], 1)
                    have += 1000
                rates: dict[str, list[float]] = {"product": [], "floor": [], "product by name": []}
                for round_ in range(ROUNDS + 1):
                    for label, port, read in (
                        ("product", product, whole),
                        ("floor", floor, whole),
                        ("product by name", product, named),
                    ):
                        load = run_load(port, headers, [read] * READS, 1)
                        if round_:
                            rates[label].append(load.rate)
                for label, values in rates.items():
                    medians[label, size] = statistics.median(values)
                    print(f"{size:>9,} rows, {label}: {spread(values)} answers a second")
                report(f"{size:,} rows beside the floor", medians["product", size] / medians["floor", size], ">= 0.70")
                by_name = medians["product by name", size] / medians["floor", size]
                report(f"{size:,} rows, by name, beside the floor", by_name, ">= 0.70")
                sys.stdout.flush()
    small, large = sizes
    report(f"time at {large:,} beside {small:,} rows", medians["product", small] / medians["product", large], "<= 1.40")
