"""Nothing that the protocol names is forgotten: the lists in `elements/` come from its schema text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree

from innkeeper.doors.xmlapi import reference, schema
from innkeeper.doors.xmlapi.operators import handlers
from innkeeper.doors.xmlapi.versions import Dialect, resolve

HERE = Path(__file__).parent
PACKETS = HERE.parents[1] / "packets"
LISTS = {folder: (HERE / "elements" / f"{folder}.txt").read_text().split() for folder in ("requests", "answers")}
OPERATORS = sorted(schema.NEW_TYPES)
UNPAIRED = frozenset((HERE / "elements" / "unpaired.txt").read_text().split())
"""What no pair uses: elements that the server never answers, and a debt that only gets smaller."""

# Elements that answers may carry by schema and ours never do.
WITHHELD = {
    "mail/get_info/result/mailname/password/value": "passwords are never returned",
    "mail/get_info/result/mailname/password/type": "passwords are never returned",
    "mail/get_info/result/mailname/autoresponder/attachment/tmp-name": "a handle works once",
    "mail/get_prefs/result/prefs/none": "every site can have mail",
    "mail/get_prefs/result/prefs/ip_address": "internal to another product",
    "mail/get_prefs/result/prefs/webmail-certificate": "no certificate protects webmail yet",
    "mail/get-available-mail-providers/result/mail-provider/aps": "mail is served by the server itself",
}
NEVER = (
    "mail/get_prefs/result/prefs/mail-provider",
    "mail/get-available-mail-providers/result/mail-provider/aps",
    "mail/get-available-mail-providers/result/err",
)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("folder", ["requests", "answers"])
def test_every_element_of_the_protocol_is_described(folder: str, operator: str) -> None:
    described = {
        "/".join((operator, *element.path)) for element in reference.elements(folder, schema.NEW_TYPES[operator])
    }
    wanted = {path for path in LISTS[folder] if path.split("/")[0] == operator}
    assert wanted
    assert wanted - described == set()


def used(suffix: str, dialect: Dialect) -> set[str]:
    """Every path of elements below `packet` in the pairs' requests or answers."""
    found: set[str] = set()
    for path in PACKETS.glob("*/*.xml"):
        if path.name.endswith(".answer.xml") is not (suffix == "answers"):
            continue
        root = etree.fromstring(path.read_bytes())
        if resolve(root.get("version")).dialect is not dialect:
            continue
        for element in root.iterdescendants(etree.Element):
            above = [str(each.tag) for each in element.iterancestors()]
            found.add("/".join([*reversed(above[:-1]), str(element.tag)]))
    return found


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("folder", ["requests", "answers"])
def test_every_element_of_a_served_operation_is_in_a_packet_pair(folder: str, operator: str) -> None:
    served = handlers()[Dialect.NEW, operator]
    wanted = {
        path for path in LISTS[folder]
        if path.startswith(f"{operator}/") and path.split("/")[1] in served
        and path not in WITHHELD and not path.startswith(NEVER)
    }  # fmt: skip
    unpaired = {path.removeprefix(f"{folder}:") for path in UNPAIRED if path.startswith(f"{folder}:")}
    assert wanted - used(folder, Dialect.NEW) - unpaired == set()


@pytest.mark.parametrize("folder", ["requests", "answers"])
def test_every_element_of_old_mail_is_in_a_packet_pair(folder: str) -> None:
    wanted = set((HERE / "elements" / f"old-mail-{folder}.txt").read_text().split())
    assert wanted - used(folder, Dialect.OLD) == set()


def test_the_page_of_the_protocol_names_every_operator() -> None:
    page = reference.page()
    for operator in schema.NEW_OPERATORS + schema.GONE_IN_1_6_9_1 + schema.OLD_OPERATORS:
        assert re.search(rf"`{re.escape(operator)}`", page), operator


def test_the_page_in_docs_is_the_generated_one() -> None:
    written = (HERE.parents[2] / "docs" / "xml-api.md").read_text()
    assert written == reference.page(), "run: python -m innkeeper.doors.xmlapi.reference > docs/xml-api.md"
