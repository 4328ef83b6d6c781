"""Values as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper.doors.cli.values import BIGGEST, hourly, listed, shown_size, size, switch


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("10", 10),
        ("10B", 10),
        ("2K", 2048),
        ("2kb", 2048),
        ("1.5M", 1572864),
        ("500 MB", 500 * 2**20),
        ("2GiB", 2 * 2**30),
        ("1T", 2**40),
        ("-1", -1),
        ("unlimited", -1),
    ],
)
def test_sizes(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "-2", "many", "1X", "1e9", "1..5M", "K", "99999999T", "٣"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        size(text)


def test_a_number_alone_counts_in_the_unit_of_its_door_and_bytes_stay_bytes() -> None:
    assert size("5", plain_unit=1024) == 5120
    assert size("5B", plain_unit=1024) == 5


@given(st.integers(0, BIGGEST))
def test_a_size_that_is_shown_without_a_point_reads_back_as_itself(count: int) -> None:
    shown = shown_size(count)
    if "." not in shown:
        assert size(shown) == count


def test_lists_switches_and_limits() -> None:
    assert listed("add:a, b") == ("add", ["a", "b"])
    assert listed("del:a") == ("remove", ["a"])
    assert listed("set:") == ("set", [])
    assert [switch(text) for text in ("true", "ON", "false", "0")] == [True, True, False, False]
    assert [hourly(text) for text in ("unlimited", "-1", "10", "default")] == ["-1", "-1", "10", "default"]
    for read, text in ((listed, "a,b"), (listed, "add:"), (switch, "maybe"), (hourly, "-2")):
        with pytest.raises(ValueError, match=r"\w"):
            read(text)  # type: ignore[operator]
