"""What was set by hand since the rules were applied, and its adoption into a rule."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from innkeeper.permissions import apply, explain
from innkeeper.permissions.apply import Run
from innkeeper.permissions.nt import sid as sids
from innkeeper.permissions.nt.sid import Sid
from innkeeper.permissions.policy import Policy
from innkeeper.permissions.posix import acl as posix_acl
from innkeeper.permissions.posix.acl import Acl
from innkeeper.permissions.posix.bits import rights
from innkeeper.permissions.principals import Principals
from innkeeper.permissions.printing import printable
from innkeeper.permissions.rules.document import EMPTY, Document
from innkeeper.permissions.rules.entry import can_be_named, names_below, naming
from innkeeper.permissions.server import disk, hosting
from innkeeper.permissions.server.history import Metadata, MetadataError
from innkeeper.permissions.server.layout import Layout
from innkeeper.permissions.server.left import Book, Left
from innkeeper.permissions.server.running import How, Outcome, own_directory, run
from innkeeper.permissions.stores.posix import PosixState, PosixStore

ADOPTED = "adopted.xml"
_CHILDREN = "SubfoldersAndFilesOnly"
_HERE = "ThisObjectOnly"
# With 0x8: what the rule is about may be removed by then, and that must not stop the rules of all else.
STRICT, STRICT_DENY = "0x108", "0x109"


@dataclass(frozen=True, slots=True)
class Scope:
    """The policy that governs a path: that of the disk, or of one domain."""

    layout: Layout
    domain: str | None
    start: tuple[str, ...]

    @property
    def root(self) -> Path:
        """The root of its runs."""
        return self.layout.vhosts / self.domain if self.domain else self.layout.root

    @property
    def lock(self) -> str:
        """The lock of what changes there."""
        return hosting.lock_of(self.domain) if self.domain else "disk"

    def policy(self, instead: dict[Path, Document] | None = None) -> Policy:
        """Its rules, with some files' text replaced.

        Raises: MetadataError, RuleError.
        """
        if self.domain:
            return hosting.policy(self.layout, self.domain, instead)
        return disk.policy(self.layout, instead)

    def files(self) -> list[Metadata]:
        """The files of its rules."""
        if self.domain:
            found = [one.metadata for one in hosting.instances(self.layout, self.domain)]
            return [metadata for metadata in found if metadata.records.name != hosting.UNKNOWN]
        return disk.files(self.layout)

    def by_hand(self, store: PosixStore) -> list[Left]:
        """What was given to accounts that no rule names, or taken from them, since a run was there.

        In hosting accounts there is no such thing: what no rule gives, the rules take.
        """
        if self.domain:
            return []
        book = Book(self.layout.records)
        book.catch_up(self.layout.runs, self.root, store)
        return list(book.differing(self.root, self.start, store))

    def run(self, how: How, policy: Policy | None = None) -> Outcome:
        """Apply its rules, or plan it. The caller holds the lock."""
        return run(self.layout, policy or self.policy(), self.root, self.files(), how)


def scope_of(layout: Layout, path: Path) -> Scope:
    """The policy that governs a path.

    Raises: MetadataError when none does.
    """
    if path != layout.vhosts and path.is_relative_to(layout.vhosts):
        domain, *below = path.relative_to(layout.vhosts).parts
        return Scope(layout, domain, tuple(below))
    return Scope(layout, None, disk.parts_of(layout, path))


def all_scopes(layout: Layout) -> list[Scope]:
    """Everything that rules govern on a server."""
    return [Scope(layout, None, ()), *(Scope(layout, domain, ()) for domain in hosting.domains(layout))]


def put_back(scope: Scope, *, dry: bool) -> tuple[list[Left], Run]:
    """Give objects what a run left of them; what was changed by hand, and the run. The caller holds the lock."""
    store = PosixStore(scope.policy())
    found = scope.by_hand(store)
    with own_directory():
        changes = [item.change for item in found]
        return found, apply.put_back(store, str(scope.root), changes, scope.layout.runs, dry=dry or not found)


def adopt(scope: Scope, who: str) -> Path | None:
    """Let the rules say of one object what it has now; the file that was changed, or None if they do.

    Rules that were adopted for it before give way to the new ones, and those about what is gone go. Rules are tried
    before they are written: what they cannot say is refused. The caller holds the lock.

    Raises: MetadataError, RuleError, OSError.
    """
    metadata, prefix = _file_for(scope)
    place = {"Path": "[HTTPD_VHOSTS_D]" if scope.domain else "/", **naming((*prefix, *scope.start))}
    document = metadata.document() if metadata.read() is not None else Document(EMPTY, str(metadata.path))
    own = [element for element in document.entries if _is_adopted(element.values, place)]
    base = document.without_all(own)
    try:
        now = scope.policy()
        left = _left_of(scope, PosixStore(now))
        if not _explained(scope, now).drift and left is None:
            return None
    except (FileNotFoundError, NotADirectoryError):
        if not own:
            raise
        metadata.write(base.encoded(), who, f"{'/'.join(scope.start)} is gone")
        return metadata.path
    policy = scope.policy({metadata.path: base})
    found = _explained(scope, policy)
    if not can_be_named(scope.start):
        raise _not_sayable(found.path, "a name that no rule can hold")
    wanted = found.wanted
    if left is not None:
        wanted = PosixStore(policy).want(found.ground, left.left) if found.ground.reaches else left.left
        if not left.is_list_alone:
            raise _not_sayable(found.path, "what it has now, such as its owner or special bits")
    elif not found.drift:
        metadata.write(base.encoded(), who, f"{found.path} needs no rule of its own any more")
        return metadata.path
    # What one account gets may reach others as well, so if naming what differs is not enough, all is named.
    for whole in (False, True):
        entries = _entries(policy.principals, wanted, found.now, place, whole=whole)
        changed = base.with_entries(entries)
        if entries and not _explained(scope, scope.policy({metadata.path: changed})).drift:
            metadata.write(changed.encoded(), who, f"adopted what {found.path} has")
            if left is not None:
                Book(scope.layout.records).set(left.path, left.inode, left.now, PosixStore(policy))
            return metadata.path
    raise _not_sayable(found.path, "what it has now, such as its owner or special bits")


def _left_of(scope: Scope, store: PosixStore) -> Left | None:
    """What the object itself was, if it was changed by hand since a run."""
    return next((item for item in scope.by_hand(store) if item.path == scope.start), None)


def _explained(scope: Scope, policy: Policy) -> explain.Explanation:
    return explain.explain(policy, str(scope.root), scope.start, [], [])


def _not_sayable(path: str, what: str) -> MetadataError:
    return MetadataError(
        f"{printable(path)} cannot be adopted: no rule can say {what}."
        f" Restore it with: innkeeper security drift {printable(shlex.quote(path))} --restore"
    )


def _is_adopted(values: Mapping[str, str], place: Mapping[str, str]) -> bool:
    """True for an entry that was adopted for an object, or set for it alone in the panel."""
    return (
        values.get("Path") == place["Path"]
        and names_below(values) == names_below(place)
        and values.get("AceFlags") in (_HERE, _CHILDREN)
        and values.get("EntryFlags") in (STRICT, STRICT_DENY)
        and not values.get("Tag")
    )


def _file_for(scope: Scope) -> tuple[Metadata, tuple[str, ...]]:
    """The file that a rule about the object goes into, and what comes before its path there."""
    if scope.domain is None:
        return disk.disk_file(scope.layout, ADOPTED), ()
    best = None
    for instance in hosting.instances(scope.layout, scope.domain):
        fits = scope.start[: len(instance.folder)] == instance.folder
        if fits and (best is None or len(instance.folder) > len(best.folder)):
            best = instance
    if best is None:
        raise MetadataError(f"no hosting account has {scope.root}")
    return best.metadata, (scope.domain,)


def _entries(
    principals: Principals,
    wanted: PosixState,
    now: PosixState,
    place: Mapping[str, str],
    *,
    whole: bool,
) -> list[dict[str, str]]:
    """Rules that turn what is wanted into what is there, account by account: those that differ, or all of them."""
    entries = []
    for flags, before, after in (
        (_HERE, _list(wanted.access, wanted.mode), _list(now.access, now.mode)),
        (_CHILDREN, _list(wanted.default, None), _list(now.default, None)),
    ):
        accounts = {**_accounts(before), **_accounts(after)}
        if flags == _HERE:
            accounts[sids.group(now.gid)] = None
            if now.uid:
                accounts[sids.user(now.uid)] = None
        for sid in accounts:
            old, new = _perm(before, sid, now), _perm(after, sid, now)
            if old == new and (not whole or before == after):
                continue
            about = _named(principals, sid) | {**place, "AceFlags": flags}
            if new or not old:
                entries.append(about | {"AccessMask": f"0x{rights(new) or 0:x}", "EntryFlags": STRICT})
            refused = (7 if whole and sid != sids.EVERYONE else old) & ~new
            if refused:
                entries.append(about | {"AccessMask": f"0x{rights(refused):x}", "EntryFlags": STRICT_DENY})
    return entries


def _list(packed: bytes | None, mode: int | None) -> Acl | None:
    if packed:
        return posix_acl.effective(posix_acl.unpack(packed))
    return posix_acl.of_mode(mode) if mode is not None else None


def _accounts(acl: Acl | None) -> dict[Sid, None]:
    if acl is None:
        return {}
    named: Iterable[Sid] = (
        sids.EVERYONE,
        *(sids.user(uid) for uid, _ in acl.users),
        *(sids.group(gid) for gid, _ in acl.groups),
    )
    return dict.fromkeys(named)


def _perm(acl: Acl | None, sid: Sid, state: PosixState) -> int:
    if acl is None:
        return 0
    uid, gid = sids.uid_of(sid), sids.gid_of(sid)
    if uid is not None and uid == state.uid:
        return acl.owner
    if uid is not None:
        return dict(acl.users).get(uid, acl.other)
    if gid is not None and gid == state.gid and gid not in dict(acl.groups):
        return acl.group
    if gid is not None:
        return dict(acl.groups).get(gid, acl.other)
    return acl.other


def _named(principals: Principals, sid: Sid) -> dict[str, str]:
    name = principals.name(sid)
    if sid == sids.EVERYONE:
        return {"AccounType": "0", "Account": "Everyone"}
    if name == sid:
        raise MetadataError(f"{sid} is no account of this system, so no rule can name it")
    domain = {"Domain": "Unix Group"} if name.startswith("@") else {}
    return {"AccounType": "1", "Account": name.removeprefix("@"), "SidStr": sid} | domain
