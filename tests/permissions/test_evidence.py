"""The tables of docs/security-evidence.md are what processes saw. Run this file as root to write them."""

from __future__ import annotations

# Calls of the system are what is tested, and what actors do is written as lambdas.
# ruff: noqa: PTH208, PLW0108
import contextlib
import os
import pwd
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from servers import layout as make_layout
from trees import ALICE, BOB, CHARLIE, MEMBERS, WEB, applied, as_user, entry, make

from innkeeper.permissions import explain
from innkeeper.permissions.nt import sid
from innkeeper.permissions.server import disk, hosting, running
from innkeeper.permissions.server.hosting import Hosted
from innkeeper.permissions.server.layout import Layout
from innkeeper.permissions.server.running import How

PAGE = Path(__file__).parents[2] / "docs" / "security-evidence.md"
ALL, BELOW, HERE = "ThisFolderSubfoldersAndFiles", "SubfoldersAndFilesOnly", "ThisObjectOnly"
SITE = r"example.com\httpdocs"

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become other users"),
]

Row = tuple[str, ...]
Asked = tuple[str, bool, bool]


def yes(allowed: bool) -> str:
    return "yes" if allowed else "no"


# ---- the worked examples: what is tried, what the rules say, what the kernel did


def example_1(tree: Path) -> Iterator[Asked]:
    """Deny everything to one account on the disk; another rule's error does not stop it."""
    make(tree, "data/file")
    rules = [entry("nobody-here", "data", HERE, "Read", "0x9"), entry("alice", "", ALL, "FullAccess", "0x9")]
    applied(tree, *rules)
    yield "the account lists the root", False, as_user(ALICE, lambda: os.listdir(tree))
    yield "the account reads a file below", False, as_user(ALICE, lambda: (tree / "data/file").read_text())
    yield "somebody else reads the file", True, as_user(BOB, lambda: (tree / "data/file").read_text())


def example_2_and_4(tree: Path) -> Iterator[Asked]:
    """Files of error_docs are read and written, the folder is left out."""
    make(tree, "example.com/error_docs/404.html")
    (tree / "example.com/error_docs/404.html").chmod(0o600)
    applied(tree, entry("alice", r"example.com\error_docs\*.*", "FilesOnly", "ReadWrite", "0x80"))
    folder = tree / "example.com/error_docs"
    yield "the domain's user reads a page", True, as_user(ALICE, lambda: (folder / "404.html").read_text())
    yield "the domain's user writes a page", True, as_user(ALICE, lambda: (folder / "404.html").write_text("gone"))
    yield "the domain's user adds a page", False, as_user(ALICE, lambda: (folder / "new.html").write_text("no"))
    yield "somebody else reads the page", False, as_user(BOB, lambda: (folder / "404.html").read_text())


def example_3(tree: Path) -> Iterator[Asked]:
    """Read on the domain's root and the files in it, exactly that; a missing folder is made."""
    rule = entry("alice", "example.com", "FilesOnly", "Read", "0x140")
    applied(tree, rule)
    site = tree / "example.com"
    make(tree, "example.com/page", "example.com/below/page")
    for path in (site / "page", site / "below/page"):
        path.chmod(0o640)
    os.setxattr(site / "page", "user.here", b"1")
    applied(tree, rule)
    yield "the folder is there", True, site.is_dir()
    yield "the domain's user lists the root", True, as_user(ALICE, lambda: os.listdir(site))
    yield "the domain's user reads a file in it", True, as_user(ALICE, lambda: (site / "page").read_text())
    yield "the domain's user writes the file", False, as_user(ALICE, lambda: (site / "page").write_text("no"))
    yield "the domain's user adds a file", False, as_user(ALICE, lambda: (site / "new").write_text("no"))


def httpdocs(tree: Path, *more: str) -> Path:
    make(tree, "example.com/httpdocs/page", "example.com/httpdocs/picture_library/cat")
    applied(
        tree,
        entry("alice", "example.com", HERE, "ReadAndExecute", "0x144"),
        entry("alice", SITE, HERE, "FileNonRemovable", "0x140"),
        entry("alice", SITE, BELOW, "FullAccess", "0x140"),
        *more,
    )
    return tree / "example.com/httpdocs"


def example_5(tree: Path) -> Iterator[Asked]:
    """A folder that may not be removed, and everything in it that may."""
    docs = httpdocs(tree)
    yield "the domain's user removes a page", True, as_user(ALICE, lambda: (docs / "page").unlink())
    yield "the domain's user adds a page", True, as_user(ALICE, lambda: (docs / "new").write_text("x"))
    yield "the domain's user makes a folder", True, as_user(ALICE, lambda: (docs / "made").mkdir())
    yield "the domain's user removes that folder", True, as_user(ALICE, lambda: (docs / "made").rmdir())
    yield "the domain's user renames httpdocs", False, as_user(ALICE, lambda: docs.rename(docs.parent / "gone"))
    yield "the domain's user opens httpdocs to all", False, as_user(ALICE, lambda: docs.chmod(0o777))


def example_6(tree: Path) -> Iterator[Asked]:
    """A folder that may not be removed in one whose contents may."""
    library = rf"{SITE}\picture_library"
    rules = (
        entry("alice", library, HERE, "FileRemovable", "0x141"),
        entry("alice", library, ALL, "FullAccess", "0x140"),
    )
    docs = httpdocs(tree, *rules)
    pictures = docs / "picture_library"
    yield "the domain's user adds a picture", True, as_user(ALICE, lambda: (pictures / "dog").write_text("x"))
    yield "the domain's user removes a picture", True, as_user(ALICE, lambda: (pictures / "dog").unlink())
    yield "the domain's user renames picture_library", False, as_user(ALICE, lambda: pictures.rename(docs / "gone"))
    yield "the domain's user removes it when empty", False, as_user(ALICE, lambda: emptied(pictures))
    yield "the domain's user removes a page beside it", True, as_user(ALICE, lambda: added_and_gone(docs / "beside"))


def emptied(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def added_and_gone(path: Path) -> None:
    path.write_text("x")
    path.unlink()


EXAMPLES = {
    "1": example_1, "2 and 4": example_2_and_4, "3": example_3, "5": example_5, "6": example_6,
}  # fmt: skip


# ---- EntryFlags, each by what processes can do with it


def closed(tree: Path, *paths: str) -> None:
    make(tree, *paths)
    for path in tree.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)


def reads(path: Path, who: int = ALICE) -> bool:
    return as_user(who, lambda: os.listdir(path) if path.is_dir() else path.read_text())


def flag_0x0(tree: Path) -> Iterator[Asked]:
    closed(tree, "d/f")
    applied(tree, entry("alice", "d", ALL, "Read", "0x0"))
    yield "reads what is allowed", True, reads(tree / "d/f")


def flag_0x1(tree: Path) -> Iterator[Asked]:
    make(tree, "d/f")
    applied(tree, entry("alice", "d", ALL, "FullAccess", "0x1"))
    yield "reads what is denied to him alone", False, reads(tree / "d/f")
    yield "another reads it", True, reads(tree / "d/f", BOB)


def flag_0x2(tree: Path) -> Iterator[Asked]:
    closed(tree, "a/b/f", "a/c/f")
    applied(tree, entry("alice", r"a\b", HERE, "Read", "0x2"))
    yield "lists the folder above", True, reads(tree / "a")
    yield "lists the folder itself", True, reads(tree / "a/b")
    yield "lists the folder beside it", False, reads(tree / "a/c")


def flag_0x4(tree: Path) -> Iterator[Asked]:
    make(tree, "d/e/f")
    applied(tree, entry("bob", "d", ALL, "Read"), entry("alice", r"d\e", ALL, "Read", "0x4"))
    yield "the rule's account reads", True, reads(tree / "d/e/f")
    yield "who would inherit from above reads", False, reads(tree / "d/e/f", BOB)
    yield "who could before reads", False, reads(tree / "d/e/f", CHARLIE)


def flag_0x8(tree: Path) -> Iterator[Asked]:
    closed(tree, "d/f")
    applied(tree, entry("nobody-here", "d", ALL, "Read", "0x8"), entry("alice", "d", ALL, "Read"))
    yield "the other rule is applied", True, reads(tree / "d/f")


def flag_0x10(tree: Path) -> Iterator[Asked]:
    closed(tree, "d/f")
    applied(tree, entry("alice", "d", ALL, "Read", "0x10"))
    yield "lists the folder", True, reads(tree / "d")
    yield "reads a file in it", False, reads(tree / "d/f")


def flag_0x20(tree: Path) -> Iterator[Asked]:
    closed(tree, "d/left/f", "d/f")
    applied(tree, entry("alice", "d", ALL, "Read"), entry("alice", r"d\left", HERE, "Read", "0x20"))
    yield "reads a file beside it", True, reads(tree / "d/f")
    yield "reads in the folder that is left alone", False, reads(tree / "d/left/f")


def flag_0x40(tree: Path) -> Iterator[Asked]:
    applied(tree, entry("alice", r"made\deep", ALL, "Modify", "0x40"))
    yield "works in the folder that was made", True, as_user(ALICE, lambda: (tree / "made/deep/f").write_text("x"))


def flag_0x80(tree: Path) -> Iterator[Asked]:
    closed(tree, "d/a.txt", "d/b.dat")
    applied(tree, entry("alice", r"d\*.txt", "FilesOnly", "Read", "0x80"))
    yield "reads a file of the mask", True, reads(tree / "d/a.txt")
    yield "reads another file", False, reads(tree / "d/b.dat")
    yield "lists the folder", False, reads(tree / "d")


def flag_0x100(tree: Path) -> Iterator[Asked]:
    closed(tree, "loose", "strict")
    for name, flags in (("loose", "0x0"), ("strict", "0x100")):
        applied(tree, entry("alice", name, HERE, "Modify"))
        applied(tree, entry("alice", name, HERE, "Read", flags))
    write = {name: as_user(ALICE, lambda name=name: (tree / name).write_text("x")) for name in ("loose", "strict")}
    yield "still writes what he could, without the flag", True, write["loose"]
    yield "still writes what he could, with it", False, write["strict"]


FLAGS = {
    name.removeprefix("flag_"): case for name, case in list(globals().items()) if name.startswith("flag_0x")
}  # fmt: skip


# ---- the default files: what the requirement's two tables say, and what accounts have

ACCOUNTS = {
    "psaadm": "bin",
    "psacln": "games",
    "psaserv": "www-data",
    "NETWORK SERVICE": "www-data",
    "Everyone": "nobody",
}
NONE, RX, READ = "--x ---", "r-x r-x", "r-x r--"

# Place, account, what the table says of folder and file in it (everybody passes through folders on Windows), and where
# that is on Debian.
DISK_ROWS = [
    ("disk root", "Everyone", "r-x", "/"),
    ("disk root", "psaadm", "--x", "/"),
    ("disk root", "psacln", "--x", "/"),
    ("Program Files", "psacln", "--x", "/usr"),
    ("Common Files", "psaadm", "r-x", "/usr/lib"),
    ("Common Files", "psacln", "r-x", "/usr/lib"),
    ("Common Files", "psaserv", "r-x", "/usr/lib"),
    ("Common Files", "NETWORK SERVICE", "r-x", "/usr/lib"),
    ("Windows\\TEMP", "psaadm", "r-x", "/tmp"),
    ("Windows\\TEMP", "psacln", "r-x", "/tmp"),
    ("Windows\\TEMP", "psaserv", "r-x", "/tmp"),
    ("Windows\\TEMP", "NETWORK SERVICE", "r-x", "/tmp"),
    # What was removed lies there: it is no account's to look at.
    ("RECYCLER", "psaadm", "---", "vhosts/.graves"),
    ("RECYCLER", "psacln", "---", "vhosts/.graves"),
    ("%plesk_dir%", "psaadm", RX, "program"),
    ("%plesk_dir%", "psacln", NONE, "program"),
    ("%plesk_dir%", "psaserv", NONE, "program"),
    ("%plesk_dir%", "NETWORK SERVICE", NONE, "program"),
    ("%plesk_bin%", "psaadm", RX, "bin"),
    ("%plesk_bin%", "psacln", "--x r-x", "bin"),
    ("%plesk_vhosts%", "psaadm", "--x", "vhosts"),
    ("%plesk_vhosts%", "psacln", "--x", "vhosts"),
    ("%plesk_vhosts%", "psaserv", "--x", "vhosts"),
    ("%plesk_vhosts%", "NETWORK SERVICE", "--x", "vhosts"),
]
# Places of which the table says that the system's defaults stay: a folder that no rule names, with what lies in it.
KEPT = [("Documents and Settings", "home"), ("Windows", "system")]
USERS = {"DomainUser": "bin", "AnonymousDomainUser": "www-data", "FtpSubaccounts": "news"}
DOCS_ROWS = [
    # account, system account, what the table says of folder, file in it, and the folder's removal
    ("ftp_subaccounts", "news", "--x --- stays"),
    ("domain FTP user", "bin", "rwx rwx stays"),
    ("parent domain FTP user", "lp", "rwx rwx stays"),
    ("IIS user", "www-data", "r-x r-- stays"),
    ("parent domain IIS user", "mail", "r-x r-- stays"),
    ("application pool user (the IIS user)", "www-data", "r-x r-- stays"),
]


def as_account(name: str, action: Callable[[], object]) -> bool:
    """Try an action as an account of the system; True when the kernel allowed it."""
    account = pwd.getpwnam(name)
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(PermissionError, FileNotFoundError):
            os.setgroups([account.pw_gid])
            os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
            os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
            action()
            code = 0
        os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def letters(name: str, path: Path) -> str:
    modes = {"r": os.R_OK, "w": os.W_OK, "x": os.X_OK}
    return "".join(
        letter if as_account(name, lambda mode=mode: os.access(path, mode) or refuse()) else "-"
        for letter, mode in modes.items()
    )


def refuse() -> None:
    raise PermissionError


def held(wanted: str, seen: str) -> str:
    more = any(b != "-" and a == "-" for a, b in zip(wanted, seen, strict=True))
    less = any(b == "-" and a != "-" for a, b in zip(wanted, seen, strict=True))
    return {(False, False): "exactly", (False, True): "more strictly", (True, False): "more loosely"}.get(
        (more, less), "more strictly and more loosely"
    )


def disk_rows(server: Layout) -> list[Row]:
    make(server.root, "program/module.py", "bin/tool", "vhosts/example.com/")
    (server.root / "bin").chmod(0o711)  # as `up` makes it
    (server.vhosts / ".graves").mkdir(mode=0o700)
    make(server.root, *(f"{where}/of-somebody" for _, where in KEPT))
    (server.root / "home").chmod(0o751)
    (server.root / "home/of-somebody").chmod(0o640)
    before = {where: kept(server.root / where) for _, where in KEPT}
    (server.root / "bin/tool").chmod(0o755)
    running.run(server, disk.policy(server), server.root, disk.files(server), How())
    files = {"program": "program/module.py", "bin": "bin/tool"}
    rows = []
    for place, account, wanted, where in DISK_ROWS:
        path = Path(where) if where.startswith("/") else server.root / where
        seen = letters(ACCOUNTS[account], path)
        if where in files:
            seen += " " + letters(ACCOUNTS[account], server.root / files[where])
        rows.append((place, account, f"`{wanted}`", f"`{where}`: `{seen}`", held(wanted, seen)))
    for place, where in KEPT:
        after = kept(server.root / where)
        told = "; ".join(dict.fromkeys(after.values()))
        is_same = after == before[where]
        rows.append(
            (place, "each", "the system's own", f"`{where}`: `{told}`, as before", "exactly" if is_same else "-")
        )
    return rows


def kept(folder: Path) -> dict[str, str]:
    """What each account can do with a folder and the file in it."""
    return {
        account: f"{letters(user, folder)} {letters(user, folder / 'of-somebody')}"
        for account, user in ACCOUNTS.items()
    }


def docs_rows(server: Layout) -> list[Row]:
    # A subdomain with a user of its own has all six accounts.
    users = USERS | {"ParentUser": "lp", "AnonymousParentUser": "mail"}
    account = Hosted("d1", "subdomain", ("example.com", "subdomains", "shop"), users)
    parent = Hosted("s1", "domain", ("example.com",), USERS | {"DomainUser": "lp", "AnonymousDomainUser": "mail"})
    make(server.vhosts, "example.com/subdomains/shop/httpdocs/page")
    for outcome in hosting.instantiate(server, [parent, account], "alice", "test"):
        assert not outcome.run.report.stopped
    docs = server.vhosts / "example.com/subdomains/shop/httpdocs"
    rows = []
    for name, user, wanted in DOCS_ROWS:
        goes = as_account(user, lambda: docs.rename(docs.with_name("gone")))
        seen = f"{letters(user, docs)} {letters(user, docs / 'page')} {'goes' if goes else 'stays'}"
        rows.append((name, f"`{wanted}`", f"`{seen}`", held(wanted, seen)))
    return rows


# ---- the page


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="evidence-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def asked(cases: dict[str, Callable[[Path], Iterator[Asked]]]) -> list[Row]:
    rows = []
    for name, case in cases.items():
        with folder() as tree:
            rows += [(name, action, yes(wanted), yes(seen)) for action, wanted, seen in case(tree)]
    return rows


def server_rows(rows: Callable[[Layout], list[Row]]) -> list[Row]:
    with folder() as tree:
        return rows(replace(make_layout(tree), aliases=ALIASES))


ALIASES = {"psaadm": "bin", "psacln": "@games", "psaserv": "@www-data", "network service": "@www-data",
           "ftp_subaccounts": "@news"}  # fmt: skip
TABLES: dict[str, tuple[Row, Callable[[], list[Row]]]] = {
    "examples": (("example", "action", "the rules allow it", "the process could"), lambda: asked(EXAMPLES)),
    "flags": (("EntryFlags", "action", "the rule's account should", "the process could"), lambda: asked(FLAGS)),
    "disk": (("path", "account", "the table says", "on Debian", "held"), lambda: server_rows(disk_rows)),
    "httpdocs": (("account", "the table says", "a process saw", "held"), lambda: server_rows(docs_rows)),
}


def table(head: Row, rows: list[Row]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, tuple("---" for _ in head), *rows))


def section(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- generated: {name} -->\n)(.*?)(<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("name", TABLES)
def test_the_page_holds_what_processes_saw(name):
    head, rows = TABLES[name]
    found = section(name).search(PAGE.read_text())
    assert found
    assert found[2].strip() == table(head, rows())


@pytest.mark.parametrize("cases", [EXAMPLES, FLAGS], ids=["examples", "flags"])
def test_processes_could_exactly_what_the_rules_allow(cases):
    assert [row for row in asked(cases) if row[2] != row[3]] == []


def test_explain_says_what_the_processes_saw(tree):
    from trees import compiled

    docs = httpdocs(tree)
    policy = compiled(
        tree,
        entry("alice", "example.com", HERE, "ReadAndExecute", "0x144"),
        entry("alice", SITE, HERE, "FileNonRemovable", "0x140"),
        entry("alice", SITE, BELOW, "FullAccess", "0x140"),
    )
    modes = {"read": os.R_OK, "write": os.W_OK, "execute": os.X_OK}
    compared = 0
    for path in (docs.parent, docs, docs / "page", docs / "picture_library", docs / "picture_library/cat"):
        accounts = [sid.user(uid) for uid in (ALICE, BOB, WEB)]
        found = explain.explain(policy, str(tree), path.relative_to(tree).parts, accounts, list(modes))
        for verdict in found.verdicts:
            uid = sid.uid_of(verdict.account)
            could = as_user(uid, lambda path=path, verdict=verdict: os.access(path, modes[verdict.right]) or refuse())
            assert verdict.kernel == could
            # The folders above may be closed to somebody to whom the object itself is not.
            assert verdict.posix or not could
            assert (verdict.nt or verdict.passes) == verdict.posix
            assert verdict.reasons or not verdict.nt
            compared += 1
    assert compared == 45
    assert MEMBERS[ALICE]


if __name__ == "__main__":
    text = PAGE.read_text()
    for key, (head, rows) in TABLES.items():
        made = table(head, rows())
        text = section(key).sub(lambda match, made=made: f"{match[1]}{made}\n{match[3]}", text)
    PAGE.write_text(text)
