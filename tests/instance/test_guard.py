"""The guard of test runs ends what was started when its process is killed, and nothing when it is released."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

GUARDED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from guard import Guard
guard = Guard("touch", sys.argv[2])
if sys.argv[3] == "released":
    guard.release()
    guard.release()
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("how", ["killed", "released"])
def test_a_killed_process_is_followed_by_its_guard(how: str, tmp_path: Path) -> None:
    mark = tmp_path / "ended"
    tests = str(Path(__file__).parents[1])
    assert subprocess.run([sys.executable, "-c", GUARDED, tests, mark, how], check=False).returncode == -signal.SIGKILL
    end = time.monotonic() + (60 if how == "killed" else 0.3)
    while not mark.exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert mark.exists() == (how == "killed")
