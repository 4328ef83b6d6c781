"""A closed folder is opened for passing alone, and is afterwards what it was before."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from innkeeper.instance import acl

NOBODY = 65534
DAEMON = 1


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    if os.geteuid() != 0:
        pytest.skip("tries a folder as another user: run as root")
    tmp_path.chmod(0o755)
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    (folder / "file").write_text("x")
    (folder / "file").chmod(0o644)
    return folder


def can(user: int, *command: str) -> bool:
    done = subprocess.run(command, user=user, group=user, extra_groups=[], capture_output=True, check=False, cwd="/")
    return done.returncode == 0


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


@pytest.mark.parametrize("kind", ["user", "group"])
def test_one_may_pass_and_nobody_else(closed: Path, kind: acl.Kind) -> None:
    assert not can(NOBODY, "cat", str(closed / "file"))
    assert acl.let_pass(closed, kind, NOBODY)
    assert can(NOBODY, "cat", str(closed / "file"))
    assert not can(NOBODY, "ls", str(closed))
    assert not can(DAEMON, "cat", str(closed / "file"))
    assert not acl.let_pass(closed, kind, NOBODY)
    acl.take_back(closed, kind, NOBODY)
    assert not can(NOBODY, "cat", str(closed / "file"))
    assert mode(closed) == 0o700
    assert os.listxattr(closed) == []


def test_entries_of_others_stay(closed: Path) -> None:
    acl.let_pass(closed, "user", DAEMON)
    before = acl.read(closed)
    acl.let_pass(closed, "user", NOBODY)
    acl.take_back(closed, "user", NOBODY)
    assert acl.read(closed) == before
    assert can(DAEMON, "cat", str(closed / "file"))


def test_raising_the_mask_gives_others_nothing(closed: Path) -> None:
    acl.write(
        closed,
        [
            (acl.USER_OBJ, 7, acl.NO_ID),
            (acl.USER, 5, DAEMON),  # cut to nothing by the mask
            (acl.GROUP_OBJ, 0, acl.NO_ID),
            (acl.MASK, 0, acl.NO_ID),
            (acl.OTHER, 0, acl.NO_ID),
        ],
    )
    assert not can(DAEMON, "ls", str(closed))
    acl.let_pass(closed, "user", NOBODY)
    assert can(NOBODY, "cat", str(closed / "file"))
    assert not can(DAEMON, "ls", str(closed))
    assert not can(DAEMON, "cat", str(closed / "file"))


def test_a_folder_that_is_gone_needs_nothing(tmp_path: Path) -> None:
    acl.take_back(tmp_path / "gone", "user", NOBODY)
