"""Runs every packet pair: `tests/packets/OPERATOR/NAME.xml` and its answer, `NAME.answer.xml`.

Answers are written from the protocol's reference, never recorded. In an answer `{id}`, `{text}`, `{any}`, `{guid}`,
`{key}`, `{elements}` and `{date}` stand for what cannot be known beforehand; white space between elements is free. A
request says who sends it by `<?caller alice?>` at its beginning; without that it is the administrator.
"""

from __future__ import annotations

import re
from difflib import unified_diff
from pathlib import Path

import pytest
from lxml import etree
from packet_client import request
from raised_events import follows_the_catalogue

from innkeeper.core.models import OutboxEvent
from innkeeper.doors.xmlapi import packet, schema
from innkeeper.doors.xmlapi.operators import mail
from innkeeper.doors.xmlapi.versions import resolve

pytestmark = pytest.mark.usefixtures("world")

PACKETS = Path(__file__).parents[2] / "packets"
REQUESTS = sorted(path for path in PACKETS.glob("*/*.xml") if not path.name.endswith(".answer.xml"))
HOLES = {
    "{id}": "[1-9][0-9]*",
    "{text}": "[^<]+",
    "{any}": "[^<]*",
    "{guid}": "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "{key}": "[0-9a-f-]{32,36}",
    "{elements}": "(?:<.*>)?",
    "{date}": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
}


def compact(document: str) -> str:
    document = re.sub(r"<!--.*?-->", "", document, flags=re.DOTALL)
    return re.sub(r">\s+<", "><", document.strip())


def pattern(expected: str) -> str:
    parts = re.split("(" + "|".join(map(re.escape, HOLES)) + ")", compact(expected))
    return "".join(HOLES.get(part, re.escape(part)) for part in parts)


def send(path: Path, *, pretty: bool = False) -> bytes:
    body = path.read_bytes()
    caller = re.search(rb"<\?caller (\w+)\?>", body)
    headers = {"KEY": f"{caller[1].decode() if caller else 'admin'}-key"}
    if pretty:
        headers["HTTP_PRETTY_PRINT"] = "TRUE"
    status, _, content = request(body, headers)
    assert status == "200 OK"
    return content


def check(path: Path) -> None:
    before = OutboxEvent.objects.latest("pk").pk
    content = send(path)
    for row in OutboxEvent.objects.filter(pk__gt=before):
        follows_the_catalogue(row)
    expected = path.with_suffix(".answer.xml").read_text()
    answer = compact(content.decode())
    if not re.fullmatch(pattern(expected), answer):
        lines = [text.replace("><", ">\n<").splitlines() for text in (compact(expected), answer)]
        pytest.fail("\n".join(unified_diff(*lines, "expected", "answer", lineterm="")), pytrace=False)
    root = etree.fromstring(content)
    schema.answer_schema(resolve(root.get("version")).dialect).assertValid(root)


every_pair = pytest.mark.parametrize("path", REQUESTS, ids=[f"{path.parent.name}/{path.stem}" for path in REQUESTS])


@every_pair
def test_pair(path: Path) -> None:
    check(path)


@every_pair
def test_pair_as_a_large_packet_in_parts_of_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet, "LARGE", 1)
    monkeypatch.setattr(mail, "AT_ONCE", 1)
    monkeypatch.setattr(mail, "PART", 1)
    check(path)


def test_every_pair_is_complete() -> None:
    answers = set(PACKETS.glob("*/*.answer.xml"))
    assert answers == {path.with_suffix(".answer.xml") for path in REQUESTS}
