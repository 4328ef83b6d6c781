"""Every value of a rule, tried by processes of the account that it names. Needs root."""

from __future__ import annotations

# Calls of the system are what is tested, and what actors do is written as lambdas.
# ruff: noqa: PTH123, PTH208, PLW0108
import os
from pathlib import Path

import pytest
from trees import ALICE, PRINCIPALS, applied, as_user, entry, make

from innkeeper.permissions.apply import run
from innkeeper.permissions.places import Places
from innkeeper.permissions.policy import Policy
from innkeeper.permissions.rules import vocabulary
from innkeeper.permissions.rules.document import Document
from innkeeper.permissions.rules.entry import read_rules
from innkeeper.permissions.rules.template import fill
from innkeeper.permissions.stores.posix import PosixStore

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become other users"),
]
ALL = "ThisFolderSubfoldersAndFiles"

# What an account with nothing else can do when a rule allows the mask, and what is left of all when one denies it.
MASKS = {
    "NoAccess": ("---", None),
    "Read": ("r--", "-wx"),
    "ReadAndExecute": ("r-x", "-w-"),
    "ReadAndDelete": ("r--", "-wx"),
    "ReadWrite": ("rw-", "--x"),
    "Modify": ("rwx", "---"),
    "FullAccess": ("rwx", "---"),
    "FileRemovable": ("---", "rwx"),
    "FileNonRemovable": ("rwx", "---"),
    "FtpSubaccountsNonRemovable": ("-w-", "r-x"),
}

# Which of folder, file in it, folder in it, file in that folder a rule reaches.
ACE_FLAGS = {
    "ThisObjectOnly": "yes no no no",
    "ThisFolderAndFiles": "yes yes no yes",
    "FilesOnly": "yes yes no yes",
    "ThisFolderAndSubfolders": "yes no yes no",
    "ThisFolderSubfoldersAndFiles": "yes yes yes yes",
    "SubfoldersAndFilesOnly": "no yes yes yes",
}


def closed(root: Path, *paths: str) -> None:
    """Make things that nobody but root has any right on; the root itself can be passed."""
    make(root, *paths)
    for path in root.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    root.chmod(0o711)


def on_file(path: Path) -> str:
    """What alice can do with a file."""
    tried = {
        "r": lambda: open(path).close(),
        "w": lambda: open(path, "a").close(),
        "x": lambda: _ask(path, os.X_OK),
    }
    return "".join(letter if as_user(ALICE, action) else "-" for letter, action in tried.items())


def on_folder(path: Path) -> str:
    """What alice can do with a folder; making something in it needs w and x."""
    tried = {
        "r": lambda: os.listdir(path),
        "w": lambda: _ask(path, os.W_OK),
        "x": lambda: (path / "known").stat(),
    }
    found = "".join(letter if as_user(ALICE, action) else "-" for letter, action in tried.items())
    makes = as_user(ALICE, lambda: (path / "made").mkdir())
    assert makes == ("w" in found and "x" in found)
    return found


def _ask(path: Path, mode: int) -> None:
    if not os.access(path, mode):
        raise PermissionError


@pytest.mark.parametrize("mask", vocabulary.ACCESS_MASKS)
def test_each_mask_allows_what_it_says(tree, mask):
    closed(tree, "f", "d/known")
    for path in ("f", "d"):
        applied(tree, entry("alice", path, "ThisObjectOnly", mask, "0x100"))
    assert (on_file(tree / "f"), on_folder(tree / "d")) == (MASKS[mask][0],) * 2


@pytest.mark.parametrize("mask", [mask for mask, (_, left) in MASKS.items() if left])
def test_each_mask_denies_what_it_says(tree, mask):
    closed(tree, "f", "d/known")
    rules = [
        rule
        for path in ("f", "d")
        for rule in (
            entry("alice", path, "ThisObjectOnly", "FullAccess"),
            entry("alice", path, "ThisObjectOnly", mask, "0x1"),
        )
    ]
    applied(tree, *rules)
    assert (on_file(tree / "f"), on_folder(tree / "d")) == (MASKS[mask][1],) * 2


@pytest.mark.parametrize("flags", vocabulary.ACE_FLAGS)
def test_each_ace_flag_reaches_what_it_says(tree, flags):
    closed(tree, "d/f", "d/sub/g")
    applied(tree, entry("alice", "d", flags, "Read", "0x100"))
    tried = [
        as_user(ALICE, lambda: os.listdir(tree / "d")),
        as_user(ALICE, lambda: open(tree / "d/f").close()),
        as_user(ALICE, lambda: os.listdir(tree / "d/sub")),
        as_user(ALICE, lambda: open(tree / "d/sub/g").close()),
    ]
    assert " ".join("yes" if allowed else "no" for allowed in tried) == ACE_FLAGS[flags]


@pytest.mark.parametrize("flags", ["ThisFolderSubfoldersAndFiles", "SubfoldersAndFilesOnly"])
def test_what_is_made_later_inherits(tree, flags):
    closed(tree, "d/")
    applied(tree, entry("alice", "d", flags, "Modify", "0x104"), entry("web", "d", flags, "Read", "0x100"))
    make(tree, "d/later/deep/f")
    assert on_file(tree / "d/later/deep/f")[:2] == "rw"
    assert as_user(ALICE, lambda: (tree / "d/later/deep/made").mkdir())


@pytest.mark.parametrize("tag", vocabulary.TAGS)
def test_each_tag_names_its_account(tree, tag):
    closed(tree, "f")
    rules, _ = read_rules([Document(f"<R>{entry('Null', 'f', 'ThisObjectOnly', 'Read', Tag=tag, AccounType='0')}</R>")])
    for number, account in enumerate(("web", "alice")):
        policy = Policy([fill(rule, {tag.casefold(): account}) for rule in rules], PRINCIPALS, Places(str(tree)))
        assert run(policy, PosixStore(policy), str(tree)).report.changed > 0
        assert as_user(ALICE, lambda: open(tree / "f").close()) == bool(number)


@pytest.mark.parametrize(
    ("path", "sub_path"),
    [("/", "place/f"), ("*", "f"), ("[PLACE]", "f"), ("%plesk_vhosts%", "f"), ("{root}/place", "f"), ("place\\f", "")],
)
def test_each_form_of_a_path_finds_the_file(tree, path, sub_path):
    closed(tree, "place/f")
    (tree / "place").chmod(0o711)
    bits = "0x0"
    if path == "*":
        bits, sub_path = "0x80", "f*"
    rule = entry("alice", sub_path, "ThisObjectOnly", "Read", bits, Path=path.format(root=tree))
    rules, findings = read_rules([Document(f"<R>{rule}</R>")])
    assert findings == []
    names = {"PLACE": str(tree / "place"), "HTTPD_VHOSTS_D": str(tree / "place")}
    policy = Policy(rules, PRINCIPALS, Places(str(tree), names))
    assert policy.findings == []
    assert run(policy, PosixStore(policy), str(tree)).report.problems == []
    assert on_file(tree / "place/f") == "r--"
