"""The script of automatic replies: whatever the texts, Dovecot's own compiler takes it."""

from __future__ import annotations

import email
import email.policy
import shutil
import subprocess
import tempfile
from datetime import date
from email.message import EmailMessage
from pathlib import Path

import pytest
import sievelib.parser
from hypothesis import given, settings
from hypothesis import strategies as st

from innkeeper.mail.replies import Reply, StoredFile
from innkeeper.mail.sieve import ReplyNotEncodable, render

FILES = {"price list.pdf": StoredFile("price list.pdf", 3, "ab" * 32), "ü;x": StoredFile("ü;x", 3, "cd" * 32)}
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)
ONE_LINE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)


def script(*replies: Reply, keeps_mail: bool = True) -> str:
    result = render(replies, address="a@b.example", aliases=["c@b.example"], files=FILES, keeps_mail=keeps_mail)
    assert result is not None
    return result


def test_replies_that_are_off_need_no_script() -> None:
    assert render([Reply("r", text="x")], address="a@b.example", aliases=[], files={}, keeps_mail=True) is None


def test_the_first_that_matches_answers() -> None:
    text = script(Reply("one", True, key="price", key_where="subj"), Reply("off"), Reply("two", True))
    assert text.index('if header :contains "subject" "price"') < text.index("elsif true")
    assert text.count("vacation :") == 2


def test_conditions_dates_and_frequency_are_written_out() -> None:
    reply = Reply(
        "r", True, key="offer", key_where="body", answers_per_day=4, forward="x@o.example",
        start_date=date(2026, 7, 1), end_date=date(2026, 7, 31), subject="Away",
    )  # fmt: skip
    text = script(reply, keeps_mail=False)
    for part in (
        'allof (body :text :contains "offer"',
        'currentdate :value "ge" "date" "2026-07-01"',
        'currentdate :value "le" "date" "2026-07-31"',
        'vacation :seconds 21600 :subject "Away" :addresses ["a@b.example", "c@b.example"] :handle "r" :mime',
        'redirect :copy "x@o.example";',
    ):
        assert part in text
    assert text.endswith("discard;\n")


def test_the_reply_says_its_type_its_charset_and_where_to_answer() -> None:
    reply = Reply("r", True, text='<b>"Grüße" \\</b>', content_type="text/html", charset="iso-8859-1")
    reply.reply_to = "office@b.example"
    entity = script(reply).split(':mime "', 1)[1].rsplit('";', 1)[0].replace('\\"', '"').replace("\\\\", "\\")
    message = email.message_from_string(entity, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert (message.get_content_type(), message.get_content_charset()) == ("text/html", "iso-8859-1")
    assert message["Reply-To"] == "office@b.example"
    assert message.get_content().rstrip("\n") == '<b>"Grüße" \\</b>'


def test_attachments_travel_as_a_header_of_references() -> None:
    text = script(Reply("r", True, attachments=["price list.pdf", "ü;x"]))
    assert f"X-Innkeeper-Attachments: {'ab' * 32}:price%20list.pdf;\n {'cd' * 32}:%C3%BC%3Bx\n" in text


def test_a_text_that_its_charset_lacks_is_refused() -> None:
    with pytest.raises(ReplyNotEncodable):
        script(Reply("r", True, text="€", charset="iso-8859-1"))


REPLIES = st.builds(
    Reply,
    name=ONE_LINE.filter(bool),
    enabled=st.just(True),
    key=ONE_LINE,
    key_where=st.sampled_from(["subj", "body", "no"]),
    subject=ONE_LINE,
    content_type=st.sampled_from(["text/plain", "text/html"]),
    charset=st.sampled_from(["UTF-8", "utf-16"]),
    text=ANY_TEXT,
    answers_per_day=st.none() | st.integers(1, 86_400),
    forward=st.sampled_from(["", "x@o.example"]),
    reply_to=st.sampled_from(["", "it's.me+x@o.example"]),
    start_date=st.none() | st.dates(),
    end_date=st.none() | st.dates(),
    attachments=st.lists(st.sampled_from(sorted(FILES)), unique=True),
)


@given(st.lists(REPLIES, min_size=1, max_size=4))
@settings(max_examples=60)
def test_any_text_gives_a_script_that_parses(replies: list[Reply]) -> None:
    parser = sievelib.parser.Parser()
    assert parser.parse(script(*replies)), parser.error


@pytest.mark.skipif(shutil.which("sievec") is None, reason="needs dovecot-sieve")
@given(st.lists(st.lists(REPLIES, min_size=1, max_size=4), min_size=1, max_size=20))
@settings(max_examples=5)
def test_dovecots_compiler_takes_any_text(sets: list[list[Reply]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, config = Path(name, "scripts"), Path(name, "dovecot.conf")
        folder.mkdir()
        for number, replies in enumerate(sets):
            (folder / f"{number}.sieve").write_text(script(*replies))
        config.write_text("plugin {\n  sieve_extensions = +vacation-seconds\n  sieve_vacation_min_period = 1s\n}\n")
        # A folder is compiled by one process.
        done = subprocess.run(["sievec", "-c", config, folder], capture_output=True, text=True, check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr
        assert len(list(folder.glob("*.svbin"))) == len(sets)
