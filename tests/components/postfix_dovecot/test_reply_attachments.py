"""Automatic replies get stored files in place of the header that names them."""

from __future__ import annotations

import email
import email.policy
import hashlib
from email.message import EmailMessage
from pathlib import Path

import pytest

from innkeeper.components.drivers.postfix_dovecot.attachments import expand

HEAD = b"From: <a@b.example>\r\nSubject: Away\r\nMIME-Version: 1.0\r\n"
TEXT = b"Content-Type: text/plain;\r\n charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
BODY = b"\r\nGr=C3=BC=C3=9Fe\r\n"


def store(folder: Path, content: bytes) -> str:
    name = hashlib.sha256(content).hexdigest()
    (folder / name[:2]).mkdir(exist_ok=True)
    (folder / name[:2] / name).write_bytes(content)
    return name


def parsed(message: bytes) -> EmailMessage:
    result = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(result, EmailMessage)
    return result


def test_a_message_without_the_header_stays_as_it_is(tmp_path: Path) -> None:
    for message in (HEAD + TEXT + BODY, b"", b"no header end", HEAD + TEXT + BODY + b"X-Innkeeper-Attachments: x\r\n"):
        assert expand(message, tmp_path) == message


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_the_named_files_become_parts_and_the_text_comes_first(tmp_path: Path, newline: bytes) -> None:
    pdf, raw = store(tmp_path, b"%PDF-1.4 price list"), store(tmp_path, bytes(range(256)) * 40)
    header = f"X-Innkeeper-Attachments: {pdf}:Preise%20%C3%BC.pdf;\r\n {raw}:data%3B%22.bin\r\n".encode()
    message = (HEAD + header + TEXT + b"Reply-To: r@b.example\r\n" + BODY).replace(b"\r\n", newline)
    result = expand(message, tmp_path)
    assert b"X-Innkeeper" not in result
    reply = parsed(result)
    assert (reply["Subject"], reply["Reply-To"], reply.get_content_type()) == ("Away", "r@b.example", "multipart/mixed")
    assert not reply.defects
    text, first, second = reply.iter_parts()
    assert isinstance(text, EmailMessage) and text.get_content().strip() == "Grüße"
    assert (first.get_filename(), first.get_content_type()) == ("Preise ü.pdf", "application/pdf")
    assert first.get_content() == b"%PDF-1.4 price list"
    assert (second.get_filename(), second.get_content()) == ('data;".bin', bytes(range(256)) * 40)


def test_missing_files_and_bad_references_are_left_out_and_the_reply_goes(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    good = store(tmp_path, b"here")
    for bad in ("0" * 64 + ":gone.txt", "../secret:x", "secret:secret", f"{good}:a b", f"{good}", "\xff", ""):
        message = HEAD + b"X-Innkeeper-Attachments: " + bad.encode("latin-1") + b"\r\n" + TEXT + BODY
        assert expand(message, tmp_path) == HEAD + TEXT + BODY
    header = f"X-Innkeeper-Attachments: {'0' * 64}:gone.txt;{good}:here.txt\r\n".encode()
    _, kept = parsed(expand(HEAD + header + TEXT + BODY, tmp_path)).iter_parts()
    assert kept.get_filename() == "here.txt"
