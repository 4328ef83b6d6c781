from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from innkeeper.core.errors import Malformed, VersionNotSupported
from innkeeper.doors.xmlapi import packet, schema
from innkeeper.doors.xmlapi.parser import MAX_DEPTH, MAX_OPERATIONS, parse
from innkeeper.doors.xmlapi.versions import NEWEST, Dialect, resolve

PACKET = "<packet><mail><rename><site-id>1</site-id><name>é</name><new-name>b</new-name></rename></mail></packet>"


def read(body: bytes) -> str:
    root = parse(body)
    schema.validate(root, NEWEST)
    return root.findtext("mail/rename/name") or ""


@pytest.mark.parametrize("before", ["", "\r\n \t", "<!-- c --><?pi x?>"])
@pytest.mark.parametrize("encoding", ["UTF-8", "utf-8", "ISO-8859-1", "UTF-16"])
def test_the_accepted_encodings_are_read(encoding: str, before: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>'
    text = before + declaration + PACKET if not before.startswith("<") else declaration + before + PACKET
    assert read(text.encode(encoding)) == "é"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-8-sig"])
def test_utf_16_without_a_byte_order_mark_and_utf_8_with_one_are_read(encoding: str) -> None:
    assert read(PACKET.encode(encoding)) == "é"


def test_ascii_with_a_character_reference_is_read() -> None:
    assert read(b'<?xml version="1.0" encoding="US-ASCII"?>' + PACKET.replace("é", "&#233;").encode()) == "é"


def test_comments_and_processing_instructions_do_not_cut_a_text() -> None:
    assert read(PACKET.replace("é", "a<!-- x -->b<?pi?>c<![CDATA[<d]]>").encode()) == "abc<d"


def test_a_document_type_in_cdata_is_only_text() -> None:
    assert read(PACKET.replace("é", "<![CDATA[<!DOCTYPE html>]]>").encode()) == "<!DOCTYPE html>"


BAD = {
    "empty": b"",
    "blank": b" \n ",
    "no XML": b"hello",
    "cut off": PACKET[:-4].encode(),
    "two roots": b"<packet/><packet/>",
    "NUL": PACKET.replace("é", "\0").encode(),
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>+ADw-packet/+AD4-',
    "UTF-7 without a declaration": b"+ADw-packet/+AD4-",
    "Shift-JIS": b'<?xml version="1.0" encoding="Shift_JIS"?><packet/>',
    "wrong encoding": PACKET.encode("latin-1"),
    "odd UTF-16": PACKET.encode("utf-16")[:-1],
    "DOCTYPE": b"<!DOCTYPE packet [<!ENTITY a 'b'>]>" + PACKET.encode(),
    "DOCTYPE after a comment": b'<?xml version="1.0"?><!-- x -->\n<!DOCTYPE packet SYSTEM "file:///etc/passwd"><packet/>',
    "DOCTYPE in UTF-16": ("<!DOCTYPE packet>" + PACKET).encode("utf-16"),
    "undeclared entity": PACKET.replace("é", "&passwd;").encode(),
    "prefix without a namespace": b"<x:packet/>",
    "an attribute": b'<packet><mail lang="en"/></packet>',
    "xsi:type": b'<packet xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><mail i:type="int"/></packet>',
    "gzip": gzip.compress(PACKET.encode()),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_what_is_no_packet_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        read(body)
    assert refused.value.message.startswith("Parser error: ")
    assert len(refused.value.message) < 700


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"<packet " + b" ".join(b'a%d="x"' % n for n in range(300_000)) + b"/>",
        lambda: b'<packet x="' + b"a" * 4_000_000 + b'"/>',
        lambda: b"<packet>" + b"<a>" * 1_000_000,
        lambda: b"<!--" * 1_000_000,
        lambda: b"<?x?>" * 800_000,
        lambda: b" " * 4_000_000 + b"x",
    ],
    ids=["attributes", "an attribute's value", "depth", "comments", "instructions", "white space"],
)
def test_a_large_hostile_body_is_refused_in_little_memory(make: Callable[[], bytes]) -> None:
    body = make()
    tracemalloc.start()
    try:
        with pytest.raises(Malformed):
            read(body)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(body)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "opening", [b"<packet>\n", b'<?xml version="1.0"?>\n<packet>', b"<packet>\n<!-- of our own -->"]
)
def test_a_start_tag_full_of_attributes_is_refused_with_its_line(opening: bytes) -> None:
    attributes = b" ".join(b'a%d="x"' % i for i in range(100_000))
    with pytest.raises(Malformed, match=r"line 2: Element 'server'"):
        packet.read(opening + b"<server " + attributes + b"/></packet>").validate(NEWEST)


def test_a_long_text_with_angle_brackets_is_no_start_tag() -> None:
    script = b"<![CDATA[if (a <b && " + b"c || " * 300_000 + b"d)]]>"
    packet.read(b"<packet><extension><call><x>" + script + b"</x></call></extension></packet>").validate(NEWEST)


def nested(depth: int) -> bytes:
    return b"<packet>" + b"<a>" * (depth - 1) + b"</a>" * (depth - 1) + b"</packet>"


def test_depth_is_bounded() -> None:
    parse(nested(MAX_DEPTH))
    with pytest.raises(Malformed, match="nested deeper"):
        parse(nested(MAX_DEPTH + 1))


def test_the_number_of_operations_is_bounded_and_objects_inside_one_are_not() -> None:
    parse(b"<packet><mail>" + b"<x/>" * MAX_OPERATIONS + b"</mail></packet>")
    parse(b"<packet><mail><create>" + b"<mailname/>" * 5_000 + b"</create></mail></packet>")
    with pytest.raises(Malformed, match="More than 1000 operations"):
        parse(b"<packet>" + b"<mail><x/></mail>" * (MAX_OPERATIONS + 1) + b"</packet>")


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
@example(b"\xff\xfe<\0")
@example(b'<?xml version="1.0" encoding="">')
def test_any_bytes_are_either_a_tree_or_refused(body: bytes) -> None:
    try:
        root = parse(body)
    except Malformed as refused:
        assert refused.message
    else:
        assert isinstance(root, etree._Element)


@given(st.text(alphabet="<>/!?[]-\"'= \n&;#xaepcktDOCTYPE", max_size=60))
def test_a_damaged_packet_is_either_a_tree_or_refused(junk: str) -> None:
    for body in (PACKET.replace("é", junk), junk + PACKET, PACKET + junk):
        try:
            schema.validate(parse(body.encode()), NEWEST)
        except Malformed as refused:
            assert refused.message.startswith("Parser error: ")


def refusal_of(packet: str) -> str:
    with pytest.raises(Malformed) as refused:
        schema.validate(parse(packet.encode()), NEWEST)
    return refused.value.message


def test_schema_errors_speak_as_libxml2_does() -> None:
    assert refusal_of("<packet>\n<client><get/></client></packet>") == (
        "Parser error: Request is invalid. Error in line 2: Element 'client': This element is not expected. Expected"
        " is one of ( request-settings, server, customer, webspace, subdomain, dns, db_server, mail, certificate,"
        " site-alias )."
    )
    filter_ = "<packet><customer><get><filter><owner-id/></filter><dataset/></get></customer></packet>"
    assert refusal_of(filter_).endswith("Element 'owner-id': '' is not a valid value of the atomic type 'int'.")


def test_a_packet_that_names_the_site_in_place_of_its_id_is_told_the_right_element() -> None:
    packet = "<packet><mail><enable><site-name>example.test</site-name></enable></mail></packet>"
    assert "Expected is ( site-id )" in refusal_of(packet)


def test_defaults_act_on_empty_elements_alone() -> None:
    root = parse(
        b"<packet><mail><create><filter><site-id>1</site-id>"
        b"<mailname><name>a</name><cp-access/><mailbox><enabled/></mailbox>"
        b"<forwarding><enabled/><address>a@b.test</address></forwarding></mailname>"
        b"<mailname><name>b</name></mailname></filter></create>"
        b"<update><add><filter><site-id>1</site-id><mailname><name>a</name><cp-access/><forwarding><enabled/>"
        b"<address>a@b.test</address></forwarding></mailname></filter></add></update></mail></packet>"
    )
    schema.validate(root, NEWEST)
    for operation in root[0]:
        schema.fill_defaults(operation, Dialect.NEW, "mail")
    first, second = root.findall("mail/create/filter/mailname")
    assert first.findtext("cp-access") == "false"
    assert first.findtext("mailbox/enabled") == "true"
    assert first.findtext("forwarding/enabled") == "false"
    assert len(second) == 1
    added = root.find("mail/update/add/filter/mailname")
    assert added is not None
    assert [added.findtext("cp-access"), added.findtext("forwarding/enabled")] == ["false", "false"]


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        (None, "1.6.9.1"),
        ("", "1.6.9.1"),
        ("1.6.9.1", "1.6.9.1"),
        ("1.6.3.0", "1.6.3.0"),
        ("1.6", "1.6.9.1"),
        ("1.6.3", "1.6.3.5"),
        ("1.5", "1.5.2.0"),
        ("1.6.0.2", "1.6.0.2"),
        ("1.4.2.7", "1.4.2.7"),
        ("1.3.5.1", "1.3.5.1"),
    ],
)
def test_versions_resolve(asked: str | None, got: str) -> None:
    assert str(resolve(asked)) == got


@pytest.mark.parametrize("asked", ["100.0.0", "1.40.2.0", "1.6.9.2", "1.6.3.9", "1.3.4.0", "one", "1.6.", "1..6", "٣"])
def test_unknown_versions_are_refused(asked: str) -> None:
    with pytest.raises(VersionNotSupported):
        resolve(asked)


def test_the_dialect_changes_with_1_6_3_0() -> None:
    assert resolve("1.6.2.0").dialect is Dialect.OLD
    assert resolve("1.6.3.0").dialect is Dialect.NEW
