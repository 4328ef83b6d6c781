"""One application in a process of its own, for what it takes as a whole. Prints seconds and the most memory, in KiB."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

from benchmarks.permissions import engine

if __name__ == "__main__":
    started = time.perf_counter()
    engine(Path(sys.argv[1]))
    # What the kernel counts for a finished child has the parent's memory in it, from before the program began.
    most = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert most
    print(time.perf_counter() - started, most[1])
