"""Lists of the kernel against the NT model, by an independent simulation of the kernel's rules."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from innkeeper.permissions.nt import sid
from innkeeper.permissions.nt.access import granted
from innkeeper.permissions.places import Places
from innkeeper.permissions.policy import Policy
from innkeeper.permissions.posix import acl as posix_acl
from innkeeper.permissions.posix.acl import Acl
from innkeeper.permissions.posix.bits import permissions
from innkeeper.permissions.posix.translate import Translator
from innkeeper.permissions.principals import Principals
from innkeeper.permissions.rules.document import Document
from innkeeper.permissions.rules.entry import read_rules

USERS = {"alice": 1001, "bob": 1002, "charlie": 1003, "dora": 1004}
GROUPS = {"staff": 2001, "guests": 2002, "others": 2003}
MEMBERS = {
    1001: frozenset({1001, 2001}), 1002: frozenset({2001, 2002}),
    1003: frozenset({2002, 2003}), 1004: frozenset({2003}),
}  # fmt: skip
PRINCIPALS = Principals(USERS, GROUPS, MEMBERS)
PERMS = st.integers(0, 7)


def kernel(acl: Acl, uid: int, owner: int, gid: int, request: int) -> bool:
    """The check of fs/posix_acl.c, entry by entry."""
    mask = 7 if acl.mask is None else acl.mask
    if acl.mask is not None and acl.mask == 0:
        # The kernel does not look at a list whose group bits in the mode are empty.
        if uid == owner:
            return acl.owner & request == request
        return acl.other & request == request
    if uid == owner:
        return acl.owner & request == request
    for user, perm in acl.users:
        if user == uid:
            return perm & mask & request == request
    found = False
    for group, perm in ((gid, acl.group), *acl.groups):
        if group in MEMBERS[uid]:
            found = True
            if perm & mask & request == request:
                return True
    return not found and acl.other & request == request


def rule(account, mask, flags="ThisFolderSubfoldersAndFiles", entry_flags=0):
    kind = "0" if account == "Everyone" else "1"
    return (
        f'<Entry AccounType="{kind}" Account="{account}" Path="/" AceFlags="{flags}" '
        f'AccessMask="{mask}" EntryFlags="{entry_flags}"/>'
    )


def policy(*entries: str) -> Policy:
    rules, findings = read_rules([Document(f"<R>{''.join(entries)}</R>")])
    assert findings == []
    return Policy(rules, PRINCIPALS, Places("/srv"))


entries = st.lists(
    st.builds(
        rule,
        st.sampled_from([*USERS, *GROUPS, "Everyone"]),
        st.sampled_from(["Read", "ReadAndExecute", "ReadWrite", "Modify", "FullAccess", "0x2", "0x6", "0x20", "0x1"]),
        st.sampled_from(["ThisObjectOnly", "ThisFolderSubfoldersAndFiles", "0xB", "FilesOnly", "0x2"]),
        st.sampled_from(["0x0", "0x1", "0x100", "0x101", "0x4"]),
    ),
    max_size=6,
)


@st.composite
def acls(draw):
    users = draw(st.dictionaries(st.sampled_from(list(USERS.values())), PERMS, max_size=3))
    groups = draw(st.dictionaries(st.sampled_from(list(GROUPS.values())), PERMS, max_size=3))
    return posix_acl.make(draw(PERMS), draw(PERMS), draw(PERMS), users, groups)


@settings(max_examples=150)
@given(entries, acls(), st.sampled_from([0, 1001, 1002]), st.sampled_from([0, 2001, 2003]), st.booleans())
def test_the_kernel_answers_what_the_model_answers(rules, existing, owner, gid, is_folder):
    compiled = policy(*rules)
    translator = Translator(compiled)
    ground = compiled.start((owner, gid))
    if not is_folder:
        ground = compiled.child(ground, None, False, (owner, gid))
    acl = translator.access(ground, posix_acl.effective(existing), owner, gid)
    assert posix_acl.unpack(posix_acl.pack(acl)) == acl
    aces = translator.entries(ground, posix_acl.effective(existing), owner, gid)
    for uid in USERS.values():
        token = PRINCIPALS.token(sid.user(uid))
        model = permissions(granted(aces, token))
        if ground.lets_pass(token):
            model |= 1
        for request in range(1, 8):
            expected = model & request == request
            answer = kernel(acl, uid, owner, gid, request)
            assert answer == expected, (uid, request, posix_acl.describe(acl))


@settings(max_examples=120)
@given(acls(), st.sampled_from([0, 1001, 1002]), st.sampled_from([0, 2001, 2003]))
def test_without_rules_everybody_keeps_what_he_had(existing, owner, gid):
    compiled = policy()
    ground = compiled.start((owner, gid))
    effective = posix_acl.effective(existing)
    acl = Translator(compiled).access(ground, effective, owner, gid)
    for uid in USERS.values():
        before = [kernel(existing, uid, owner, gid, request) for request in (1, 2, 4)]
        after = [kernel(acl, uid, owner, gid, request) for request in (1, 2, 4)]
        assert after == before, (uid, posix_acl.describe(existing), posix_acl.describe(acl))


@settings(max_examples=120)
@given(entries, acls(), st.sampled_from([0, 1001]), st.booleans())
@example(  # the x with which a group passes must not let in a member who is denied what it passes for
    [
        rule("bob", "Read", "ThisFolderSubfoldersAndFiles", "0x101"),
        rule("guests", "Read", "ThisFolderSubfoldersAndFiles"),
    ],
    posix_acl.Acl(0, 0, 1, (), ((2002, 0),), 4),
    0,
    True,
)
@example(  # what new files lack of the rules' rights must not take a second run to be found
    [rule("alice", "ReadWrite", "0x2", "0x0"), rule("Everyone", "Read", "0x2", "0x0")],
    posix_acl.Acl(0, 0, 2),
    0,
    True,
)
def test_a_second_application_changes_nothing(rules, existing, owner, is_folder):
    compiled = policy(*rules)
    translator = Translator(compiled)
    ground = compiled.start((owner, 0))
    if not is_folder:
        ground = compiled.child(ground, None, False, (owner, 0))
    first = translator.access(ground, posix_acl.effective(existing), owner, 0)
    assert translator.access(ground, posix_acl.effective(first), owner, 0) == first
    if is_folder:
        default = translator.default(ground, first, None)
        assert translator.default(ground, first, default and posix_acl.effective(default)) == default


@settings(max_examples=120)
@given(entries, st.sampled_from([1001, 1002, 1003]), st.booleans())
@example(  # files name one group of bob's and folders the other: what one denies the other must not give
    [
        rule("staff", "Read", "0x2"),
        rule("guests", "Read", "FilesOnly", "0x1"),
        rule("Everyone", "Read", "ThisFolderSubfoldersAndFiles"),
    ],
    1001,
    False,
)
def test_new_files_and_folders_never_start_with_more_than_the_model(rules, creator, is_folder):
    compiled = policy(rule("Everyone", "NoAccess", entry_flags="0x4"), *rules)
    translator = Translator(compiled)
    ground = compiled.start((0, 0))
    default = translator.default(ground, posix_acl.of_mode(0o755), None)
    assert default is not None
    child = compiled.child(ground, None, is_folder, (creator, 0))
    for uid in USERS.values():
        if uid == creator:
            continue
        token = PRINCIPALS.token(sid.user(uid))
        model = permissions(granted(child.aces, token)) | int(child.lets_pass(token))
        for request in (4, 2) if not is_folder else (4, 2, 1):
            if kernel(default, uid, creator, 0, request):
                assert model & request == request, (uid, request, posix_acl.describe(default))


def test_an_empty_mask_would_switch_the_list_off():
    compiled = policy(rule("alice", "FullAccess", entry_flags="0x1"))
    acl = Translator(compiled).access(compiled.start((0, 0)), posix_acl.of_mode(0o604), 0, 0)
    assert acl.users == ((1001, 0),)
    assert acl.mask == 4
    assert not kernel(acl, 1001, 0, 0, 4)
    assert kernel(acl, 1004, 0, 0, 4)


def test_groups_do_not_add_up_in_the_kernel_so_a_member_of_two_gets_an_entry():
    compiled = policy(rule("staff", "Read", "ThisObjectOnly"), rule("guests", "0x6", "ThisObjectOnly"))
    acl = Translator(compiled).access(compiled.start((0, 0)), posix_acl.of_mode(0o700), 0, 0)
    assert acl.users == ((1002, 6),)


def test_what_is_denied_to_a_group_does_not_come_back_through_another():
    compiled = policy(rule("staff", "FullAccess", entry_flags="0x1"), rule("guests", "Read"))
    acl = Translator(compiled).access(compiled.start((0, 0)), posix_acl.of_mode(0o755), 0, 0)
    assert acl.users == ((1002, 0),)
    assert kernel(acl, 1003, 0, 0, 4)


def test_a_mode_that_gives_others_more_than_a_group_is_kept():
    compiled = policy(rule("alice", "Read"))
    acl = Translator(compiled).access(compiled.start((0, 2003)), posix_acl.of_mode(0o604), 0, 2003)
    assert (acl.group, acl.other) == (0, 4)
    assert not kernel(acl, 1004, 0, 2003, 4)


def test_a_folder_on_the_way_to_more_accounts_than_a_list_holds_lets_everybody_pass():
    many = Principals({f"u{n}": 5000 + n for n in range(300)}, {}, {})
    text = "".join(
        f'<Entry AccounType="1" Account="u{n}" Path="/" SubPath="home{n}" '
        'AceFlags="0x3" AccessMask="FullAccess" EntryFlags="0"/>'
        for n in range(300)
    )
    rules, _ = read_rules([Document(f"<R>{text}</R>")])
    compiled = Policy(rules, many, Places("/srv"))
    acl = Translator(compiled).access(compiled.start((0, 0)), posix_acl.of_mode(0o700), 0, 0)
    assert (acl.users, acl.other) == ((), 1)


def test_a_default_list_holds_what_files_and_folders_have_in_common():
    compiled = policy(rule("alice", "ReadAndExecute", "ThisFolderAndSubfolders"), rule("alice", "Read", "FilesOnly"))
    default = Translator(compiled).default(compiled.start((0, 0)), posix_acl.of_mode(0o750), None)
    assert default is not None
    assert default.users == ((1001, 5),)
