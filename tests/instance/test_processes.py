"""Only the instance's own processes are ever signalled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from innkeeper.instance import processes
from innkeeper.instance.config import Instance

SLEEP = "import sys, time; print(flush=True); time.sleep(60)"


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance.new(tmp_path, environment=Path("/opt/innkeeper/env-x"))


def started(environment: dict[str, str], code: str = SLEEP) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()
    return process


@pytest.fixture
def marked(instance: Instance) -> Iterator[subprocess.Popen[str]]:
    process = started({processes.MARK: instance.tag})
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[str]]:
    process = started({processes.MARK: "somebody-else"})
    yield process
    process.kill()
    process.communicate()


def test_the_mark_tells_ours_from_strangers(
    instance: Instance, marked: subprocess.Popen[str], stranger: subprocess.Popen[str]
) -> None:
    assert [p.pid for p in processes.of_instance(instance)] == [marked.pid]
    assert [p.pid for p in processes.strays(instance, supervisor=0)] == [marked.pid]
    assert processes.strays(instance, supervisor=marked.pid) == []


def test_what_an_image_forked_is_no_stray(instance: Instance, marked: subprocess.Popen[str]) -> None:
    folder = instance.image_socket.parent
    folder.mkdir(parents=True)
    os.mkfifo(folder / "hostile.pid")
    assert processes.strays(instance, supervisor=0) != []
    (folder / "a.program.pid").symlink_to(str(marked.pid))
    assert processes.strays(instance, supervisor=0) == []


def test_a_child_that_dropped_the_mark_is_ours_by_its_parent(instance: Instance) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], env={})\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={processes.MARK: instance.tag}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    child = int(process.stdout.readline())
    found = processes.of_instance(instance)
    assert sorted(p.pid for p in found) == sorted([process.pid, child])
    processes.end(found)
    process.communicate()
    assert processes.of_instance(instance) == []


def test_a_name_that_is_no_text_hides_no_process() -> None:
    code = "import os\nopen('/proc/self/comm', 'wb').write(b'\\xff) S 1')\nprint(flush=True)\ninput()"
    with subprocess.Popen(["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = processes.read(child.pid)
        assert found is not None and found.parent == os.getpid()
        child.communicate(b"\n")


def test_a_pid_that_was_given_to_a_stranger_is_not_signalled(stranger: subprocess.Popen[str]) -> None:
    found = processes.read(stranger.pid)
    assert found
    remembered = replace(found, start_time=found.start_time - 1)  # another process had this pid before
    assert processes.send(remembered, signal.SIGKILL) is False
    processes.end([remembered])
    assert stranger.poll() is None
    assert processes.send(found, signal.SIGTERM) is True
    assert stranger.wait(10) == -signal.SIGTERM


def test_a_process_that_has_ended_is_no_error() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = processes.read(process.pid)
    process.communicate(b"\n")
    assert found
    assert processes.send(found, signal.SIGTERM) is False
    assert processes.wait_ended([found], 1) == []
    assert processes.read(process.pid) is None


def test_a_process_that_will_not_end_is_killed(instance: Instance) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    process = started({processes.MARK: instance.tag}, code)
    processes.end(processes.of_instance(instance), patience_s=0.2)
    assert process.wait(10) == -signal.SIGKILL
    process.communicate()
    assert os.getpid() not in {p.pid for p in processes.of_instance(instance)}
