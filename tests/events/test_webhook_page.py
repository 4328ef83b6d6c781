"""The checks of a signature in `docs/webhooks.md`, run as they stand there in each language that this machine has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from innkeeper.events import webhook

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
CODE = dict(re.findall(r"^```(python|javascript|php|ruby|perl)\n(.*?)^```$", PAGE, re.M | re.S))
SECRET = webhook.SECRET_PREFIX + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
BODY = '{"name": "Ines \\"Sommér\\"\\n"}\n'.encode()

# How each is run, and the lines behind it that say for each case of standard input whether it is genuine.
RUN = {
    "python": ([sys.executable, "-"], """
import json, sys
print(json.dumps([is_genuine(h, b.encode(), s) for h, b, s in json.loads(CASES)]))
"""),
    "javascript": (["node", "-"], """
console.log(JSON.stringify(JSON.parse(CASES).map(([h, b, s]) => isGenuine(h, Buffer.from(b), s))));
"""),
    "php": (["php"], """
echo json_encode(array_map(fn($c) => is_genuine($c[0], $c[1], $c[2]), json_decode(CASES, true)));
"""),
    "ruby": (["ruby"], """
require "json"
puts JSON.generate(JSON.parse(CASES).map { |h, b, s| genuine?(h, b, s) })
"""),
    "perl": (["perl"], """
use JSON::PP;
sub judge { my ($h, $b, $s) = @{$_[0]}; utf8::encode($b); return is_genuine($h, $b, $s) ? \\1 : \\0; }
print encode_json([map { judge($_) } @{decode_json(CASES)}]);
"""),
}  # fmt: skip


def program(language: str, cases: str) -> str:
    """The code of the page, with the cases as a constant."""
    quoted = "'" + cases.replace("\\", "\\\\").replace("'", "\\'") + "'"
    begin = {
        "python": f"CASES = {quoted}\n",
        "javascript": f"const CASES = {quoted};\n",
        "php": f"<?php\nconst CASES = {quoted};\n",
        "ruby": f"CASES = {quoted}\n",
        "perl": f"use constant CASES => {quoted};\n",
    }[language]
    return begin + CODE[language] + RUN[language][1]


@pytest.mark.parametrize("language", RUN)
def test_the_check_tells_a_genuine_event_from_others(language: str) -> None:
    command, _ = RUN[language]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    now = int(time.time())

    def case(
        moment: int = now, body: bytes = BODY, secret: str = SECRET, signed: bytes = BODY
    ) -> tuple[dict[str, str], str, str]:
        headers = {
            "webhook-id": "4711",
            "webhook-timestamp": str(moment),
            "webhook-signature": webhook.signature(SECRET, "4711", moment, signed),
        }
        return headers, body.decode(), secret

    other = webhook.SECRET_PREFIX + "b" * 43 + "="
    cases = [case(), case(now - 600), case(now + 600), case(body=BODY + b" "), case(secret=other), case(signed=b"")]
    done = subprocess.run(
        command, input=program(language, json.dumps(cases)), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [True, False, False, False, False, False]


def test_five_languages_are_shown() -> None:
    assert CODE.keys() == RUN.keys()
