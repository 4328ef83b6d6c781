"""The NT store and the export."""

from __future__ import annotations

# Attributes are read and set as the system does it.
# ruff: noqa: PTH101
import os

import pytest
from trees import ALICE, BOB, CUSTOMERS, compiled, entry, make, snapshot

from innkeeper.permissions import journal
from innkeeper.permissions.apply import Options, run, undo
from innkeeper.permissions.nt import binary, sddl, sid
from innkeeper.permissions.nt.access import maximum
from innkeeper.permissions.nt.acl import Ace, Descriptor, is_canonical
from innkeeper.permissions.stores.export import ExportStore, icacls, owners
from innkeeper.permissions.stores.nt import ATTRIBUTE, NTStore

ALL = "ThisFolderSubfoldersAndFiles"
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="security attributes need root")
RULES = (
    entry("customers", "", "ThisObjectOnly", "0x0F017F", "0x1"),
    entry("alice", "docs", "ThisObjectOnly", "FileNonRemovable", "0x144"),
    entry("alice", "docs", "SubfoldersAndFilesOnly", "FullAccess", "0x144"),
    entry("alice", "docs/lib", "ThisObjectOnly", "FileRemovable", "0x141"),
)


def descriptor(path) -> Descriptor:
    return binary.unpack_samba(os.getxattr(path, ATTRIBUTE))


@NEEDS_ROOT
def test_descriptors_for_samba(tree, tmp_path):
    make(tree, "docs/lib/a", "docs/b")
    before = snapshot(tree)
    policy = compiled(tree, *RULES)
    store = NTStore(policy)
    done = run(policy, store, str(tree), Options(journal=tmp_path))
    assert run(policy, store, str(tree)).report.changed == 0
    docs, library, page = (descriptor(tree / path) for path in ("docs", "docs/lib", "docs/b"))
    alice = sid.user(ALICE)
    assert docs.protected
    assert docs.aces == (Ace(False, 0, 0x1200AF, alice), Ace(False, 0xB, 0x1F01FF, alice))
    assert page.aces == (Ace(False, 0x10, 0x1F01FF, alice),)
    assert is_canonical(library.aces)
    token = frozenset({alice, sid.EVERYONE})
    assert maximum(library, token) & 0x010000 == 0
    assert maximum(page, token) & 0x010000
    # What others had is written down, for no rule took it away there.
    assert Ace(False, 0, 0x21, sid.EVERYONE) in descriptor(tree).aces
    assert Ace(True, 0, 0x0F017F, sid.group(CUSTOMERS)) == descriptor(tree).aces[0]
    folder, _ = journal.find_run(tmp_path, done.name)
    undo(store, folder, str(tree))
    assert snapshot(tree) == before


@NEEDS_ROOT
def test_an_entry_set_by_hand_stays_where_no_rule_speaks_of_its_account(tree):
    make(tree, "docs/a")
    by_hand = Descriptor(
        sid.user(0), sid.group(0), (Ace(True, 0, 0x2, sid.user(BOB)), Ace(False, 0, 0x1, sid.user(ALICE)))
    )
    os.setxattr(tree / "docs", ATTRIBUTE, binary.pack_samba(by_hand))
    for bits, mask in (("0x0", 0x120089 | 0x1), ("0x100", 0x120089)):
        policy = compiled(tree, entry("alice", "docs", ALL, "Read", bits))
        run(policy, NTStore(policy), str(tree))
        found = descriptor(tree / "docs")
        assert found.aces[0] == Ace(True, 0, 0x2, sid.user(BOB))
        assert maximum(found, frozenset({sid.user(ALICE)})) == mask
        assert is_canonical(found.aces)
        assert run(policy, NTStore(policy), str(tree)).report.changed == 0


def exported(tree):
    found = []
    policy = compiled(tree, *RULES)
    store = ExportStore(policy)

    def watch(path, ground, old, new):
        found.append((path, sddl.read(store.describe(new))))

    run(policy, store, str(tree), Options(dry=True, watch=watch))
    return found


def test_export_for_icacls(tree):
    make(tree, "docs/lib/", "docs/ü ber")
    os.chmod(tree, 0o750)
    before = snapshot(tree)
    found = exported(tree)
    assert snapshot(tree) == before
    data = icacls(found, "site")
    assert not data.startswith(b"\xff\xfe")
    lines = data.decode("utf-16-le").split("\r\n")
    assert lines[-1] == ""
    pairs = dict(zip(lines[0:-1:2], lines[1:-1:2], strict=True))
    assert set(pairs) == {"site", "site\\docs", "site\\docs\\lib", "site\\docs\\ü ber"}
    alice = sid.user(ALICE)
    assert pairs["site\\docs"] == f"D:PAI(A;;0x1200af;;;{alice})(A;OICIIO;0x1f01ff;;;{alice})"
    assert pairs["site\\docs\\lib"] == f"D:AI(D;;0xd0050;;;{alice})(A;OICIID;0x1f01ff;;;{alice})"
    assert f'icacls "site\\docs" /setowner *S-1-22-1-{os.getuid()}\r\n' in owners(found, "site")
