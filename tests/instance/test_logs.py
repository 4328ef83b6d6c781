"""Postfix's log is turned over when it is full, and not before."""

from __future__ import annotations

from pathlib import Path

import pytest

from innkeeper.instance import logs
from innkeeper.instance.config import Instance


def test_full_logs_move_on_and_the_oldest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MAX_BYTES", 5)
    instance = Instance.new(tmp_path, environment=Path("/opt/innkeeper/env-x"))
    instance.log_dir.mkdir()
    log = instance.log_dir / "postfix.log"
    assert not logs.rotate(instance)
    log.write_text("1234")
    assert not logs.rotate(instance)
    for text in ("first", "second", "third", "fourth", "fifth"):
        log.write_text(text)
        assert logs.rotate(instance)
    assert not log.exists()
    kept = [(instance.log_dir / f"postfix.log.{number}").read_text() for number in (1, 2, 3)]
    assert kept == ["fifth", "fourth", "third"]
    assert len(list(instance.log_dir.iterdir())) == logs.BACKUPS
