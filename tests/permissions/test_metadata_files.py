"""Metadata files: reading, changing without loss, and the linter."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from innkeeper.permissions.rules import vocabulary
from innkeeper.permissions.rules.document import EMPTY, MAX_BYTES, Document
from innkeeper.permissions.rules.entry import naming, read_rule, read_rules
from innkeeper.permissions.rules.finding import RuleError
from innkeeper.permissions.rules.lint import CODES, lint
from innkeeper.permissions.server.history import MetadataError, replace

FILE = """<?xml version="1.0" encoding="utf-8"?>
<!-- Who owns the library -->
<Anything xmlns:x="urn:x">
  <Entry AccounType="1" Account=" domainuser1 " SidStr="S-1-5-21-2767697126-2621801917-3613110436-1022"
         Path="[HTTPD_VHOSTS_D]" SubPath= "example.com\\httpdocs" AceFlags="ThisObjectOnly"
         AccessMask='FileNonRemovable' EntryFlags="0x140" Tag="DomainUser" Tag2="" Colour="red" x:y="1"/>
  <Group><!-- <Entry Account="not me"/> --><![CDATA[ <Entry Account="nor me"/> ]]>
    <Entry AccountType="0" Account="Everyone" Path="/" AceFlags="0x3" AccessMask="0x1200A9" EntryFlags="0"></Entry>
  </Group>
</Anything>
"""


def entry(**changes):
    values = {
        "AccounType": "1", "Account": "alice", "Path": "/", "AceFlags": "ThisObjectOnly",
        "AccessMask": "Read", "EntryFlags": "0x0",
    } | changes  # fmt: skip
    return "<Entry " + " ".join(f'{name}="{value}"' for name, value in values.items()) + "/>"


def document(*entries):
    return Document("<R>\n" + "\n".join(entries) + "\n</R>\n", "r.xml")


def codes(*entries):
    return [finding.code for finding in lint(document(*entries))]


def test_reads_the_documented_form():
    rules, findings = read_rules([Document(FILE, "a.xml")])
    assert findings == []
    first, second = rules
    assert (first.account, first.sub_path, first.access_mask) == ("domainuser1", ("example.com", "httpdocs"), 0x1200AF)
    assert first.flags == 0x140
    assert not first.deny
    assert (first.line, first.column) == (4, 3)
    assert second.is_well_known
    assert (second.ace_flags, second.access_mask) == (3, 0x1200A9)


def test_changes_touch_nothing_else():
    before = Document(FILE)
    after = before.with_value(before.entries[0], "AccessMask", "Modify")
    assert after.text == FILE.replace("'FileNonRemovable'", "'Modify'")
    after = before.with_value(before.entries[1], "Tag", 'a"&<b')
    assert after.entries[1].get("Tag") == 'a"&<b'
    assert after.text.replace(' Tag="a&quot;&amp;&lt;b"', "") == FILE


def test_an_added_entry_stands_behind_the_last_and_can_be_taken_out_again():
    before = Document(FILE)
    after = before.with_entry({"AccounType": "1", "Account": "bob"})
    assert [element.get("Account") for element in after.entries] == ["domainuser1", "Everyone", "bob"]
    assert after.without(after.entries[2]).text == FILE
    started = Document(EMPTY).with_entry({"Account": "bob"})
    assert started.entries[0].get("Account") == "bob"
    assert started.without(started.entries[0]).text == EMPTY
    assert Document("<R/>").with_entry({"Account": "x"}).entries[0].get("Account") == "x"


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))), min_size=1, max_size=4))
def test_any_value_survives(values):
    text = Document(EMPTY)
    for value in values:
        text = text.with_entry({"Account": value})
    assert [element.get("Account") for element in text.entries] == [value.strip() for value in values]
    parsed = etree.fromstring(text.text.encode()).findall("Entry")
    assert [element.get("Account") for element in parsed] == values


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1)


@given(st.lists(NAMES.filter(lambda name: name not in (".", "..") and name.isprintable()), min_size=1, max_size=4))
def test_any_name_of_a_file_can_be_written_into_a_rule(names):
    values = {"AccounType": "1", "Account": "a", "Path": "/", "AceFlags": "0x0", "AccessMask": "Read"}
    made = Document(EMPTY).with_entry(values | {"EntryFlags": "0x0"} | naming(names))
    rule = read_rule(made, made.entries[0])
    assert (rule.sub_path, rule.file_mask) == (tuple(names), None)


def test_saving_is_whole_and_private_and_what_a_crash_left_is_no_hindrance(tmp_path):
    path = tmp_path / ".security"
    (tmp_path / ".security.new").write_text("<half")
    replace(path, Document(FILE).encoded())
    assert path.read_text() == FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [".security"]


def test_nothing_is_saved_that_could_not_be_read_again(tmp_path):
    path = tmp_path / ".security"
    replace(path, Document(FILE).encoded())
    with pytest.raises(MetadataError, match="Take rules out first"):
        replace(path, b" " * (MAX_BYTES + 1))
    assert path.read_text() == FILE
    assert [entry.name for entry in tmp_path.iterdir()] == [".security"]


def test_other_encodings_are_read_and_saved_as_utf8(tmp_path):
    text = '<?xml version="1.0" encoding="windows-1252"?>\n<R>' + entry(Account="müller") + "</R>"
    path = tmp_path / "w.xml"
    path.write_bytes(text.encode("windows-1252"))
    loaded = Document.load(path)
    assert loaded.entries[0].get("Account") == "müller"
    path.write_bytes(loaded.encoded())
    assert Document.load(path).entries[0].get("Account") == "müller"


BOMB = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY a{n} "{"&a" + str(n - 1 or "") + ";" * 1}">' for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>', "doctype"),
        (f"<?xml version='1.0'?><!-- x -->\n{BOMB}]><r>&a8;</r>", "doctype"),
        ("<r>&a;</r>", "not-xml"),
        ("<r><Entry></r>", "not-xml"),
        ("<r/><r/>", "not-xml"),
        ("<r>\0</r>", "not-xml"),
        ("<? " * 50_000, "not-xml"),
        ("<!-- " * 50_000, "not-xml"),
        ("<r>" * 100_000, "not-xml"),
        ("", "not-xml"),
    ],
)
def test_hostile_text_is_refused_at_once(text, code):
    started = time.process_time()
    with pytest.raises(RuleError) as error:
        Document(text)
    assert error.value.findings[0].code == code
    assert time.process_time() - started < 2


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "big.xml"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(RuleError, match="too-large"):
        Document.load(path)


def test_too_many_entries_are_refused(monkeypatch):
    monkeypatch.setattr("innkeeper.permissions.rules.document.MAX_ENTRIES", 3)
    with pytest.raises(RuleError, match="too-many"):
        document(*[entry()] * 4)


def test_errors_point_at_their_attribute():
    text = (
        '<R>\n  <Entry AccounType="1" Account="a" Path="/"\n'
        '    AceFlags="Nonsense" AccessMask="0x200" EntryFlags="0x200"/>\n</R>'
    )
    findings = {finding.code: (finding.line, finding.column) for finding in lint(Document(text))}
    assert findings == {"ace-flags": (3, 15), "unknown-bit": (3, 56)}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"EntryFlags": "0x80"}, ["needs-mask"]),
        ({"EntryFlags": "0x80", "SubPath": "logs\\*.*"}, []),
        ({"EntryFlags": "0x80", "Path": "/srv/*.php"}, []),
        ({"SubPath": "logs/*.log"}, ["mask-without-files-flag"]),
        ({"AccessMask": "NoAccess", "EntryFlags": "0x1"}, ["deny-with-no-access"]),
        ({"AceFlags": "0x8"}, ["inherit-only"]),
        ({"AceFlags": "SubfoldersAndFilesOnly", "EntryFlags": "0x10"}, ["inherit-only"]),
        ({"AceFlags": "FilesOnly"}, ["files-only"]),
        ({"AceFlags": "ThisFolderAndFiles"}, []),
        ({"AccessMask": "FileRemovable"}, ["meant-for-deny"]),
        ({"AccessMask": "FileRemovable", "EntryFlags": "0x141"}, []),
        ({"AccessMask": "Read", "EntryFlags": "0x1"}, ["deny-synchronize"]),
        ({"AccessMask": "FullAccess", "EntryFlags": "0x9"}, []),
        ({"Account": "Null", "AccounType": "0"}, ["placeholder-without-tag"]),
        ({"Account": "Null", "AccounType": "0", "Tag": "DomainUser"}, []),
        ({"AccounType": "0"}, ["well-known-account"]),
        ({"AccounType": "2"}, ["account-type"]),
        ({"Tag": "psaserver"}, []),
        ({"Tag": "Nobody"}, ["tag"]),
        ({"SidStr": "S-1-x"}, ["sid"]),
        ({"AccessMask": "Everything"}, ["access-mask"]),
        ({"AceFlags": "0x13"}, ["unknown-bit"]),
        ({"Path": "26"}, ["well-known-path"]),
        ({"Path": "C:\\Windows"}, ["drive"]),
        ({"Path": "\\\\server\\share"}, ["network-path"]),
        ({"Path": "/srv/../etc"}, ["leaves-root"]),
        ({"SubPath": "..\\..\\etc"}, ["leaves-root"]),
        ({"SubPath": "*/httpdocs"}, ["mask-in-folder"]),
        ({"Path": ""}, ["path"]),
        ({"Account": ""}, ["account"]),
    ],
)
def test_linter(changes, expected):
    assert codes(entry(**changes)) == expected
    assert set(expected) <= set(CODES)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("38", "well-known folder 38 exists on Windows only; what it holds is in /usr here"),
        ("&lt;40&gt;", "well-known folder <40> exists on Windows only; what it holds is in /home here"),
        ("999", "well-known folder 999 exists on Windows only; write the folder's path, such as /usr/lib"),
    ],
)
def test_a_well_known_number_is_refused_with_the_path_to_write_instead(path, says):
    found = lint(document(entry(Path=path)))
    assert [(one.code, one.message) for one in found] == [("well-known-path", says)]


def test_linter_compares_rules():
    assert codes(entry(), entry()) == ["duplicate"]
    assert codes(entry(), entry(EntryFlags="0x1", AccessMask="0x20089")) == ["conflict"]
    assert codes(entry(EntryFlags="0x20"), entry()) == ["leave-alone"]


def test_a_missing_attribute_is_named():
    with pytest.raises(RuleError, match="AceFlags is missing"):
        read_rule(
            d := Document('<R><Entry AccounType="1" Account="a" Path="/" AccessMask="Read" EntryFlags="0"/></R>'),
            d.entries[0],
        )


def test_ten_masks_and_six_flags_have_their_values():
    assert vocabulary.ACCESS_MASKS == {
        "NoAccess": 0, "Read": 0x120089, "ReadAndExecute": 0x1200A9, "ReadAndDelete": 0x130089, "ReadWrite": 0x12019F,
        "Modify": 0x1301BF, "FullAccess": 0x1F01FF, "FileRemovable": 0x0D0050, "FileNonRemovable": 0x1200AF,
        "FtpSubaccountsNonRemovable": 0x156,
    }  # fmt: skip
    assert list(vocabulary.ACE_FLAGS.values()) == [0, 1, 1, 2, 3, 0xB]
