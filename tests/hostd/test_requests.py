"""hostd's requests are a closed list, and hostile values never pass."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper.hostd.requests import BadRequestError, Control, EmptyGrave, Figures, Kick, Programs, parse

KEY = "0123456789abcdef" * 2


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_each_request_is_read() -> None:
    assert parse(line(op="kick", usernames=["anna@a.test"])) == Kick(("anna@a.test",))
    assert parse(line(op="figures", storages=[KEY])) == Figures((KEY,))
    assert parse(line(op="empty_grave", storage=KEY)) == EmptyGrave(KEY)
    assert parse(line(op="programs")) == Programs()
    assert parse(line(op="control", program="dovecot", action="restart")) == Control("dovecot", "restart")


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\xff",
        b"[]",
        b"1",
        b"{" * 100_000,
        line(),
        line(op="shell", command="id"),
        line(op=["kick"]),
        line(op="__class__"),
        line(op="kick"),
        line(op="kick", usernames="anna@a.test"),
        line(op="kick", usernames=["anna@a.test"], more=1),
        line(op="kick", usernames=["-F", "anna@a.test"]),
        line(op="kick", usernames=["anna@a.test\n"]),
        line(op="kick", usernames=["*"]),
        line(op="kick", usernames=["anna@a.test"] * 2_001),
        line(op="empty_grave", storage="../../etc"),
        line(op="empty_grave", storage=KEY + "/.."),
        line(op="empty_grave", storage=KEY + "\n"),
        line(op="empty_grave", storage=KEY.upper()),
        line(op="empty_grave", storage=""),
        line(op="empty_grave", storage=None),
        line(op="figures", storages=[KEY, "."]),
        line(op="control", program="dovecot", action="reload; id"),
        line(op="control", program="../x", action="stop"),
    ],
)
def test_anything_else_is_refused(bad: bytes) -> None:
    with pytest.raises(BadRequestError):
        parse(bad)


JSON = st.recursive(st.none() | st.text() | st.integers(), lambda c: st.dictionaries(st.text(), c) | st.lists(c))


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_nothing_but_a_refusal_comes_of_noise(noise: bytes) -> None:
    with pytest.raises(BadRequestError):
        parse(noise)
