"""Storages are measured and deleted without leaving them, whatever lies in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from innkeeper.hostd import storage

KEY = "ab" + "0" * 30


@pytest.fixture
def root(tmp_path: Path) -> Path:
    home = tmp_path / "mail" / KEY[:2] / KEY
    (home / "Maildir" / "cur").mkdir(parents=True)
    (home / "Maildir" / "cur" / "1.M1.host,S=1000,W=1020:2,S").write_bytes(b"x")
    (home / "dovecot-uidlist").write_bytes(b"x" * 24)
    (home / ".last-login").write_text("shared/last-login/time\n1795549620\n")
    return tmp_path / "mail"


def test_use_and_last_login_are_told(root: Path) -> None:
    used, last = storage.figures(root, KEY) or (0, None)
    assert used == 1000 + 24 + len("shared/last-login/time\n1795549620\n")
    assert last == 1795549620


def test_a_storage_that_is_not_there_has_no_figures(root: Path) -> None:
    assert storage.figures(root, "cd" + "0" * 30) is None


@pytest.mark.parametrize("text", ["", "key\n", "key\nsoon\n", "key\n-5\n", "key\n²\n"])
def test_a_damaged_note_of_the_last_login_is_none(root: Path, text: str) -> None:
    (root / KEY[:2] / KEY / ".last-login").write_text(text)
    assert (storage.figures(root, KEY) or (0, 0))[1] is None


def test_links_out_of_a_storage_are_not_followed(root: Path, tmp_path: Path) -> None:
    home = root / KEY[:2] / KEY
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "big,S=999999").write_bytes(b"x")
    (outside / "note").write_text("key\n42\n")
    before = storage.figures(root, KEY)
    assert before
    (home / "Maildir" / "link").symlink_to(outside)
    (home / ".last-login").unlink()
    (home / ".last-login").symlink_to(outside / "note")
    used, last = storage.figures(root, KEY) or (0, 0)
    assert used < before[0] + 100
    assert last is None
    assert storage.delete(root, KEY)
    assert (outside / "note").exists()
    assert not home.exists()


def test_a_storage_that_is_itself_a_link_is_not_followed(root: Path, tmp_path: Path) -> None:
    other = "ab" + "1" * 30
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"x")
    (root / other[:2] / other).symlink_to(outside)
    assert storage.figures(root, other) is None
    with pytest.raises(OSError, match="symbolic link"):
        storage.delete(root, other)
    (root / "cd").symlink_to(tmp_path)
    (tmp_path / ("cd" + "0" * 30)).mkdir()
    assert not storage.delete(root, "cd" + "0" * 30)
    assert (outside / "file").exists()


def test_deleting_twice_is_no_error(root: Path) -> None:
    assert storage.delete(root, KEY)
    assert not storage.delete(root, KEY)
    assert not storage.delete(root, "cd" + "0" * 30)
