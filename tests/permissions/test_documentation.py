"""The tables of docs/security-metadata.md are those of the code. Run this file to write them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from innkeeper.permissions import report
from innkeeper.permissions.nt.rights import describe
from innkeeper.permissions.posix import bits, limits
from innkeeper.permissions.rules import lint, vocabulary

PAGE = Path(__file__).parents[2] / "docs" / "security-metadata.md"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


TABLES = {
    "masks": table(
        ("name", "bits", "rights of NT", "on Linux"),
        [
            (name, f"0x{mask:06x}", describe(mask), bits.text(bits.permissions(mask)))
            for name, mask in vocabulary.ACCESS_MASKS.items()
        ],
    ),
    "aceflags": table(
        ("name", "bits", "this folder", "folders below", "files below"),
        [
            (name, f"0x{flags:x}", *("yes" if yes else "no" for yes in (not flags & 8, flags & 2, flags & 1)))
            for name, flags in vocabulary.ACE_FLAGS.items()
        ],
    ),
    "limits": table(("code", "meaning"), sorted(limits.CODES.items())),
    "run": table(("code", "meaning"), sorted(report.CODES.items())),
    "lint": table(("code", "meaning"), sorted(lint.CODES.items())),
}


def section(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- generated: {name} -->\n)(.*?)(<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("name", TABLES)
def test_the_page_holds_the_table(name):
    found = section(name).search(PAGE.read_text())
    assert found
    assert found[2].strip() == TABLES[name]


def test_every_code_of_a_limit_is_in_the_table():
    source = Path(limits.__file__).read_text()
    assert set(re.findall(r'Limit\(\s*"([a-z-]+)"', source)) == set(limits.CODES)


def test_every_code_is_in_a_table():
    """Codes are the only words in quotation marks that stand first in a finding, or second in a problem."""
    package = Path(limits.__file__).parent.parent
    source = "\n".join(path.read_text() for path in package.rglob("*.py"))
    used = set(re.findall(r'(?:finding|wrong|_all)\(\s*(?:\w+, )?"([a-z-]+)"', source))
    used |= set(re.findall(r'Problem\([^,]+, "([a-z-]+)"', source)) | set(re.findall(r'yield "([a-z-]+)"', source))
    assert {"not-there", "hard-link", "needs-mask", "link", "leaves-root"} <= used
    assert used <= set(report.CODES) | set(lint.CODES)


if __name__ == "__main__":
    text = PAGE.read_text()
    for key, rows in TABLES.items():
        text = section(key).sub(lambda match, rows=rows: f"{match[1]}{rows}\n{match[3]}", text)
    PAGE.write_text(text)
