"""Large packets, which are read twice and never held as a tree, are judged and run as small ones are."""

from __future__ import annotations

from itertools import islice

import pytest
from lxml import etree
from packet_client import request

from innkeeper.core import passwords
from innkeeper.core.errors import Malformed
from innkeeper.doors.xmlapi import packet, schema
from innkeeper.doors.xmlapi.operators import mail
from innkeeper.doors.xmlapi.versions import NEWEST, resolve
from innkeeper.mail.models import MailAccount

ENABLE = "<enable><site-id>1</site-id></enable>"
MAILNAME = "<mailname><name>a</name></mailname>"
CREATE = f"<create><filter><site-id>7</site-id>{MAILNAME * 3}</filter></create>"

BAD = {
    "two roots": "<packet/><packet/>",
    "cut off": f"<packet><mail>{ENABLE}",
    "cut off late": f"<packet><mail>{ENABLE}</mail></packe",
    "wrong at the end": f"<packet><mail>{ENABLE * 3}<enable/></mail></packet>",
    "wrong after records": f"<packet><mail>{CREATE}<enable/></mail></packet>",
    "a record too little": "<packet><mail><create><filter><site-id>7</site-id></filter></create></mail></packet>",
    "a bad record": f"<packet><mail>{CREATE.replace('<name>a</name>', '', 1)}</mail></packet>",
    "an unknown operator": f"<packet><mail>{CREATE}</mail><nonsense/></packet>",
    "an attribute": "<packet><dns><x a='1'/></dns></packet>",
    "too deep": "<packet><dns>" + "<x>" * 63 + "</x>" * 63 + "</dns></packet>",
    "too many operations": f"<packet><dns>{'<x/>' * 600}</dns><dns>{'<x/>' * 401}</dns></packet>",
    "settings alone": "<packet><request-settings><setting><name/></setting></request-settings></packet>",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_a_bad_packet_is_refused_in_the_same_words(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    for large in (packet.LARGE, 1):
        monkeypatch.setattr(packet, "LARGE", large)
        with pytest.raises(Malformed) as refused:
            packet.read(text.encode()).validate(NEWEST)
        said.append(refused.value.message)
    assert said[0] == said[1]


def test_the_one_name_of_the_old_dialect_is_demanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet, "LARGE", 1)
    filter_ = "<filter><domain_id>7</domain_id>%s<mailname>%s</mailname></filter>"
    body = f"<packet><mail><create>{filter_}</create></mail></packet>"
    old = resolve("1.6.0.2")
    packet.read((body % (MAILNAME, "<name>b</name>")).encode()).validate(old)
    with pytest.raises(Malformed, match="mailname-has-one-name"):
        packet.read((body % (MAILNAME, "<password>b</password>")).encode()).validate(old)


def test_the_bounds_let_pass_what_is_within_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet, "LARGE", 1)
    text = f"<packet><dns>{'<x/>' * 600}</dns><dns>{'<x/>' * 399}<x>{'<y>' * 61}{'</y>' * 61}</x></dns></packet>"
    read = packet.read(text.encode())
    read.validate(NEWEST)
    operations = [(each.number, each.operator) for each in read.operations()]
    assert operations == [(0, "dns")] * 600 + [(1, "dns")] * 400


@pytest.mark.parametrize("records_to_read", [0, 1, 9])
def test_operations_come_in_order_whatever_a_handler_leaves_unread(
    records_to_read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packet, "LARGE", 1)
    mails = f"<mail>{ENABLE}{CREATE}{CREATE}{ENABLE}</mail><mail>{CREATE}</mail>"
    found = []
    for operation in packet.read(f"<packet><dns><x/></dns>{mails}<dns><y/></dns></packet>".encode()).operations():
        records = list(islice(operation.records(), records_to_read)) if operation.records else []
        found.append((operation.number, str(operation.element.tag), len(records)))
    count = min(records_to_read, 3)
    assert found == [
        (0, "x", 0), (1, "enable", 0), (1, "create", count), (1, "create", count), (1, "enable", 0),
        (2, "create", count), (3, "y", 0),
    ]  # fmt: skip


def test_the_schemas_log_of_another_packet_is_not_this_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet, "LARGE", 1)
    for text in (BAD["an unknown operator"], f"<packet><mail>{ENABLE}</mail></packet>", BAD["wrong at the end"]):
        try:
            packet.read(text.encode()).validate(NEWEST)
        except Malformed as refused:
            assert ("nonsense" in refused.message) is (text == BAD["an unknown operator"])


def create(mailnames: str) -> list[etree._Element]:
    """The results of one `create`."""
    body = f"<packet><mail><create><filter><site-id>7</site-id>{mailnames}</filter></create></mail></packet>"
    root = etree.fromstring(request(body.encode(), {"KEY": "admin-key"})[2])
    schema.answer_schema(NEWEST.dialect).assertValid(root)
    return root.findall("mail/create/result")


def with_password(name: str, value: str, kind: str = "plain") -> str:
    password = f"<password><value>{value}</value><type>{kind}</type></password>"
    return f"<mailname><name>{name}</name>{password}</mailname>"


@pytest.fixture
def parts(world: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than two accounts are run two at a time."""
    monkeypatch.setattr(mail, "AT_ONCE", 2)
    monkeypatch.setattr(mail, "PART", 2)


def test_records_are_read_again_from_their_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet, "LARGE", 1)
    mails = f"<mail>{ENABLE}{CREATE.replace('a<', 'other<')}{CREATE}</mail><mail>{CREATE}</mail>"
    packets = packet.read(f"<packet>{mails}</packet>".encode())
    found = []
    for operation in packets.operations():
        if operation.records is not None:
            islice(operation.records(), 2)
            found += [[record.findtext("name") for record in operation.records()] for _ in range(2)]
    assert found == [["other"] * 3] * 2 + [["a"] * 3] * 4


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("large", [1, packet.LARGE])
def test_parts_are_refused_together(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet, "LARGE", large)
    monkeypatch.setattr(passwords, "hashing_seconds", lambda count: 3.0 * count)
    results = create("".join(with_password(f"n{number}", "Kx4!paper-Moon") for number in range(7)))
    assert [result.findtext("mailname/name") for result in results] == [f"n{number}" for number in range(7)]
    assert {result.findtext("errcode") for result in results} == {"1024"}
    assert "fewer accounts" in str(results[0].findtext("errtext"))
    assert not MailAccount.objects.exists()


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("large", [1, packet.LARGE])
def test_passwords_of_all_parts_are_hashed_before_the_first(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet, "LARGE", large)
    hashed = []

    def hash_many(values: list[str]) -> list[str]:
        assert not MailAccount.objects.exists()
        hashed.append(list(values))
        return [f"{{SHA256}}{value}" for value in values]

    monkeypatch.setattr(passwords, "hash_mail_many", hash_many)
    results = create(
        with_password("ann", "first-One")
        + "<mailname><name>bob</name></mailname>"
        + with_password("c+c", "never-Hashed")
        + with_password("dan", "dan")
        + with_password("eve", "{SHA256}ready", "crypt")
        + with_password("fay", "last-One")
    )
    assert [result.findtext("errcode") for result in results] == [None, None, "1019", "1019", None, None]
    assert hashed == [["first-One", "last-One"]]
    assert list(MailAccount.objects.order_by("id").values_list("password", flat=True)) == [
        "{SHA256}first-One", "", "{SHA256}ready", "{SHA256}last-One",
    ]  # fmt: skip


@pytest.mark.usefixtures("world")
def test_many_accounts_are_created_in_parts_with_exact_errors_in_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet, "LARGE", 1)
    monkeypatch.setattr(mail, "AT_ONCE", 100)
    monkeypatch.setattr(mail, "PART", 100)
    bad = {0, 99, 100, 557}
    mailnames = "".join(f"<mailname><name>n{'+' if n in bad else ''}{n}</name></mailname>" for n in range(1000))
    results = create(mailnames)
    assert {n for n, result in enumerate(results) if result.findtext("status") == "error"} == bad
    assert [result.findtext("mailname/name") for result in results][555:558] == ["n555", "n556", "n+557"]
    assert MailAccount.objects.count() == 996
