"""The NT model against a small independent oracle, and against facts written down as tables."""

from __future__ import annotations

import contextlib
import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from innkeeper.permissions.nt import binary, rights, sddl, sid
from innkeeper.permissions.nt.access import check, granted, maximum
from innkeeper.permissions.nt.acl import Ace, Descriptor, canonical, is_canonical, merge
from innkeeper.permissions.nt.inherit import inherit

ALICE, BOB, STAFF = sid.user(1001), sid.user(1002), sid.group(2001)
SIDS = [ALICE, BOB, STAFF, sid.EVERYONE, sid.CREATOR_OWNER, sid.OWNER_RIGHTS, sid.SYSTEM]
BITS = [1 << position for position in range(21) if rights.FULL >> position & 1]

masks = st.one_of(
    st.sampled_from([rights.FULL, 0x1200A9, 0x120089, 0x1301BF, 0x0D0050, rights.GENERIC_ALL, rights.GENERIC_READ]),
    st.sets(st.sampled_from(BITS)).map(sum),
)
aces = st.builds(Ace, st.booleans(), st.integers(0, 31), masks, st.sampled_from(SIDS))
descriptors = st.builds(
    Descriptor, st.sampled_from([ALICE, BOB]), st.just(STAFF), st.lists(aces, max_size=8).map(tuple), st.booleans()
)
tokens = st.sets(st.sampled_from(SIDS[:4]), min_size=1).map(frozenset)


def oracle(descriptor: Descriptor, token: frozenset[str], bit: int) -> bool:
    """One bit at a time, straight from the definition: the first entry that speaks of the bit decides it."""
    is_owner = descriptor.owner in token
    rights_named = any(ace.sid == "S-1-3-4" and not ace.flags & 8 for ace in descriptor.aces)
    if is_owner and not rights_named and bit in (0x20000, 0x40000):
        return True  # the owner may always read and change the list, whatever it says
    for ace in descriptor.aces:
        if ace.flags & 8:
            continue
        matches = ace.sid in token or (is_owner and ace.sid == "S-1-3-4")
        mask = ace.mask
        for generic, meaning in ((0x10000000, 0x1F01FF), (0x80000000, 0x120089)):
            if mask & generic:
                mask |= meaning
        if matches and mask & bit:
            return not ace.deny
    return False


@settings(max_examples=250)
@given(descriptors, tokens)
def test_access_check_agrees_with_the_definition(descriptor, token):
    allowed = maximum(descriptor, token)
    for bit in BITS:
        expected = oracle(descriptor, token, bit)
        assert bool(allowed & bit) is expected
        assert check(descriptor, token, bit) is expected


@settings(max_examples=150)
@given(descriptors)
def test_text_and_bytes_hold_everything(descriptor):
    assert sddl.read(sddl.format(descriptor)) == descriptor
    assert binary.unpack(binary.pack(descriptor)) == descriptor
    assert binary.unpack_samba(binary.pack_samba(descriptor)) == descriptor


def test_an_empty_list_gives_nothing_and_the_owner_keeps_control():
    nobody = Descriptor(ALICE, STAFF, ())
    assert maximum(nobody, frozenset({BOB})) == 0
    assert maximum(nobody, frozenset({ALICE})) == rights.READ_CONTROL | rights.WRITE_DAC


def test_an_explicit_allow_beats_an_inherited_deny():
    denied = Ace(True, 3, rights.FULL, ALICE)
    inherited = [ace for ace, _ in inherit([denied], True, BOB, STAFF)]
    aces = canonical([Ace(False, 0, rights.READ, ALICE)], inherited)
    assert granted(aces, frozenset({ALICE})) == rights.READ
    assert is_canonical(aces)


# Parent's flags, then the flags of the entry on a new file and on a new folder (None: no entry). OI 1, CI 2,
# NP 4, IO 8.
INHERITANCE = [
    (0x0, None, None), (0x1, 0x0, 0x9), (0x2, None, 0x2), (0x3, 0x0, 0x3),
    (0x4, None, None), (0x5, 0x0, None), (0x6, None, 0x0), (0x7, 0x0, 0x0),
    (0x8, None, None), (0x9, 0x0, 0x9), (0xA, None, 0x2), (0xB, 0x0, 0x3),
    (0xC, None, None), (0xD, 0x0, None), (0xE, None, 0x0), (0xF, 0x0, 0x0),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "on_file", "on_folder"), INHERITANCE)
def test_inheritance_table(flags, on_file, on_folder):
    parent = [Ace(False, flags, rights.READ, ALICE)]
    for is_folder, expected in ((False, on_file), (True, on_folder)):
        result = [ace.flags & 0xF for ace, _ in inherit(parent, is_folder, BOB, STAFF)]
        assert result == ([] if expected is None else [expected])
        assert all(ace.flags & rights.INHERITED for ace, _ in inherit(parent, is_folder, BOB, STAFF))


def test_creator_owner_becomes_the_owner_and_stays_for_the_next_level():
    parent = [Ace(False, 0xB, rights.FULL, sid.CREATOR_OWNER)]
    assert inherit(parent, True, ALICE, STAFF) == [
        (Ace(False, 0x10, rights.FULL, ALICE), 0),
        (Ace(False, 0x1B, rights.FULL, sid.CREATOR_OWNER), 0),
    ]
    assert inherit(parent, False, ALICE, STAFF) == [(Ace(False, 0x10, rights.FULL, ALICE), 0)]


@given(st.lists(aces, max_size=6), st.booleans())
def test_inheriting_twice_is_stable_below_the_first_level(parent, is_folder):
    first = [ace for ace, _ in inherit(parent, True, ALICE, STAFF)]
    second = [ace for ace, _ in inherit(first, True, ALICE, STAFF)]
    third = [ace for ace, _ in inherit(second, True, ALICE, STAFF)]
    assert third == [ace for ace, _ in inherit(third, True, ALICE, STAFF)] or len(third) <= len(second)
    assert len(set(first)) == len(first)


def test_merge_joins_bits_of_the_same_account_kind_and_flags_only():
    merged = merge([Ace(False, 0, 1, ALICE), Ace(False, 0, 2, ALICE), Ace(True, 0, 4, ALICE), Ace(False, 1, 8, ALICE)])
    assert merged == [Ace(False, 0, 3, ALICE), Ace(True, 0, 4, ALICE), Ace(False, 1, 8, ALICE)]


@pytest.mark.parametrize(
    "text",
    [
        "", "D:NO_ACCESS_CONTROL", "O:BAG:BA", "O:BAG:BAD:(A;;0x1F01FF;;;XX)", "O:BAG:BAD:(A;QQ;0x1;;;WD)",
        "O:BAG:BAD:(A;;ZZ;;;WD)", "O:BAG:BAD:(AU;SA;0x1;;;WD)", "O:BAG:BAD:(A;;0x1FFFFFFFFF;;;WD)",
        "O:BAG:BAD:(A;;0x1;;;S-1-5-99999999999)", "O:BAG:BAD:(A;;0x1;guid;;WD)", "O:BAG:BAD:(A;;0x1;;;WD",
    ],
)  # fmt: skip
def test_sddl_that_is_refused(text):
    with pytest.raises(sddl.SDDLError):
        sddl.read(text)


def test_sddl_aliases_have_their_full_rights():
    descriptor = sddl.read("O:SYG:BAD:PAI(D;OICI;FA;;;BA)(A;;FRFW;;;WD)(A;ID;0x1200a9;;;S-1-5-21-1-2-3-1043)")
    assert descriptor.owner == "S-1-5-18"
    assert descriptor.protected
    assert [ace.mask for ace in descriptor.aces] == [0x1F01FF, 0x12019F, 0x1200A9]


@settings(max_examples=400)
@given(st.binary(max_size=120))
def test_damaged_bytes_are_refused_never_crash(data):
    for read in (binary.unpack, binary.unpack_samba):
        with contextlib.suppress(binary.DescriptorError):
            assert read(data)


@pytest.mark.parametrize("text", ["S-1-5-32-544", "S-1-22-1-1000", "S-1-0x123456789abc-1-2"])
def test_identifiers_survive_packing(text):
    assert sid.unpack(sid.pack(sid.parse(text)))[0] == sid.parse(text)


def test_identifier_bytes_are_those_of_windows():
    assert sid.pack(sid.ADMINISTRATORS).hex() == "01020000000000052000000020020000"


def test_what_samba_stores_counts_its_offsets_from_the_beginning():
    descriptor = sddl.read("O:S-1-22-1-1000G:S-1-22-2-1000D:PAI(A;OICI;0x1f01ff;;;S-1-22-1-1000)(D;;0x10000;;;WD)")
    stored = bytes.fromhex(
        "0100010000000200010004941c0000002c000000000000003c000000"
        "010200000000001601000000e8030000010200000000001602000000e8030000"
        "020034000200000000031800ff011f00010200000000001601000000e8030000"
        "0100140000000100010100000000000100000000"
    )
    assert binary.pack_samba(descriptor) == stored
    assert binary.unpack_samba(stored) == descriptor
    at = 8 + 64 + 8  # versions 2 to 4 have a hash between
    later = stored[:2].replace(b"\1", b"\3") + b"\0" * (at - 2) + binary.pack(descriptor, at)
    assert binary.unpack_samba(later) == descriptor


def test_access_check_and_bytes_agree_with_samba():
    # Debian's package is for the system's Python, which the tests' environment is made from.
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        samba = pytest.importorskip("samba.security", reason="python3-samba is not installed")
    finally:
        sys.path.remove("/usr/lib/python3/dist-packages")
    from samba import NTSTATUSError
    from samba.dcerpc import security, xattr
    from samba.ndr import ndr_pack

    dice = random.Random(1)
    compared = 0
    for _ in range(2000):
        entries = tuple(
            Ace(
                dice.random() < 0.4, dice.choice([0, 0, 0, 8, 3]), dice.getrandbits(21) & rights.FULL, dice.choice(SIDS)
            )
            for _ in range(dice.randrange(1, 7))
        )
        descriptor = Descriptor(dice.choice([ALICE, BOB]), STAFF, entries)
        held = frozenset(dice.sample(SIDS[:4], dice.randrange(1, 4)))
        theirs = security.descriptor.from_sddl(sddl.format(descriptor), security.dom_sid("S-1-5-21-1-2-3"))
        theirs.dacl.revision = 2  # its reader of text takes that of directory services
        assert ndr_pack(theirs)[20:] == binary.pack(descriptor)[20:]
        assert binary.unpack(ndr_pack(theirs)) == descriptor
        stored = xattr.NTACL()
        stored.version, stored.info = 1, theirs
        assert ndr_pack(stored)[12:] == binary.pack_samba(descriptor)[12:]
        token = security.token()
        token.sids = [security.dom_sid(text) for text in sorted(held)]
        token.num_sids = len(held)
        for bit in BITS:
            try:
                samba.access_check(theirs, token, bit)
                expected = True
            except NTSTATUSError:
                expected = False
            assert check(descriptor, held, bit) is expected, (descriptor, held, bit)
            compared += 1
    assert compared >= 20_000
