"""Many system users at once, in the files of a folder that stands for /etc."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from innkeeper.instance import passwd
from innkeeper.instance.passwd import User

ROOT = "root:x:0:0:root:/root:/bin/bash"
SHADOW = "root:$y$secret:19000:0:99999:7:::"
WEB = User("innkeeper-1-s1", 1_900_000_004, 990, "Innkeeper /srv/st")
FTP = User("innkeeper-1-f2", 1_900_000_011, 991, "Innkeeper /srv/st")


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    # What is no UTF-8, no user, or odd in another way stays as it is.
    (tmp_path / "passwd").write_bytes(
        ROOT.encode() + b"\nanna:x:1000:1000:Anna M\xfcller:/home/anna:/bin/sh\n+::::::\n"
    )
    (tmp_path / "passwd").chmod(0o644)
    (tmp_path / "shadow").write_text(f"{SHADOW}\n")
    (tmp_path / "shadow").chmod(0o640)
    return tmp_path


def test_users_are_added_once_and_removed_without_a_trace(etc: Path) -> None:
    before = {name: (etc / name).read_bytes() for name in ("passwd", "shadow")}
    assert passwd.add([WEB, FTP, WEB], etc) == 2
    assert passwd.add([FTP, WEB], etc) == 0
    assert b"innkeeper-1-s1:x:1900000004:990:Innkeeper /srv/st:/nonexistent:/usr/sbin/nologin\n" in (
        (etc / "passwd").read_bytes()
    )
    assert (etc / "shadow").read_text().splitlines()[1].startswith("innkeeper-1-s1:!:")
    assert [(etc / name).stat().st_mode & 0o777 for name in ("passwd", "shadow")] == [0o644, 0o640]
    assert passwd.remove(lambda name, number, comment: comment == "Innkeeper /srv/st" and number > 1000, etc) == 2
    assert {name: (etc / name).read_bytes() for name in ("passwd", "shadow")} == before
    assert sorted(path.name for path in etc.iterdir()) == [".pwd.lock", "passwd", "shadow"]


def test_a_taken_name_or_number_makes_nobody(etc: Path) -> None:
    before = (etc / "passwd").read_bytes()
    with pytest.raises(FileExistsError, match="1000 of x belongs to anna"):
        passwd.add([WEB, User("x", 1000, 1, "")], etc)
    with pytest.raises(FileExistsError, match="anna exists"):
        passwd.add([WEB, User("anna", 1_900_000_900, 1, "")], etc)
    assert (etc / "passwd").read_bytes() == before


def test_an_addition_that_was_cut_short_goes_on(etc: Path) -> None:
    (etc / "passwd+").write_text("half a fi")
    (etc / "shadow").write_text(f"{SHADOW}\n{WEB.name}:!:19000::::::\n")  # killed between the two files
    assert passwd.add([WEB], etc) == 1
    assert (etc / "shadow").read_text().count(WEB.name) == 1


def test_the_lock_of_the_shadow_tools_is_respected(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwd, "LOCK_SECONDS", 0.1)
    hold = (
        "import fcntl, os, sys\n"
        f"fd = os.open({str(etc / '.pwd.lock')!r}, os.O_WRONLY | os.O_CREAT, 0o600)\n"
        "fcntl.lockf(fd, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(TimeoutError, match="passwd locked"):
            passwd.add([WEB], etc)
    assert passwd.add([WEB], etc) == 1
    fd = os.open(etc / ".pwd.lock", os.O_WRONLY)
    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)
