"""hostd's requests are a closed list, and hostile values never pass."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper.hostd.hosting_accounts import Spec
from innkeeper.hostd.requests import (
    BadRequestError,
    Control,
    EmptyGrave,
    EnsureTrees,
    EnsureUsers,
    Figures,
    Kick,
    Move,
    MoveTrees,
    Programs,
    parse,
)

KEY = "0123456789abcdef" * 2


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def test_each_request_is_read() -> None:
    assert parse(line(op="kick", usernames=["anna@a.test"])) == Kick(("anna@a.test",))
    assert parse(line(op="figures", storages=[KEY])) == Figures((KEY,))
    assert parse(line(op="empty_grave", storage=KEY)) == EmptyGrave(KEY)
    assert parse(line(op="programs")) == Programs()
    assert parse(line(op="control", program="dovecot", action="restart")) == Control("dovecot", "restart")


SPEC: dict[str, Any] = {
    "kind": "subdomain", "id": 20, "webspace": 17, "site": 17, "domain": "first.example", "name": "shop",
    "hosting": "virtual", "native": True, "writable": False, "www_root": "",
}  # fmt: skip


def test_hosting_accounts_are_read() -> None:
    assert parse(line(op="ensure_users", keys=["s17", "s17-web", "f3"])) == EnsureUsers(("s17", "s17-web", "f3"))
    spec = Spec("subdomain", 20, 17, 17, "first.example", "shop", native=True)
    assert parse(line(op="ensure_trees", accounts=[SPEC])) == EnsureTrees((spec,))
    old = SPEC | {"name": "store"}
    assert parse(line(op="move_trees", moves=[[SPEC, old]])) == MoveTrees((Move(spec, Spec(**old)),))


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "root"},
        {"www_root": "../x"},
        {"www_root": "/pages"},
        {"www_root": "conf"},
        {"www_root": ["pages"]},
        {"www_root": "pages", "hosting": "frame"},
        {"kind": ["domain"]},
        {"kind": "domain"},
        {"kind": "domain", "name": ""},
        {"id": 0},
        {"id": True},
        {"id": "20"},
        {"webspace": 10**9},
        {"domain": "../etc"},
        {"domain": ".graves"},
        {"domain": "a/b.example"},
        {"domain": "first.example\n"},
        {"domain": "First.example"},
        {"domain": "example"},
        {"domain": "a" * 300 + ".example"},
        {"name": ""},
        {"name": ".."},
        {"name": ".account"},
        {"name": "a/b"},
        {"name": "a\0"},
        {"hosting": "vrt_hst"},
        {"native": 1},
        {"writable": "true"},
        {"root": "/etc"},
    ],
)
def test_a_hostile_hosting_account_is_refused(changes: dict[str, Any]) -> None:
    for op, field, value in (
        ("ensure_trees", "accounts", [SPEC | changes]),
        ("bury_trees", "accounts", [SPEC | changes]),
        ("move_trees", "moves", [[SPEC | changes, SPEC]]),
        ("move_trees", "moves", [[SPEC, SPEC | changes]]),
    ):
        with pytest.raises(BadRequestError):
            parse(line(**{"op": op, field: value}))


@pytest.mark.parametrize(
    "bad",
    [
        line(op="ensure_users", keys=["root"]),
        line(op="ensure_users", keys=["s1\n"]),
        line(op="remove_users", keys=["s17", "u5-web"]),
        line(op="ensure_trees", accounts=SPEC),
        line(op="ensure_trees", accounts=[[]]),
        line(op="ensure_trees", accounts=[SPEC] * 2_001),
        line(op="move_trees", moves=[SPEC]),
        line(op="move_trees", moves=[[SPEC, SPEC | {"id": 21}]]),
        line(op="empty_tree_grave", keep_s=-1),
        line(op="empty_tree_grave", keep_s="1"),
        line(op="restore_tree", account=SPEC, grave="../s17-1234567890-123456789"),
        line(op="restore_tree", account=SPEC, grave="s17-1234567890-123456789.json"),
        line(op="restore_tree", account=SPEC, grave=["s17-1234567890-123456789"]),
        line(op="graves", of="s17"),
    ],
)
def test_a_bad_list_of_hosting_accounts_is_refused(bad: bytes) -> None:
    with pytest.raises(BadRequestError):
        parse(bad)


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
