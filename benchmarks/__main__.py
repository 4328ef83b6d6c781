"""`python -m benchmarks NAME [--engine sqlite|postgresql]`."""

from __future__ import annotations

import argparse
import importlib

NAMES = ("create", "packet", "getinfo", "hashing", "delivery", "list", "cli", "memory", "permissions", "events")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description="Figures beside their floors.")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    arguments = parser.parse_args()
    importlib.import_module(f"benchmarks.{arguments.name}").main(arguments.engine)


main()
