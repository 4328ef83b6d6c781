"""No text of a stranger begins a line of a log, or steers the terminal that shows it."""

from __future__ import annotations

import io
import logging

import pytest

from innkeeper.core.loglines import LineFormatter, visible

HOSTILE = "a\n2026-01-01 00:00:00,000 INFO innkeeper.hostd: all is well\x1b[2J\r\x9b\u202e\u2028\udcff"


def test_what_is_not_to_be_seen_is_written_as_an_escape() -> None:
    assert visible(HOSTILE).isprintable() and visible(HOSTILE).isascii()
    assert visible("Größe 5\u00a0% of ✓ 漢字 in 'a\\b'") == "Größe 5\u00a0% of ✓ 漢字 in 'a\\b'"


@pytest.mark.parametrize("with_traceback", [False, True])
def test_an_entry_is_one_line_and_its_traceback_is_indented(with_traceback: bool) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    log = logging.Logger("innkeeper.test")
    log.addHandler(handler)
    try:
        raise OSError(2, "No such file", HOSTILE) if not with_traceback else ValueError(HOSTILE)
    except (OSError, ValueError) as error:
        log.warning("%s: %s", HOSTILE, error, exc_info=with_traceback)
    first, *others = stream.getvalue().splitlines()
    assert first.endswith(visible(HOSTILE)) or "No such file" in first
    assert len(others) > 2 if with_traceback else not others
    assert all(line.startswith("    ") for line in others)
    assert "\x1b" not in stream.getvalue()
