"""Runs the tests: `./innkeeper test [--fast] [pytest's arguments]`.

The fast part has no daemons and takes SQLite. The full run adds large databases, repeats both on a PostgreSQL server of
its own, then runs the tests with real daemons, those of each engine side by side, and those in a browser. Everything
that a part starts ends with it; what killed runs left is swept away first.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "src"))

from leftovers import sweep  # noqa: E402 - needs the program's folder
from services.cluster import Cluster  # noqa: E402

NO_TESTS = 5
FAST = "not service and not browser and not scale"
WITHOUT_DAEMONS = "not service and not browser"
# Reading what would be deselected anyway, a browser's driver among it, takes each process a second and 30 MB.
UNREAD = [f"--ignore=tests/{folder}" for folder in ("services", "browser", "kill")]


def pytest(title: str, *arguments: str, database: str = "") -> int:
    """One run; its exit code."""
    print(f"== {title}", flush=True)  # noqa: T201
    # Without compiled files each of a run's many processes would compile program and tests again.
    unwanted = ("INNKEEPER_", "PYTHONDONTWRITEBYTECODE")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
    environment["PYTHONPATH"] = str(REPOSITORY / "src")
    if database:
        environment["INNKEEPER_DATABASE"] = database
    begun = time.monotonic()
    code = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=REPOSITORY, env=environment, check=False
    ).returncode
    print(f"== {title}: {time.monotonic() - begun:.0f} s", flush=True)  # noqa: T201
    return code


def main(arguments: list[str]) -> int:
    fast = "--fast" in arguments
    more = [argument for argument in arguments if argument != "--fast"]
    at_once = ["-n", "3", "--dist", "worksteal"]  # some tests wait, so one worker more than cores
    chosen = FAST if fast else WITHOUT_DAEMONS
    if not fast and (swept := sweep()):
        print(f"== removed the users that killed runs left: {', '.join(swept)}", flush=True)  # noqa: T201
    codes = [pytest("without daemons, on SQLite", "-m", chosen, *UNREAD, *at_once, *more)]
    if not fast:
        with Cluster() as cluster:
            url = cluster.database("innkeeper")
            cluster.sql("ALTER ROLE innkeeper CREATEDB")
            codes.append(pytest("without daemons, on PostgreSQL", "-m", chosen, *UNREAD, *at_once, *more, database=url))
        by_instance = ["-n", "3", "--dist", "loadscope"]
        codes.append(pytest("with daemons and in a browser", "-m", "service or browser", *by_instance, *more))
    failed = [code for code in codes if code not in (0, NO_TESTS)]
    return failed[0] if failed else min(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
