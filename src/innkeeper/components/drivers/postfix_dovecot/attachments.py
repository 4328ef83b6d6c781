"""Puts stored files into an automatic reply, in place of the header that names them (`mail/sieve.py` writes it):

    X-Innkeeper-Attachments: SHA256:NAME;
     SHA256:NAME

with each NAME percent-encoded: a Sieve script is too small to carry the files. Each lies in a folder as `ab/SHA256`,
below the first two digits of its name.
"""

from __future__ import annotations

import base64
import mimetypes
import os
import re
import secrets
import sys
import urllib.parse
from pathlib import Path

ATTACHMENTS = re.compile(rb"^x-innkeeper-attachments:((?:.*\r?\n)(?:[ \t].*\r?\n)*)", re.IGNORECASE | re.MULTILINE)
CONTENT = re.compile(rb"^content-[a-z-]+:(?:.*\r?\n)(?:[ \t].*\r?\n)*", re.IGNORECASE | re.MULTILINE)
REFERENCE = re.compile(r"\s*([0-9a-f]{64}):([A-Za-z0-9_.~%-]+)\s*")
HEADER_END = re.compile(rb"\r?\n\r?\n")


def expand(message: bytes, files: Path) -> bytes:
    """The message with the files that its attachments header names in place of that header.

    Without the header it comes back as it is. A file that is gone, or a reference that is none, is left out: the reply
    itself matters more.
    """
    end = HEADER_END.search(message)
    if end is None:
        return message
    newline = b"\r\n" if end[0].startswith(b"\r") else b"\n"
    header, body = message[: end.end() - len(newline)], message[end.end() :]
    found = ATTACHMENTS.search(header)
    if found is None:
        return message
    header = header[: found.start()] + header[found.end() :]
    parts = [_part(reference, files, newline) for reference in found[1].decode("ascii", "replace").split(";")]
    parts = [part for part in parts if part]
    if not parts:
        return header + newline + body
    content = b"".join(match[0] for match in CONTENT.finditer(header))
    boundary = f"=_{secrets.token_hex(16)}".encode("ascii")
    lines = [
        CONTENT.sub(b"", header) + b'Content-Type: multipart/mixed; boundary="' + boundary + b'"' + newline,
        *(b"--" + boundary + newline + part for part in [content + newline + body, *parts]),
        b"--" + boundary + b"--" + newline,
    ]
    return newline.join(lines)


def _part(reference: str, files: Path, newline: bytes) -> bytes:
    """One file as a MIME part, empty if there is none."""
    match = REFERENCE.fullmatch(reference)
    if match is None:
        return b""
    try:
        content = (files / match[1][:2] / match[1]).read_bytes()
    except OSError as error:
        sys.stderr.write(f"uid {os.geteuid()}: an attachment is left out: {error}\n")
        return b""
    kind = mimetypes.guess_type(urllib.parse.unquote(match[2]))[0] or "application/octet-stream"
    lines = [
        f"Content-Type: {kind}".encode("ascii"),
        b"Content-Transfer-Encoding: base64",
        # The name is percent-encoded already, which is how a parameter in UTF-8 is written.
        f"Content-Disposition: attachment; filename*=UTF-8''{match[2]}".encode("ascii"),
        b"",
        base64.encodebytes(content).replace(b"\n", newline),
    ]
    return newline.join(lines)
