"""Tasks that the tests of the queue run."""

from __future__ import annotations

import os
import time
from pathlib import Path

from django_tasks import task

from innkeeper.jobs.backend import PROMPT


@task(queue_name=PROMPT, lease_s=30, tries=3)
def note(path: str, text: str) -> None:
    with Path(path).open("a") as file:
        file.write(text + "\n")


@task(queue_name=PROMPT, lease_s=30, tries=3)
def fail_always() -> None:
    raise RuntimeError("the mail server is away")


@task(queue_name=PROMPT, lease_s=300, tries=3)
def note_then_hang_once(path: str) -> None:
    """Write the process id; the first call then hangs until it is killed."""
    first = not Path(path).exists()
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")
    if first:
        time.sleep(600)


@task(queue_name=PROMPT, lease_s=30, tries=3, joined=10)
def note_all(items: list[str]) -> None:
    """Write the members of one call on a line. Each is `PATH:TEXT`; the text `bad` is refused."""
    texts = [item.rpartition(":")[2] for item in items]
    if "bad" in texts:
        raise ValueError("bad")
    with Path(items[0].rpartition(":")[0]).open("a") as file:
        file.write(" ".join(texts) + "\n")
