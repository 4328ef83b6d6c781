"""Trees, rules and actors that the tests of the engine share."""

# Calls of the system are what is tested, and what actors do is written as lambdas.

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from innkeeper.permissions.apply import Options, Run, run
from innkeeper.permissions.places import Places
from innkeeper.permissions.policy import Policy
from innkeeper.permissions.principals import Principals
from innkeeper.permissions.rules.document import Document
from innkeeper.permissions.rules.entry import read_rules
from innkeeper.permissions.stores.posix import PosixStore

# Ids far from those of real accounts: the kernel needs no names.
ALICE, BOB, CHARLIE, WEB, POOL = 770001, 770002, 770003, 770004, 770005
CUSTOMERS, SERVERS, FTP_SUB = 780001, 780002, 780003
USERS = {"alice": ALICE, "bob": BOB, "charlie": CHARLIE, "web": WEB, "pool": POOL}
GROUPS = {"customers": CUSTOMERS, "servers": SERVERS, "ftpsub": FTP_SUB}
MEMBERS = {
    ALICE: frozenset({CUSTOMERS}),
    BOB: frozenset({CUSTOMERS, FTP_SUB}),
    CHARLIE: frozenset({CUSTOMERS}),
    WEB: frozenset({SERVERS}),
    POOL: frozenset({SERVERS, CUSTOMERS}),
}
PRINCIPALS = Principals(USERS, GROUPS, MEMBERS)

Snapshot = dict[str, tuple[object, ...]]


def entry(account: str, path: str, flags: str, mask: str, bits: str = "0x0", **more: str) -> str:
    """One rule below the root; ``path`` is its SubPath."""
    kind = "0" if account == "Everyone" else "1"
    values = {
        "AccounType": kind, "Account": account, "Path": "/", "SubPath": path,
        "AceFlags": flags, "AccessMask": mask, "EntryFlags": bits,
    } | more  # fmt: skip
    return "<Entry " + " ".join(f'{name}="{value}"' for name, value in values.items()) + "/>"


def compiled(root: Path, *entries: str, names: Mapping[str, str] | None = None, fences: Iterable[str] = ()) -> Policy:
    """The policy of some rules for a tree."""
    rules, findings = read_rules([Document("<R>\n" + "\n".join(entries) + "\n</R>", "r.xml")])
    assert findings == []
    return Policy(rules, PRINCIPALS, Places(str(root), names or {}), fences)


def applied(root: Path, *entries: str, **options: object) -> Run:
    """Apply some rules to a tree with the POSIX store."""
    policy = compiled(root, *entries)
    return run(policy, PosixStore(policy), str(root), Options(**options))


def make(root: Path, *paths: str) -> None:
    """Make folders (ending in /) and files with usual modes."""
    for path in paths:
        at = root / path
        if path.endswith("/"):
            at.mkdir(parents=True, exist_ok=True)
        else:
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_text(path)


def snapshot(root: Path) -> Snapshot:
    """Owner, mode and all attributes of every object."""
    found: Snapshot = {}
    for path in (root, *sorted(root.rglob("*"))):
        st = path.lstat()
        names = os.listxattr(path, follow_symlinks=False)
        attributes = tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in sorted(names))
        found[str(path.relative_to(root))] = (st.st_mode, st.st_uid, st.st_gid, attributes)
    return found


def as_user(uid: int, action: Callable[[], object]) -> bool:
    """Try an action in a process that has become the user with all groups; True when the kernel allowed it."""
    child = os.fork()
    if child == 0:
        code = 3
        try:
            os.setgroups(sorted(MEMBERS[uid]))
            gid = min(MEMBERS[uid])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            os.umask(0o022)
            action()
            code = 0
        except (PermissionError, FileNotFoundError) as error:
            code = 1 if isinstance(error, PermissionError) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 1), f"the action failed for another reason than permission ({code})"
    return code == 0
