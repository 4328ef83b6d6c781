from __future__ import annotations

import logging

import packet_world
import pytest
from django.utils import timezone
from lxml import etree
from packet_client import request

from innkeeper.accounts.authentication import key_hash
from innkeeper.accounts.models import Account, SecretKey
from innkeeper.accounts.operations import create_administrator
from innkeeper.core.models import Upload
from innkeeper.core.passwords import hash_login
from innkeeper.doors.xmlapi import operators, schema
from innkeeper.doors.xmlapi.call import Call
from innkeeper.doors.xmlapi.endpoint import ADMINISTRATOR_BODY_LIMIT, BODY_LIMIT, DOUBLED, KEY
from innkeeper.doors.xmlapi.versions import Dialect

pytestmark = pytest.mark.django_db

PROTOS = b"<packet><server><get_protos/></server></packet>"
ADMIN = {"HTTP_AUTH_LOGIN": "admin", "HTTP_AUTH_PASSWD": "Kx4!paper-Moon"}
ALICE = {"HTTP_AUTH_LOGIN": "alice", "HTTP_AUTH_PASSWD": "Bread-4-All€"}


@pytest.fixture(autouse=True)
def administrator() -> Account:
    create_administrator(ADMIN["HTTP_AUTH_PASSWD"])
    return Account.objects.get(login="admin")


@pytest.fixture
def alice() -> Account:
    return Account.objects.create(
        kind="customer", login="alice", password=hash_login(ALICE["HTTP_AUTH_PASSWD"]), contact_name="Alice",
        created_at=timezone.now(),
    )  # fmt: skip


def answer(body: bytes, headers: dict[str, str] = ADMIN, **environ: str) -> etree._Element:
    status, sent, content = request(body, headers, **environ)
    assert status == "200 OK"
    assert sent["Content-Type"] == "text/xml; charset=UTF-8"
    assert int(sent["Content-Length"]) == len(content)
    assert content.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n')
    root = etree.fromstring(content)
    dialect = Dialect.OLD if (root.get("version") or "").startswith(("1.4", "1.5", "1.6.0")) else Dialect.NEW
    schema.answer_schema(dialect).assertValid(root)
    return root


def system_code(root: etree._Element) -> int:
    assert [child.tag for child in root] == ["system"]
    assert root.findtext("system/status") == "error"
    assert root.findtext("system/errtext")
    return int(root.findtext("system/errcode") or 0)


def codes(root: etree._Element) -> list[str]:
    return [result.findtext("errcode") or result.findtext("status") or "" for result in root.iter("result")]


def test_a_packet_is_answered() -> None:
    root = answer(PROTOS)
    assert root.get("version") == "1.6.9.1"
    protos = [element.text for element in root.iterfind("server/get_protos/result/protos/proto")]
    assert protos[-1] == "1.6.9.1"
    assert "1.6.3.0" in protos


def test_wrong_methods_and_paths_are_plain_http_errors() -> None:
    status, headers, _ = request(b"", ADMIN, REQUEST_METHOD="GET")
    assert (status, headers["Allow"]) == ("405 Method Not Allowed", "POST")
    assert request(PROTOS, ADMIN, PATH_INFO="/enterprise/control/agent.asp")[0] == "404 Not Found"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 1001),
        ({"HTTP_AUTH_LOGIN": "admin"}, 1001),
        (ADMIN | {"HTTP_AUTH_PASSWD": "wrong"}, 1001),
        (ADMIN | {"HTTP_AUTH_LOGIN": "nobody"}, 1001),
        ({"KEY": "0123"}, 11003),
        (ADMIN | {"KEY": "0123"}, 11003),
    ],
)
def test_wrong_credentials_are_refused_before_the_packet_is_read(headers: dict[str, str], code: int) -> None:
    assert system_code(answer(b"<packet version='100.0.0.0'", headers)) == code


def test_header_names_may_have_hyphens() -> None:
    assert codes(answer(PROTOS, {name.replace("_", "-"): value for name, value in ADMIN.items()})) == ["ok"]


def test_a_doubled_header_is_refused() -> None:
    root = answer(PROTOS, ADMIN, **{DOUBLED: frozenset({"HTTP_HTTP_AUTH_LOGIN"})})  # type: ignore[arg-type]
    assert system_code(root) == 1001


@pytest.mark.usefixtures("alice")
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_header_values_are_utf_8_or_latin_1(encoding: str) -> None:
    Account.objects.filter(login="alice").update(password=hash_login("Brötchen-4"))
    raw = "Brötchen-4".encode(encoding).decode("latin-1")
    root = answer(PROTOS, {"HTTP_AUTH_LOGIN": "alice"}, HTTP_HTTP_AUTH_PASSWD=raw)
    assert codes(root) == ["ok"]


def test_a_secret_key_works_from_its_addresses_alone(administrator: Account) -> None:
    SecretKey.objects.create(
        key_hash=key_hash("k1"), account=administrator, addresses="127.0.0.1,2001:db8::1", created_at=timezone.now()
    )
    assert codes(answer(PROTOS, {"KEY": "k1"})) == ["ok"]
    assert codes(answer(PROTOS, {"KEY": "k1"}, REMOTE_ADDR="2001:db8:0:0::1")) == ["ok"]
    assert system_code(answer(PROTOS, {"KEY": "k1"}, REMOTE_ADDR="192.0.2.1")) == 11003


def test_ten_failures_lock_one_address_out_and_no_other() -> None:
    for _ in range(10):
        assert system_code(answer(PROTOS, ADMIN | {"HTTP_AUTH_PASSWD": "x"}, REMOTE_ADDR="192.0.2.1")) == 1001
    assert system_code(answer(PROTOS, ADMIN, REMOTE_ADDR="192.0.2.1")) == 1012
    assert codes(answer(PROTOS, ADMIN, REMOTE_ADDR="192.0.2.2")) == ["ok"]


def test_suspension_and_a_changed_password_end_a_remembered_log_in(alice: Account) -> None:
    assert codes(answer(PROTOS, ALICE)) == ["ok"]
    Account.objects.filter(pk=alice.pk).update(status=16)
    assert system_code(answer(PROTOS, ALICE)) == 1011
    Account.objects.filter(pk=alice.pk).update(status=0, password=hash_login("Cake-5-All"))
    assert system_code(answer(PROTOS, ALICE)) == 1001


def test_a_caller_without_remote_access_is_refused(alice: Account) -> None:
    Account.objects.filter(pk=alice.pk).update(may_use_api=False)
    assert system_code(answer(PROTOS, ALICE)) == 1006


def test_the_owner_of_a_mail_account_may_not_use_the_protocol(administrator: Account) -> None:
    packet_world.webspace(7, "example.test", administrator)
    made = answer(
        b"<packet><mail><create><filter><site-id>7</site-id><mailname><name>joe</name><cp-access>true</cp-access>"
        b"<password><value>Bread-4-All</value></password></mailname></filter></create></mail></packet>"
    )
    assert codes(made) == ["ok"]
    joe = {"HTTP_AUTH_LOGIN": "joe@example.test", "HTTP_AUTH_PASSWD": "Bread-4-All"}
    assert system_code(answer(PROTOS, joe)) == 1006
    assert system_code(answer(PROTOS, joe | {"HTTP_AUTH_PASSWD": "wrong"})) == 1001


@pytest.mark.usefixtures("alice")
def test_a_customer_may_not_use_the_administrators_operators() -> None:
    root = answer(b"<packet><server><get_protos/><get><gen_info/></get></server><ip><get/></ip></packet>", ALICE)
    assert codes(root) == ["ok", "1006", "1006"]


def test_versions_are_echoed_and_unknown_ones_refused_in_their_own_name() -> None:
    assert answer(PROTOS.replace(b"<packet>", b'<packet version="1.6.3.0">')).get("version") == "1.6.3.0"
    assert answer(PROTOS.replace(b"<packet>", b'<packet version="1.6.5">')).get("version") == "1.6.5.0"
    assert answer(PROTOS.replace(b"<packet>", b'<packet version="1.4.2.0">')).get("version") == "1.4.2.0"
    refused = answer(PROTOS.replace(b"<packet>", b'<packet version="100.0.0&quot;">'))
    assert (system_code(refused), refused.get("version")) == (1005, '100.0.0"')


def test_the_oldest_versions_are_for_mail_alone() -> None:
    assert system_code(answer(PROTOS.replace(b"<packet>", b'<packet version="1.3.5.0">'))) == 1005


def test_a_malformed_packet_of_an_unknown_version_is_malformed_first() -> None:
    assert system_code(answer(b'<packet version="100.0.0.0"><a></packet>')) == 1014
    assert system_code(answer(b'<packet version="100.0.0.0"><a/></packet>')) == 1005


def test_one_schema_error_refuses_the_whole_packet() -> None:
    assert system_code(answer(b"<packet><server><get_protos/></server><nonsense><x/></nonsense></packet>")) == 1014
    assert system_code(answer(b"<packet/>")) == 1014
    assert system_code(answer(b"")) == 1014


def test_operators_that_are_not_served_answer_per_operation_and_let_the_others_run() -> None:
    root = answer(
        b"<packet><dns><get_rec><filter/></get_rec><del_rec><filter/></del_rec></dns>"
        b"<server><get_protos/></server><dns><get_rec/></dns></packet>"
    )
    assert [child.tag for child in root] == ["dns", "server", "dns"]
    assert [operation.tag for operator in root for operation in operator] == [
        "get_rec", "del_rec", "get_protos", "get_rec",
    ]  # fmt: skip
    assert codes(root) == ["1017", "1017", "ok", "1017"]


def test_operators_that_ended_with_1_6_9_0_are_unknown_to_1_6_9_1() -> None:
    packet = b"<packet version='%s'><spamfilter><check/></spamfilter></packet>"
    assert codes(answer(packet % b"1.6.9.0")) == ["1017"]
    assert system_code(answer(packet % b"1.6.9.1")) == 1014


def test_request_settings_are_read_over() -> None:
    settings = b"<packet><request-settings><setting><name>a</name></setting></request-settings>"
    assert codes(answer(PROTOS.replace(b"<packet>", settings))) == ["ok"]


def test_an_unexpected_failure_is_one_operations_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(call: Call) -> None:
        with call.result() as writer:
            writer.leaf("half", "written")
            raise RuntimeError("not for clients")

    monkeypatch.setitem(operators.handlers()[Dialect.NEW, "server"], "reboot", breaks)
    packet = b"<packet><server><get_protos/><reboot/><get_protos/></server></packet>"
    with caplog.at_level(logging.CRITICAL):
        status, _, content = request(packet, ADMIN)
    assert status == "200 OK"
    assert b"half" not in content
    assert b"not for clients" not in content
    assert codes(etree.fromstring(content)) == ["ok", "1023", "ok"]


def test_the_transports_charset_counts_where_the_document_declares_none() -> None:
    packet = "<packet><customer><get><filter><login>é</login></filter><dataset/></get></customer></packet>"
    latin, utf = packet.encode("latin-1"), packet.encode()
    declared = b'<?xml version="1.0" encoding="UTF-8"?>' + utf
    said = 'text/xml; Charset="ISO-8859-1"'
    for body, content_type in ((latin, said), (declared, said), (utf, "text/xml"), (b"\xef\xbb\xbf" + utf, said)):
        assert "<filter-id>é</filter-id>" in request(body, ADMIN, CONTENT_TYPE=content_type)[2].decode()
    assert b"<errcode>1014</errcode>" in request(latin, ADMIN, CONTENT_TYPE="text/xml")[2]


def test_pretty_printing_is_asked_for_by_a_header() -> None:
    plain = request(PROTOS, ADMIN)[2]
    pretty = request(PROTOS, ADMIN | {"HTTP_PRETTY_PRINT": "TRUE"})[2]
    assert plain.count(b"\n") == 2
    assert b"\n  <server>\n    <get_protos>\n      <result>\n        <status>ok</status>\n" in pretty
    refused = request(b"", {"HTTP_PRETTY_PRINT": "TRUE"})[2]
    assert b"\n  <system>\n    <status>error</status>\n" in refused


@pytest.mark.usefixtures("alice")
def test_bodies_are_bounded_by_the_caller() -> None:
    padded = PROTOS + b" " * (BODY_LIMIT - len(PROTOS))
    assert codes(answer(padded, ALICE)) == ["ok"]
    assert request(padded + b" ", ALICE)[0] == "413 Content Too Large"
    assert codes(answer(padded + b" ", ADMIN)) == ["ok"]
    assert request(b" " * (ADMINISTRATOR_BODY_LIMIT + 1), ADMIN)[0] == "413 Content Too Large"
    assert request(padded + b" ", ALICE, CONTENT_LENGTH="")[0] == "413 Content Too Large"


def test_compressed_bodies_are_refused() -> None:
    assert system_code(answer(PROTOS, ADMIN | {"Content-Encoding": "gzip"})) == 1014


def test_credentials_never_reach_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer(PROTOS, ADMIN)
        answer(PROTOS, {"KEY": "secret-key-value"})
        answer(PROTOS, ADMIN | {"HTTP_AUTH_PASSWD": "wrong-Password"})
    for secret in (ADMIN["HTTP_AUTH_PASSWD"], "secret-key-value", "wrong-Password", KEY + "="):
        assert secret not in caplog.text


def multipart(*files: tuple[str, bytes]) -> bytes:
    parts = [
        b'--cut\r\nContent-Disposition: form-data; name="f%d"; filename="%s"\r\n\r\n%s\r\n'
        % (n, name.encode(), content)
        for n, (name, content) in enumerate(files)
    ]
    return b"".join(parts) + b"--cut--\r\n"


def test_files_are_uploaded_by_a_multipart_request_and_named_by_handles(administrator: Account) -> None:
    body = multipart(("../a.txt", b"one"), ("b.txt", b""), ("large", b"x" * (5 * 1024 * 1024 + 1)))
    root = answer(body, ADMIN, CONTENT_TYPE="multipart/form-data; boundary=cut")
    results = root.findall("upload/result")
    assert [result.findtext("status") for result in results] == ["ok", "ok", "error"]
    assert [result.findtext("name") for result in results] == ["a.txt", "b.txt", "large"]
    assert results[2].findtext("errcode") == "1024"
    handles = [result.findtext("file") for result in results]
    stored = Upload.objects.get(handle=handles[0])
    assert (stored.name, stored.size, stored.owner_id) == ("a.txt", 3, administrator.pk)
    assert (len(handles[1] or ""), handles[2]) == (32, "")


def test_a_broken_multipart_request_is_refused() -> None:
    for body, content_type in (
        (b"", "multipart/form-data; boundary=cut"),
        (b"--cut", "multipart/form-data"),
        (PROTOS, "multipart/form-data; boundary=cut"),
    ):
        assert system_code(answer(body, ADMIN, CONTENT_TYPE=content_type)) == 1014
    assert system_code(answer(multipart(("a", b"x")), {}, CONTENT_TYPE="multipart/form-data; boundary=cut")) == 1001
