"""Programs forked from one image, and their stand-ins."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

IMAGE = """
import signal, sys, time
from pathlib import Path
from innkeeper.instance import image

def waits(name, code):
    def program():
        stopped = []
        signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
        print(name, "runs", flush=True)
        while not stopped:
            time.sleep(0.02)
        print(name, "stops", flush=True)
        return code
    return program

def fails():
    raise ValueError("no way")

if len(sys.argv) > 2:
    image.PATIENCE_S = float(sys.argv[2])
others = {"waits": waits("other", 7), "fails": fails, "leaves": lambda: sys.exit("a reason")}
sys.exit(image.run(waits("first", 5), others, Path(sys.argv[1])))
"""


class Image:
    """A running image, and what it and its programs were started with."""

    def __init__(self, folder: Path, *patience_s: str) -> None:
        self.socket = folder / "image.sock"
        self.process = start(sys.executable, "-c", IMAGE, str(self.socket), *patience_s)
        assert line(self.process) == "first runs"

    def stand_in(self, name: str) -> subprocess.Popen[str]:
        return start(sys.executable, "-m", "innkeeper.instance.stand_in", str(self.socket), name)

    def children(self) -> list[int]:
        pid = self.process.pid
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def start(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Image]:
    made = Image(tmp_path)
    yield made
    made.process.kill()
    made.process.communicate()


def test_a_stand_in_shows_its_programs_output_and_stops_it(image: Image) -> None:
    stand_in = image.stand_in("waits")
    assert line(stand_in) == "other runs"
    stand_in.terminate()
    assert stand_in.communicate(timeout=60) == ("other stops\n", None)
    assert stand_in.returncode == 7


@pytest.mark.parametrize(("name", "said"), [("fails", "no way"), ("leaves", ""), ("unknown", "")])
def test_a_stand_in_ends_with_its_program(image: Image, name: str, said: str) -> None:
    stand_in = image.stand_in(name)
    output, _ = stand_in.communicate(timeout=60)
    assert stand_in.returncode == 1
    assert said in output


def test_a_program_ends_with_a_stand_in_that_is_killed(image: Image) -> None:
    stand_in = image.stand_in("waits")
    assert line(stand_in) == "other runs"
    pid = int(str(image.socket.with_name("waits.pid").readlink()))
    assert Path(f"/proc/{pid}/comm").read_text() == "waits\n"
    stand_in.kill()
    # The end of the output: nobody holds it any more.
    assert stand_in.communicate(timeout=60) == ("", None)


def test_programs_outlive_the_image_and_the_first_does_not(image: Image) -> None:
    stand_in = image.stand_in("waits")
    assert line(stand_in) == "other runs"
    image.process.kill()
    assert image.process.communicate(timeout=60) == ("", None)
    time.sleep(0.1)
    stand_in.terminate()
    assert stand_in.communicate(timeout=60) == ("other stops\n", None)


def refuses(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False


def test_an_image_that_stops_forks_nothing_more(image: Image) -> None:
    (first,) = image.children()
    os.kill(first, signal.SIGSTOP)
    image.process.terminate()
    deadline = time.monotonic() + 60
    while not refuses(image.socket):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(first, signal.SIGCONT)
    assert image.process.wait(60) == 5


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[Image]:
    """An image whose first program does not end when it is told."""
    made = Image(tmp_path, "0.5")
    (first,) = made.children()
    os.kill(first, signal.SIGSTOP)
    yield made
    made.process.kill()
    made.process.communicate()


def test_a_first_program_that_does_not_end_is_killed(stuck: Image) -> None:
    stuck.process.terminate()
    assert stuck.process.communicate(timeout=60) == ("", None)
    assert stuck.process.returncode == 128 + signal.SIGKILL


def test_to_tell_it_again_does_not_give_it_more_time(stuck: Image) -> None:
    deadline = time.monotonic() + 20
    while stuck.process.poll() is None:
        assert time.monotonic() < deadline
        stuck.process.terminate()
        time.sleep(0.1)
    assert stuck.process.communicate(timeout=60) == ("", None)
    assert stuck.process.returncode == 128 + signal.SIGKILL


def test_told_over_and_over_it_ends_with_the_code_of_its_first_program(image: Image) -> None:
    deadline = time.monotonic() + 20
    while image.process.poll() is None:
        assert time.monotonic() < deadline
        image.process.terminate()
    assert image.process.communicate(timeout=60) == ("first stops\n", None)
    assert image.process.returncode == 5


def test_the_image_stops_its_first_program_and_ends_with_its_code(image: Image) -> None:
    image.process.terminate()
    assert image.process.communicate(timeout=60) == ("first stops\n", None)
    assert image.process.returncode == 5


def test_an_image_whose_first_program_is_killed_says_so(image: Image) -> None:
    (child,) = image.children()
    os.kill(child, signal.SIGKILL)
    assert image.process.wait(60) == 128 + signal.SIGKILL


def test_a_stand_in_without_an_image_becomes_the_program(tmp_path: Path) -> None:
    script = (
        "import sys; from innkeeper.instance import stand_in; stand_in.PATIENCE_S = 0;"
        f" sys.argv = ['', {str(tmp_path / 'no.sock')!r}, 'this']; stand_in.main()"
    )
    output, _ = start(sys.executable, "-c", script).communicate(timeout=60)
    assert "Namespaces" in output
