"""The command line through the script `innkeeper`, as people and scripts call it, beside a bare interpreter."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.harness import ROOT, ROUNDS, database, environment, prepare, scratch, wait_for

CALLS = 5
COMMANDS = {
    "--help": (["mail", "create", "--help"], 100),
    "mail info": (["mail", "info", "bench@bench.test"], 150),
    "mail create": (["mail", "create", "NAME@bench.test"], 150),
    "bin mail --info": (["bin", "mail", "--info", "bench@bench.test"], 150),
}


def milliseconds(command: list[str], env: dict[str, str]) -> float:
    """How long one run takes."""
    start = time.perf_counter()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def main(engine: str) -> None:
    with scratch() as folder, database(engine, folder) as name:
        prepare(name, folder)
        state = _state(folder)
        socket = state / "run" / "cli" / "cli.sock"
        server = subprocess.Popen(
            [sys.executable, "-m", "innkeeper.doors.cli.server", "--socket", socket], env=environment(name, folder)
        )
        try:
            wait_for(socket.exists, "the listener")
            _measure(state)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(20)


def _state(folder: Path) -> Path:
    """A state folder that holds what the script looks for: the environment, and the program."""
    state = folder / "state"
    (state / "run").mkdir(parents=True)
    (state / "program").mkdir()
    (state / "program" / "current").symlink_to(ROOT / "src")
    description = {"environment": str(Path(sys.prefix)), "format": 1}
    (state / "instance.json").write_text(json.dumps(description, indent=2))
    return state


def _measure(state: Path) -> None:
    env = {"PATH": os.environ["PATH"], "INNKEEPER_STATE": str(state)}
    script = str(ROOT / "innkeeper")
    subprocess.run([script, "mail", "create", "bench@bench.test"], env=env, check=True, stdout=subprocess.DEVNULL)
    found: dict[str, list[float]] = {label: [] for label in ("bare python -S", *COMMANDS)}
    numbers = iter(range(10**6))
    for round_ in range(ROUNDS + 1):
        rounds: dict[str, list[float]] = {label: [] for label in found}
        for _ in range(CALLS):
            rounds["bare python -S"].append(milliseconds([sys.executable, "-S", "-c", ""], env))
            for label, (words, _) in COMMANDS.items():
                named = [word.replace("NAME", f"user{next(numbers)}") for word in words]
                rounds[label].append(milliseconds([script, *named], env))
        if round_:
            for label, values in rounds.items():
                found[label].append(statistics.median(values))
    for label, values in found.items():
        limit = COMMANDS[label][1] if label in COMMANDS else None
        target = f", target <= {limit} ms" if limit else ""
        print(f"{label}: {statistics.median(values):.0f} ms ({min(values):.0f} to {max(values):.0f}){target}")
