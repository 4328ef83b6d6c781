"""The walk over a tree by folder descriptors.

No link is followed, no mount point crossed, no name trusted twice.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from innkeeper.permissions.journal import Journal
from innkeeper.permissions.policy import Ground, Node, Policy
from innkeeper.permissions.posix.acl import AclError
from innkeeper.permissions.posix.translate import TooManyEntriesError
from innkeeper.permissions.report import Problem, Report
from innkeeper.permissions.rules.vocabulary import EntryFlag
from innkeeper.permissions.stores.base import NO_MEASURES, Change, Measures, Store
from innkeeper.permissions.stores.layout import measures

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Changes are recorded in the journal and made in batches of this size.
BATCH = 1024
# A folder that is itself as large as this has tens of thousands of names.
LISTED = 1 << 20
# Each level of a tree holds one descriptor; deeper trees are reported, not walked.
MAX_DEPTH = 900
# Hard links are counted, and this many are named.
_TOLD_LINKS = 20
_REMEMBERED = 4096
_UNKNOWN: Any = object()
_KIND = 0o170000
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_MOUNTS, _ESCAPED = Path("/proc/self/mountinfo"), re.compile(rb"\\([0-7]{3})")
_PROTECTED_HARDLINKS = Path("/proc/sys/fs/protected_hardlinks")


class StoppedError(Exception):
    """A rule that does not say to go on met an error."""


# The paths, below a root, at which something is mounted.
Mounts = frozenset[tuple[str, ...]]

# Told of a path, its ground and its states before and after; of a folder that would be made, only the path.
Watcher = Callable[[tuple[str, ...], Ground | None, Any, Any], None]


class Pending(NamedTuple):
    """A change that is decided and not yet made, of objects of one folder that are alike.

    Of each object the name, which is empty for the folder itself, and the inode.
    """

    ground: Ground
    old: Any
    new: Any
    objects: list[tuple[str, int]]


class Walker:
    """Applies a policy to a tree with one store.

    Works in the current directory: it changes it, and puts it back.
    """

    def __init__(
        self,
        policy: Policy,
        store: Store[Any],
        root: int,
        report: Report,
        *,
        journal: Journal | None = None,
        watch: Watcher | None = None,
        dry: bool = False,
        progress: Callable[[Report], None] | None = None,
    ) -> None:
        """Prepare for the tree below the opened folder ``root``.

        ``watch`` is told every change, made or, if dry, planned.
        """
        self.policy = policy
        self.store = store
        self.root = root
        self.device = os.fstat(root).st_dev
        self.mounts = mounts_below(root)
        self.report = report
        self.journal = journal
        self.watch = watch
        self.dry = dry
        self.progress = progress or (lambda _: None)
        self.pins = _hard_links_are_free()
        self._told = 0

    def walk(self, start: tuple[str, ...] = ()) -> None:
        """Apply to everything at and below a folder.

        Raises: StoppedError.
        """
        with kept_directory():
            opened = self._descend(start)
            if opened is None:
                return
            fd, ground, node = opened
            names = list(start)
            stack: list[tuple[int, Ground, Node | None, Iterator[str]]] = []
            try:
                stack.append((fd, ground, node, iter(self.folder(fd, ground, node, names))))
                while stack:
                    fd, ground, node, rest = stack[-1]
                    name = next(rest, None)
                    if name is None:
                        stack.pop()
                        os.close(fd)
                        if stack:
                            names.pop()
                        continue
                    names.append(name)
                    entered = self._enter(fd, ground, node, names, len(stack))
                    if entered is None:
                        names.pop()
                        continue
                    below, below_ground, below_node = entered
                    stack.append((below, below_ground, below_node, iter(())))
                    subs = self.folder(below, below_ground, below_node, names)
                    stack[-1] = (below, below_ground, below_node, iter(subs))
            finally:
                for fd, *_ in stack:
                    os.close(fd)

    def way(self, path: tuple[str, ...]) -> None:
        """Apply to the folders above a path, the root first, and to nothing else in them.

        Raises: StoppedError.
        """
        with kept_directory():
            for depth in range(len(path)):
                opened = self._descend(path[:depth])
                if opened is None:
                    return
                fd, ground, node = opened
                try:
                    self.report.folders += 1
                    if ground.reaches:
                        self._folder_itself(fd, ground, node, list(path[:depth]))
                except OSError as error:
                    self._failed(error, list(path[:depth]), "", ground)
                finally:
                    os.close(fd)

    def one(self, path: tuple[str, ...]) -> None:
        """Apply to one thing that is no folder.

        Raises: StoppedError.
        """
        with kept_directory():
            opened = self._descend(path[:-1])
            if opened is None:
                return
            fd, ground, node = opened
            names, name = list(path[:-1]), path[-1]
            pending: list[Pending] = []
            try:
                if self._is_mount(names, name):
                    return
                os.fchdir(fd)
                st = os.stat(name, dir_fd=fd, follow_symlinks=False)
                here = self._ground_of(ground, node, name, st)
                if here is not None:
                    self._file(here, name, st, names, pending)
                    self._make(names, pending)
            except OSError as error:
                self._failed(error, names, name, ground)
            finally:
                os.close(fd)

    def shallow(self, enough: int, start: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        """Apply to the upper levels only, until there are ``enough`` folders below them; return those.

        Raises: StoppedError.
        """
        level: list[tuple[str, ...]] = [start]
        with kept_directory():
            for _ in range(4):
                following: list[tuple[str, ...]] = []
                for path in level:
                    opened = self._descend(path)
                    if opened is None:
                        continue
                    fd, ground, node = opened
                    try:
                        following += [(*path, name) for name in self.folder(fd, ground, node, list(path))]
                    finally:
                        os.close(fd)
                level = following
                if not level or len(level) >= enough:
                    break
        return level

    def folder(self, fd: int, ground: Ground, node: Node | None, names: list[str]) -> list[str]:
        """Apply to an opened folder and the files in it.

        Return the names of the folders below that are to be visited.
        """
        self.report.folders += 1
        try:
            if ground.reaches:
                self._folder_itself(fd, ground, node, names)
            if node and node.is_fence:
                self.report.skipped["fence"] += 1
                return []
            has_masks = bool(self.policy.any_masks or (node and node.masks))
            if not ground.passes and not has_masks:
                return self._named_only(fd, ground, node, names)
            return self._scan(fd, ground, node, names)
        except OSError as error:
            self._failed(error, names, "", ground)
            return []

    def _folder_itself(self, fd: int, ground: Ground, node: Node | None, names: list[str]) -> None:
        st = os.fstat(fd)
        state = self.store.read(fd, st)
        needs = measures(self.policy, ground, node, st.st_uid) if node else NO_MEASURES
        key = (state, needs) if needs is not NO_MEASURES else state
        wanted = self._wanted(ground, key, state, needs, names)
        if wanted is not None:
            self._make(names, [Pending(ground, state, wanted, [("", st.st_ino)])], fd)

    def _scan(self, fd: int, ground: Ground, node: Node | None, names: list[str]) -> list[str]:
        os.fchdir(fd)
        policy, glance, lstat = self.policy, self.store.glance, os.lstat
        children = node.children if node else {}
        # Most files are alike: no rule names them, they inherit the same, and what is there is what was there before.
        plain: Ground | None = None
        if ground.passes and not ground.depends_on_owner and not policy.any_masks and not (node and node.masks):
            plain = policy.child(ground, None, False)
        known = plain.cache if plain else {}
        unknown = _UNKNOWN
        # The last plain file (`owners`: its number of names, owner and group), and what is wanted of it: its neighbours
        # are as it is. Places of a stat result are read in half the time of its names.
        seen = mode = owners = state = None
        wanted: Any = unknown
        same: list[tuple[str, int]] | None = None
        visits_all = ground.passes or bool(policy.any_masks)
        alike = waiting = 0
        subs: list[str] = []
        pending: list[Pending] = []
        found_names = _names(fd)
        if self.mounts:
            found_names = (name for name in found_names if not self._is_mount(names, name))
        for name in found_names:
            try:
                st = lstat(name)
                is_alike = st[0] == mode and st[3:6] == owners
                if plain is not None and (is_alike or _is_one_file(st)) and name not in children:
                    found = glance(name)
                    if not is_alike or found != seen:
                        seen, mode, owners, same = found, st[0], st[3:6], None
                        state = self.store.seen(found, st)
                        wanted = known.get(state, unknown)
                    if wanted is None:
                        alike += 1
                        continue
                    if wanted is unknown:
                        self._file(plain, name, st, names, pending)
                        wanted = known.get(state, unknown)
                    else:
                        alike += 1
                        if same is None:
                            same = []
                            pending.append(Pending(plain, state, wanted, same))
                        same.append((name, st[1]))
                elif stat.S_ISDIR(st.st_mode):
                    if visits_all or name in children:
                        subs.append(name)
                else:
                    here = plain if name not in children else None
                    here = here or self._ground_of(ground, node, name, st)
                    if here is not None:
                        self._file(here, name, st, names, pending)
            except OSError as error:
                self._failed(error, names, name, plain or ground)
            waiting += 1
            if waiting >= BATCH:
                self._make(names, pending)
                pending, same = [], None
                self.report.files += alike
                alike = waiting = 0
                self._tell()
        self.report.files += alike
        if pending:
            self._make(names, pending)
        self._tell()
        present = set(subs)
        missing = [name for name, below in children.items() if name not in present and _creates(below)]
        return subs + [name for name in missing if self._is_missing(fd, name)]

    def _ground_of(self, ground: Ground, node: Node | None, name: str, st: os.stat_result) -> Ground | None:
        """The ground of a file that is not like all others, or None when no rule is about it."""
        below = node.children.get(name) if node else None
        if below is not None and below.leave_alone:
            self.report.skipped["left alone"] += 1
            return None
        here = self.policy.child_file(ground, below, self.policy.matching(node, name), (st.st_uid, st.st_gid))
        return here if here.reaches else None

    def _file(self, here: Ground, name: str, st: os.stat_result, names: list[str], pending: list[Pending]) -> None:
        """Look at one thing that is no folder, in the current directory."""
        kind = st.st_mode & _KIND
        if kind not in (stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK):
            self.report.skipped["link" if kind == stat.S_IFLNK else "device"] += 1
            return
        if st.st_nlink > 1:
            self._hard_link(names, name)
            return
        self.report.files += 1
        state = self.store.read(name, st)
        wanted = self._wanted(here, state, state, NO_MEASURES, [*names, name])
        if wanted is not None:
            pending.append(Pending(here, state, wanted, [(name, st.st_ino)]))

    def _named_only(self, fd: int, ground: Ground, node: Node | None, names: list[str]) -> list[str]:
        """Nothing is inherited from here, so only what rules name is visited."""
        subs = []
        for name, below in (node.children if node else {}).items():
            if self._is_mount(names, name):
                continue
            try:
                st = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                if _creates(below):
                    subs.append(name)
                continue
            if stat.S_ISDIR(st.st_mode):
                subs.append(name)
                continue
            here = self._ground_of(ground, node, name, st)
            if here is not None:
                os.fchdir(fd)
                pending: list[Pending] = []
                try:
                    self._file(here, name, st, names, pending)
                except OSError as error:
                    self._failed(error, names, name, here)
                self._make(names, pending)
        return subs

    def _enter(
        self, fd: int, ground: Ground, node: Node | None, names: list[str], depth: int
    ) -> tuple[int, Ground, Node | None] | None:
        """Open a folder below an opened one; None when it is to be left alone or is gone."""
        name = names[-1]
        below = node.children.get(name) if node else None
        if below is not None and below.leave_alone:
            self.report.skipped["left alone"] += 1
            return None
        if self._is_mount(names[:-1], name):
            return None
        if depth >= MAX_DEPTH:
            self.report.problem(Problem("/".join(names), "too-deep", f"more than {MAX_DEPTH} folders deep"))
            return None
        try:
            opened = os.open(name, FOLDER, dir_fd=fd)
        except FileNotFoundError:
            if below is None or not _creates(below):
                self.report.vanished += 1
                return None
            if self.dry:
                self._plan_creation(names, below)
                return None
            if not self._create(fd, names, below):
                return None
            opened = os.open(name, FOLDER, dir_fd=fd)
        except OSError as error:
            self._failed(error, names[:-1], name, ground)
            return None
        st = os.fstat(opened)
        if st.st_dev != self.device:
            os.close(opened)
            self.report.skipped["mount point"] += 1
            return None
        return opened, self.policy.child(ground, below, True, (st.st_uid, st.st_gid)), below

    def _is_mount(self, names: list[str], name: str) -> bool:
        """Whether something is mounted at a name; it is left alone then, and counted."""
        if not self.mounts or (*names, name) not in self.mounts:
            return False
        self.report.skipped["mount point"] += 1
        return True

    def _descend(self, path: tuple[str, ...]) -> tuple[int, Ground, Node | None] | None:
        """Open a folder from the root on, part by part."""
        fd = os.dup(self.root)
        st = os.fstat(fd)
        ground, node = self.policy.start((st.st_uid, st.st_gid)), self.policy.root
        reached: tuple[int, Ground, Node | None] | None = (fd, ground, node)
        for depth in range(1, len(path) + 1):
            assert reached is not None  # noqa: S101 (the loop ends otherwise)
            above = reached
            try:
                reached = self._enter(*above, list(path[:depth]), depth)
            finally:
                os.close(above[0])
            if reached is None:
                return None
        return reached

    def _plan_creation(self, names: list[str], node: Node) -> None:
        """Tell of a folder that would be made, and of those in it."""
        self.report.created += 1
        if self.watch:
            self.watch(tuple(names), None, None, None)
        for name, below in node.children.items():
            if _creates(below):
                self._plan_creation([*names, name], below)

    def _create(self, fd: int, names: list[str], node: Node) -> bool:
        """Make a missing folder, closed to everybody until its list is on it."""
        if self.journal:
            self.journal.created(names[:-1], names[-1])
        try:
            os.mkdir(names[-1], 0o700, dir_fd=fd)
        except OSError as error:
            self.report.problem(Problem("/".join(names), "create", str(error.strerror), _places(node)))
            return False
        self.report.created += 1
        return True

    def _wanted(self, ground: Ground, key: Hashable, state: Any, needs: Measures, names: list[str]) -> Any:
        """What is to be written, or None when all is well or nothing can be done."""
        found = ground.cache.get(key, _UNKNOWN)
        if found is not _UNKNOWN:
            return found
        try:
            found = self.store.want(ground, state, needs)
        except (TooManyEntriesError, AclError) as error:
            code = "too-many-entries" if isinstance(error, TooManyEntriesError) else "bad-acl"
            self._problem(Problem("/".join(names), code, str(error), self._rules_of(ground)), ground)
            return None
        # States differ as much as owners and lists do; a tree with more of them than this gains nothing by remembering.
        if len(ground.cache) > _REMEMBERED:
            ground.cache.clear()
        if found == state:
            found = None
        ground.cache[key] = found
        return found

    def _make(self, names: list[str], pending: list[Pending], folder: int = -1) -> None:
        """Record, then make, the changes of one folder; ``folder`` is opened where they are its own."""
        if self.watch:
            for ground, old, new, objects in pending:
                for name, _ in objects:
                    self.watch((*names, name) if name else tuple(names), ground, old, new)
        if self.journal and not self.dry:
            self.journal.record(names, ((objects, old, new) for _, old, new, objects in pending))
        for item in pending:
            if self.dry:
                self._count(item.ground, len(item.objects))
            else:
                self._write(names, item, folder)

    def _write(self, names: list[str], item: Pending, folder: int) -> None:
        """Make one change and count where it succeeds."""
        pins = self.pins and folder < 0
        change = self.store.change(item.old, item.new, is_folder=folder >= 0, follow=pins)
        done = 0
        try:
            for name, inode in item.objects:
                try:
                    if pins:
                        _pinned(name, inode, change)
                    else:
                        change(name or folder)
                except OSError as error:
                    self._failed(error, names, name, item.ground)
                else:
                    done += 1
        finally:
            self._count(item.ground, done)

    def _count(self, ground: Ground, changed: int) -> None:
        self.report.changed += changed
        for number in {number for origin in ground.origins for number in origin}:
            self.report.by_rule[number] += changed

    def _hard_link(self, names: list[str], name: str) -> None:
        """A file with several names may belong to another tree as well."""
        self.report.skipped["hard link"] += 1
        if self.report.skipped["hard link"] <= _TOLD_LINKS:
            path = "/".join([*names, name])
            self.report.problem(Problem(path, "hard-link", "has several names and was left alone"))

    def _failed(self, error: OSError, names: list[str], name: str, ground: Ground) -> None:
        if error.errno in _GONE:
            self.report.vanished += 1
            return
        path = "/".join([*names, name] if name else names) or "."
        if error.errno == errno.EOPNOTSUPP:
            try:
                is_link = bool(name) and stat.S_ISLNK(os.lstat(name).st_mode)
            except OSError:
                is_link = True
            if is_link:
                self.report.vanished += 1
                return
            message = "the file system holds no access control lists; mount it with acl"
            self._problem(Problem(path, "no-acl", message, self._rules_of(ground)), ground)
            return
        if error.errno == errno.ENOSPC:
            message = "the list does not fit into the file system's space for it"
            self._problem(Problem(path, "acl-too-large", message, self._rules_of(ground)), ground)
            return
        message = error.strerror or str(error)
        self._problem(
            Problem(path, errno.errorcode.get(error.errno or 0, "error"), message, self._rules_of(ground)),
            ground,
        )

    def _problem(self, problem: Problem, ground: Ground) -> None:
        """Note a problem, and stop unless every rule behind it says to go on."""
        self.report.problem(problem)
        numbers = {number for origin in ground.origins for number in origin}
        if not numbers or all(self.policy.rules[number].flags & EntryFlag.CONTINUE_ON_ERROR for number in numbers):
            return
        raise StoppedError(str(problem))

    def _rules_of(self, ground: Ground) -> tuple[str, ...]:
        numbers = sorted({number for origin in ground.origins for number in origin})
        return tuple(self.policy.rules[number].place for number in numbers)

    def _is_missing(self, fd: int, name: str) -> bool:
        try:
            os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return True
        return False

    def _tell(self) -> None:
        if self.report.objects - self._told >= BATCH:
            self._told = self.report.objects
            self.progress(self.report)


def _pinned(name: str, inode: int, change: Change) -> None:
    """Write through a descriptor of the very object that was looked at.

    Needed where users may link to files of others: a name could mean another file by now.
    """
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        st = os.fstat(fd)
        if st.st_ino != inode or st.st_nlink > 1 or stat.S_ISLNK(st.st_mode):
            raise FileNotFoundError(errno.ENOENT, "another object has the name now")
        change(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


@contextmanager
def kept_directory() -> Iterator[None]:
    """Put the current directory back."""
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield
    finally:
        os.fchdir(before)
        os.close(before)


def _creates(node: Node) -> bool:
    """True when a rule wants this folder, or one below it, to be made."""
    return node.create or any(map(_creates, node.children.values()))


def mounts_below(root: int) -> Mounts:
    """The paths below an opened folder at which something is mounted.

    A part of the same file system may be: its device tells nothing.
    """
    try:
        above = str(Path(f"/proc/self/fd/{root}").readlink()).rstrip("/") + "/"
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:  # without /proc the devices have to do
        return frozenset()
    points = (os.fsdecode(_ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), line.split(b" ")[4])) for line in lines)
    return frozenset(tuple(point[len(above) :].split("/")) for point in points if point.startswith(above))


def _names(fd: int) -> Iterable[str]:
    """The names in an opened folder. All at once is fastest; so many that they would fill memory come one by one."""
    return os.listdir(fd) if os.fstat(fd).st_size < LISTED else _one_by_one(fd)


def _one_by_one(fd: int) -> Iterator[str]:
    with os.scandir(fd) as entries:
        for entry in entries:
            yield entry.name


def _is_one_file(st: os.stat_result) -> bool:
    """True for a regular file with one name."""
    return st.st_mode & _KIND == stat.S_IFREG and st.st_nlink == 1


def _places(node: Node) -> tuple[str, ...]:
    return tuple(rule.place for rule in node.rules)


def _hard_links_are_free() -> bool:
    try:
        return _PROTECTED_HARDLINKS.read_text().strip() != "1"
    except OSError:
        return True
