"""The folder trees of hosting accounts: made, renamed, buried, and deleted at last, by descriptors and without links.

A tree is known by its mark, a file of root's that holds the account's key. It tells whose tree a folder is, whatever
the folder is called by now, so that every step can be done again after a crash and none ever takes a stranger's tree
for its own. A domain's and a subdomain's mark lies in the tree's root, which belongs to root, and moves with it. A web
user owns the root of his tree, so that his mark lies beside it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from innkeeper.hostd.hosting_accounts import TREE_KEY, Spec
from innkeeper.hostd.storage import FOLDER_FLAGS

MOVING, GRAVES, NOTE = ".moving", ".graves", ".json"
GRAVE = re.compile(rf"{TREE_KEY.pattern}-([0-9]{{10}})-[0-9]{{9}}")
MARK_BYTES = 16
_OF_OTHERS = frozenset({"subdomains", "web_users"})


class TreeError(Exception):
    """A tree cannot be made or moved. The message says what is in the way."""


@dataclass(frozen=True, slots=True)
class Owners:
    """Numbers of the user of a tree and of the groups in it."""

    user: int
    servers: int
    customers: int


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder as it is made; what is there already stays as it is: the account's rules have the say from then on."""

    name: str
    owner: Literal["root", "user"]
    group: Literal["root", "servers", "customers"]
    mode: int


# The roots let everybody pass, for the accounts of web users and of the domain itself are in no group that owns them;
# what lies below is closed to others.
ROOT = Folder("", "root", "servers", 0o711)
DOCUMENTS = (
    Folder("httpdocs", "user", "servers", 0o2750),
    Folder("httpsdocs", "user", "servers", 0o2750),
    Folder("cgi-bin", "user", "servers", 0o750),
    # Its pages are changed, not added or removed; an owner could let himself do that.
    Folder("error_docs", "root", "servers", 0o750),
)
TRASH = Folder(".trash", "user", "customers", 0o700)
LAYOUTS: dict[str, tuple[Folder, ...]] = {
    "domain": (
        *DOCUMENTS,
        Folder("private", "user", "customers", 0o700),
        Folder("conf", "root", "root", 0o750),
        Folder("logs", "root", "root", 0o750),
        Folder("statistics", "root", "root", 0o750),
        Folder("anon_ftp", "user", "servers", 0o2750),
        Folder("subdomains", "root", "servers", 0o711),
        Folder("web_users", "root", "servers", 0o711),
        TRASH,
    ),
    "subdomain": DOCUMENTS,
    "frame": (*DOCUMENTS[:1], TRASH),
}
WEB_USER = Folder("", "user", "servers", 0o2750)


def ensure(vhosts: Path, spec: Spec, owners: Owners) -> None:
    """Make an account's tree, and folders that are missing in it. Raises TreeError."""
    with opened(vhosts) as top:
        if spec.kind == "webuser":
            _ensure_web_user(top, spec, owners)
            return
        with _parent(top, spec) as parent:
            name = spec.folder[-1]
            if not _exists(parent, name):
                _build(top, spec, owners, parent)
            elif _mark(parent, spec) != spec.key:
                raise TreeError(f"{'/'.join(spec.folder)} is there already, and is not this account's.")
            with _below(parent, name) as root:
                _lay(root, spec, owners)


def _ensure_web_user(top: int, spec: Spec, owners: Owners) -> None:
    with _parent(top, spec) as parent:
        mark = _mark(parent, spec)
        if mark is None and not _exists(parent, spec.name):
            _write_mark(parent, _mark_name(spec), spec.key)
        elif mark != spec.key:
            raise TreeError(f"{'/'.join(spec.folder)} is there already, and is not this account's.")
        _make(parent, spec.name, WEB_USER, owners)


def _build(top: int, spec: Spec, owners: Owners, parent: int) -> None:
    """A whole new tree among what is on its way, from where it gets its place in one step."""
    name = f"{spec.key}.new"
    with _below(top, MOVING) as moving:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(name, dir_fd=moving)
        _make(moving, name, ROOT, owners)
        with _below(moving, name) as root:
            _write_mark(root, _mark_name(spec), spec.key)
            _lay(root, spec, owners)
        os.rename(name, spec.folder[-1], src_dir_fd=moving, dst_dir_fd=parent)


def _lay(root: int, spec: Spec, owners: Owners) -> None:
    for folder in LAYOUTS["frame" if spec.hosting == "frame" else spec.kind]:
        _make(root, folder.name, folder, owners)


@dataclass(frozen=True, slots=True)
class Move:
    """A tree that belongs at `spec`'s place, and the place where it was when it was last heard of."""

    spec: Spec
    old: Spec


def move(vhosts: Path, moves: Sequence[Move]) -> dict[str, str]:
    """Give trees their new names; what was in the way of which key.

    All are taken away from their places before the first gets its new one, so that two may swap their names.
    """
    failed = {}
    with opened(vhosts) as top:
        waiting = [each for each in moves if _stage(top, each)]
        for each in waiting:
            try:
                _place(top, each.spec)
            except (TreeError, OSError) as error:
                failed[each.spec.key] = str(error)
    return failed


def _stage(top: int, move: Move) -> bool:
    """Take a tree from its old place. Tells whether it waits for its new one."""
    key = move.spec.key
    with _below(top, MOVING) as moving:
        if _exists(moving, key):
            return True
        with contextlib.suppress(FileNotFoundError, TreeError), _parent(top, move.old) as parent:
            if _mark(parent, move.old) == key:
                os.rename(move.old.folder[-1], key, src_dir_fd=parent, dst_dir_fd=moving)
                return True
    return False


def _place(top: int, spec: Spec) -> None:
    with _below(top, MOVING) as moving, _parent(top, spec) as parent:
        if _exists(parent, spec.folder[-1]):
            raise TreeError(f"{'/'.join(spec.folder)} is there already, and is not this account's.")
        os.rename(spec.key, spec.folder[-1], src_dir_fd=moving, dst_dir_fd=parent)


def bury(vhosts: Path, spec: Spec) -> bool:
    """Take an account's tree away into a grave. Tells whether there was one; one that is gone is no error."""
    with opened(vhosts) as top, _below(top, GRAVES) as graves, _below(top, MOVING) as moving:
        if _exists(moving, spec.key):
            grave = _dig(graves, spec)
            os.rename(spec.key, grave, src_dir_fd=moving, dst_dir_fd=graves)
            return True
        with contextlib.suppress(FileNotFoundError, TreeError), _parent(top, spec) as parent:
            if _mark(parent, spec) != spec.key:
                return False
            grave = _dig(graves, spec)
            try:
                os.rename(spec.folder[-1], grave, src_dir_fd=parent, dst_dir_fd=graves)
            except FileNotFoundError:
                _forget(graves, grave)
            if spec.kind == "webuser":
                os.unlink(_mark_name(spec), dir_fd=parent)
            return True
    return False


def holder(vhosts: Path, spec: Spec) -> str | None:
    """The key of the account whose tree is at an account's place."""
    with opened(vhosts) as top, contextlib.suppress(TreeError), _parent(top, spec) as parent:
        return _mark(parent, spec)
    return None


def empty_grave(vhosts: Path, keep_s: int) -> int:
    """Delete the oldest grave that was made more than `keep_s` ago; how many more are due.

    One that cannot be deleted keeps no other. Raises TreeError if none that is due can be.
    """
    with opened(vhosts) as top, _below(top, GRAVES) as graves:
        due = sorted(
            (int(found[1]), name)
            # A crash may leave what was written down of a grave without it.
            for name in {each.removesuffix(NOTE) for each in os.listdir(graves)}  # noqa: PTH208 - of a descriptor
            if (found := GRAVE.fullmatch(name)) and int(found[1]) + keep_s <= time.time()
        )
        if not due or any(_delete(graves, name) and _forget(graves, name) for _, name in due):
            return max(0, len(due) - 1)
        raise TreeError(f"{GRAVES}/{due[0][1]} cannot be deleted, nor can any other that is due.")


@dataclass(frozen=True, slots=True)
class Grave:
    """What was taken away of an account: its name, whose it was, and since when it lies there."""

    name: str
    account: dict[str, Any]
    buried_at: int


def graves_of(vhosts: Path) -> list[Grave]:
    """Every grave of which it is known whose it is, the newest first."""
    found = []
    with opened(vhosts) as top, _below(top, GRAVES) as graves:
        for name in os.listdir(graves):  # noqa: PTH208 - of a descriptor
            if (match := GRAVE.fullmatch(name)) and (account := _read_note(graves, name)):
                found.append(Grave(name, account, int(match[1])))
    return sorted(found, key=lambda grave: grave.name.partition("-")[2], reverse=True)


def restore(vhosts: Path, spec: Spec, grave: str, users: Mapping[int, int]) -> None:
    """Give an account what lies in a grave; what it has now is buried instead.

    `users` says whose files become whose. Subdomains and web users of a domain have graves of their own, and those that
    are there stay. The grave goes last, so that this can be done again after a crash; one that is gone is no error.

    Raises TreeError when the account has no tree, or one of another kind: what is root's in the one is the owner's in
    the other. And when files cannot be given to their new owner.
    """
    with opened(vhosts) as top, _below(top, GRAVES) as graves, _parent(top, spec) as parent:
        if not _exists(graves, grave):
            _forget(graves, grave)
            return
        if (_read_note(graves, grave) or {}).get("kind") != spec.kind:
            raise TreeError(f"{GRAVES}/{grave} is not known to be of a {spec.kind}.")
        if _mark(parent, spec) != spec.key:
            raise TreeError(f"{'/'.join(spec.folder)} is not there yet.")
        for old, new in users.items():
            if old != new and not _run(graves, ["/bin/chown", "-R", "-h", f"--from={old}", "--", str(new), grave]):
                raise TreeError(f"{GRAVES}/{grave} holds files that cannot be given to {new}.")
        aside = _dig(graves, spec)
        if spec.kind == "webuser":
            try:
                os.rename(spec.name, aside, src_dir_fd=parent, dst_dir_fd=graves)
            except FileNotFoundError:  # it went there before a crash
                _forget(graves, aside)
            os.rename(grave, spec.name, src_dir_fd=graves, dst_dir_fd=parent)
        else:
            os.mkdir(aside, 0o700, dir_fd=graves)
            root_name = spec.folder[-1]
            with _below(graves, grave) as old_root, _below(graves, aside) as old, _below(parent, root_name) as root:
                for name in os.listdir(old_root):  # noqa: PTH208 - of a descriptor
                    if name in _OF_OTHERS or name.endswith((".security", ".account")):
                        continue
                    if _exists(root, name):
                        os.rename(name, name, src_dir_fd=root, dst_dir_fd=old)
                    os.rename(name, name, src_dir_fd=old_root, dst_dir_fd=root)
            _delete(graves, grave)
        _forget(graves, grave)


def _dig(graves: int, spec: Spec) -> str:
    """The name of a new grave, after whose it is has been written down beside it."""
    now = time.time_ns()
    grave = f"{spec.key}-{now // 10**9}-{now % 10**9:09}"
    fd = os.open(grave + NOTE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=graves)
    with os.fdopen(fd, "w") as stream:
        json.dump(dataclasses.asdict(spec), stream)
    return grave


def _read_note(graves: int, grave: str) -> dict[str, Any] | None:
    try:
        with os.fdopen(os.open(grave + NOTE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=graves)) as stream:
            account: dict[str, Any] = json.load(stream)
            return account
    except (OSError, ValueError):
        return None


def _forget(graves: int, grave: str) -> bool:
    """Remove what was written down of a grave that is gone."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(grave + NOTE, dir_fd=graves)
    return True


def _delete(graves: int, name: str) -> bool:
    """Delete a grave; tells whether it is gone."""
    return _run(graves, ["/bin/rm", "-rf", "--one-file-system", "--", name])


def _run(graves: int, command: Sequence[str]) -> bool:
    """Run a program on a grave; tells whether it did all of its work.

    Such a program knows trees of any depth: a customer makes one that is deeper than Python's stack and than hostd
    has descriptors.
    """
    done = subprocess.run(
        command,
        cwd=f"/proc/{os.getpid()}/fd/{graves}",
        env={"LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode == 0


# ---- marks


def _mark_name(spec: Spec) -> str:
    return f".{spec.name}.account" if spec.kind == "webuser" else ".account"


def _mark(parent: int, spec: Spec) -> str | None:
    """The key in the mark of the tree that has an account's place in its parent; None if root made no mark there."""
    try:
        if spec.kind == "webuser":
            return _read_mark(parent, _mark_name(spec))
        with _below(parent, spec.folder[-1]) as root:
            return _read_mark(root, _mark_name(spec))
    except OSError:
        return None


def _read_mark(folder: int, name: str) -> str | None:
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            return None
        key = os.read(fd, MARK_BYTES).decode(errors="replace").strip()
    finally:
        os.close(fd)
    return key if TREE_KEY.fullmatch(key) else None


def _write_mark(folder: int, name: str, key: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # an empty one, of a making that was killed
        os.unlink(name, dir_fd=folder)
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        os.write(fd, f"{key}\n".encode())
        os.fsync(fd)
    finally:
        os.close(fd)


# ---- folders


def _make(parent: int, name: str, folder: Folder, owners: Owners) -> None:
    """Make a folder with its owner and mode, unless something of its name is there.

    It gets its name last, so that none that was left half made ever has one. The parent is root's alone.
    """
    if _exists(parent, name):
        return
    new = f".{name}.new"
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(new, dir_fd=parent)
    os.mkdir(new, 0o700, dir_fd=parent)
    with _below(parent, new) as fd:
        user = owners.user if folder.owner == "user" else 0
        group = {"root": 0, "servers": owners.servers, "customers": owners.customers}[folder.group]
        os.fchown(fd, user, group)
        os.fchmod(fd, folder.mode)
    os.rename(new, name, src_dir_fd=parent, dst_dir_fd=parent)


def _exists(parent: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _open(name: str, parent: int) -> int:
    return os.open(name, FOLDER_FLAGS, dir_fd=parent)


@contextlib.contextmanager
def opened(vhosts: Path) -> Iterator[int]:
    fd = os.open(vhosts, FOLDER_FLAGS)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _below(parent: int, *names: str) -> Iterator[int]:
    """A folder's descriptor, reached without links. Raises FileNotFoundError or NotADirectoryError."""
    fd = os.dup(parent)
    try:
        for name in names:
            below = _open(name, fd)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _parent(top: int, spec: Spec) -> Iterator[int]:
    """The folder that an account's folder lies in. Raises TreeError when its domain has no tree."""
    with contextlib.ExitStack() as stack:
        try:
            fd = stack.enter_context(_below(top, *spec.folder[:-1]))
        except OSError as error:
            raise TreeError(f"{'/'.join(spec.folder[:-1])} is not there, or is no folder.") from error
        yield fd
