"""Every name of a file can be shown, and what is shown names the same file again."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper.core.errors import InvalidValue
from innkeeper.hosting.filenames import named, new_name, path_of, path_text, shown

NAMES = st.one_of(
    st.binary(min_size=1, max_size=40).filter(lambda name: not set(name) & {0, 0x2F}),
    st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=20).map(
        str.encode
    ),
).filter(lambda name: name not in (b".", b".."))


@given(st.lists(NAMES.map(os.fsdecode), min_size=1, max_size=4))
def test_what_is_shown_names_the_same_file(path: list[str]) -> None:
    text = path_text(tuple(path))
    assert text.isprintable() and text.strip() == text
    assert [os.fsencode(name) for name in path_of(text)] == [os.fsencode(name) for name in path]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"plain.txt", "plain.txt"),
        ("käse 日本.txt".encode(), "käse 日本.txt"),
        (b"a\nb", "a\\x0ab"),
        (b"\xe9", "\\xe9"),
        ("\u00e9".encode(), "é"),
        (b"a\\b", "a\\\\b"),
        (b" a ", "\\x20a\\x20"),
        ("\u202efdp.exe".encode(), "\\u202efdp.exe"),
        ("\U000e0041".encode(), "\\U000e0041"),
    ],
)
def test_a_name_is_shown_as_it_is_unless_it_would_not_be_seen(name: bytes, text: str) -> None:
    assert shown(os.fsdecode(name)) == text
    assert os.fsencode(named(text)) == name


@pytest.mark.parametrize("text", ["a\\", "\\q", "\\x4", "\\ud800", "\\U00110000"])
def test_what_shows_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        named(text)


def test_a_new_name_has_blanks_of_one_kind() -> None:
    assert new_name("Screenshot at 10.00\u202fPM.png") == "Screenshot at 10.00 PM.png"


@given(st.text(max_size=300))
def test_a_new_name_is_one_that_is_shown_as_it_is(text: str) -> None:
    try:
        name = new_name(text)
    except InvalidValue:
        return
    assert shown(name) == name
    assert 0 < len(os.fsencode(name)) <= 255 and "/" not in name and "\0" not in name
