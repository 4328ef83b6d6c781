"""Rules compiled for one root: a tree of named places, and the entries that each object gets from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from fnmatch import translate

from innkeeper.permissions.nt import sid as sids
from innkeeper.permissions.nt.access import granted
from innkeeper.permissions.nt.acl import Ace
from innkeeper.permissions.nt.inherit import inherit
from innkeeper.permissions.nt.rights import INHERIT_ONLY, INHERITANCE, INHERITED, NO_PROPAGATE
from innkeeper.permissions.nt.sid import Sid
from innkeeper.permissions.places import Places
from innkeeper.permissions.posix.bits import permissions
from innkeeper.permissions.principals import Principals
from innkeeper.permissions.rules.entry import Rule
from innkeeper.permissions.rules.finding import Finding, RuleError, Severity
from innkeeper.permissions.rules.vocabulary import EntryFlag

_WHOLE_FOLDER = ("*", "*.*")
_CREATORS = (sids.CREATOR_OWNER, sids.CREATOR_GROUP)
_NOBODY: frozenset[Sid] = frozenset()

# The user and the group that own an object.
Owner = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A rule at one object.

    Its account resolved, its inheritance flags as they count there. Compared by identity.
    """

    rule: Rule
    sid: Sid
    ace_flags: int

    @property
    def is_strict(self) -> bool:
        """True when the account keeps nothing that the rules do not give."""
        return bool(self.rule.flags & EntryFlag.STRICT)


@dataclass(slots=True)
class Node:
    """A place that rules name, or a folder on the way to one."""

    children: dict[str, Node] = field(default_factory=dict)
    placed: list[Placed] = field(default_factory=list)
    masks: list[tuple[re.Pattern[str], Placed]] = field(default_factory=list)
    closure: set[Sid] = field(default_factory=set)
    leave_alone: bool = False
    is_fence: bool = False
    create: bool = False
    rules: list[Rule] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Ground:
    """What the rules say about an object, apart from what it brings along. Equal grounds are one object.

    ``origins`` names, entry by entry, the numbers of the rules that it comes from. ``governed`` is set where
    inheritance was broken, there and everywhere below: nothing but the rules counts. ``keep`` and ``strict``
    are the accounts whose rules stand at this very object and leave, or do not leave, what they had before.
    ``closure`` are the accounts that rules for something further down let pass; ``below`` is what is
    inherited from here.
    """

    aces: tuple[Ace, ...]
    origins: tuple[tuple[int, ...], ...]
    is_folder: bool
    governed: bool
    keep: frozenset[Sid]
    strict: frozenset[Sid]
    closure: frozenset[Sid]
    protected: bool
    sids: frozenset[Sid]
    passes: bool
    depends_on_owner: bool
    below: tuple[tuple[Ace, ...], ...] = ()
    children: dict[tuple[object, ...], Ground] = field(default_factory=dict)
    cache: dict[object, object] = field(default_factory=dict)

    @property
    def reaches(self) -> bool:
        """True when the object is a matter of the rules at all; every other object is left as it is."""
        return bool(self.aces or self.keep or self.strict or self.governed or self.closure)

    def lets_pass(self, token: Set[Sid]) -> bool:
        """True when somebody must be able to go through this folder, because he gets something further down.

        Windows lets everybody go through folders to a path that he knows; here each folder on the way must
        allow it.
        """
        return not token.isdisjoint(self.closure) or any(permissions(granted(aces, token)) for aces in self.below)

    @property
    def explicit(self) -> int:
        """How many entries stand at the object itself; the inherited ones follow them."""
        return sum(1 for ace in self.aces if not ace.flags & INHERITED)


class Policy:
    """Compiled rules. Nothing in it reads or writes a file."""

    def __init__(
        self,
        rules: Iterable[Rule],
        principals: Principals,
        places: Places,
        fences: Iterable[str] = (),
        untouched: Iterable[str] = (),
    ) -> None:
        """Resolve accounts and paths.

        What lies in a folder of ``fences`` is another policy's: a run never enters one, though rules may be about
        the folder itself. ``untouched`` are files and folders that keep what they have, whatever rules say.
        ``findings`` collects what is wrong; ``unusable`` are the rules left out for it.
        """
        self.rules = list(rules)
        self.principals = principals
        self.places = places
        self.root = Node()
        self.findings: list[Finding] = []
        self.unusable: set[int] = set()
        self.any_masks: list[tuple[re.Pattern[str], Placed]] = []
        self._any_closure: set[Sid] = set()
        self._grounds: dict[tuple[object, ...], Ground] = {}
        self._fences = frozenset(parts for path in fences if (parts := places.below_root(path)) is not None)
        for parts in self._fences:
            self._node(parts).is_fence = True
        for path in untouched:
            if below := places.below_root(path):
                self._node(below).leave_alone = True
        for rule in self.rules:
            try:
                self._place(rule)
            except RuleError as error:
                self.unusable.add(rule.number)
                self.findings += error.findings

    @property
    def stops(self) -> list[Finding]:
        """The errors that forbid a run: those of rules that do not say to go on."""
        tolerant = {rule.place for rule in self.rules if rule.flags & EntryFlag.CONTINUE_ON_ERROR}
        return [
            finding
            for finding in self.findings
            if finding.severity is Severity.ERROR and f"{finding.file}:{finding.line}:{finding.column}" not in tolerant
        ]

    def start(self, owner: Owner) -> Ground:
        """The ground of the root itself."""
        return self._ground(None, True, owner, tuple(self.root.placed), frozenset(self.root.closure))

    def child(self, parent: Ground, node: Node | None, is_folder: bool, owner: Owner = (0, 0)) -> Ground:
        """The ground of a child: of the node for its name, if there is one, under its parent's."""
        placed = tuple(node.placed) if node else ()
        closure = frozenset(node.closure) if node and is_folder else _NOBODY
        return self._ground(parent, is_folder, owner, placed, closure)

    def child_file(self, parent: Ground, node: Node | None, masks: Iterable[Placed], owner: Owner) -> Ground:
        """The ground of a file to which rules with file masks apply too."""
        placed = (*(node.placed if node else ()), *masks)
        return self._ground(parent, False, owner, placed, _NOBODY)

    def creation(self, parent: Ground, is_folder: bool) -> Ground:
        """The ground of something that will be made in a folder, with CREATOR OWNER still standing for its
        maker.
        """
        return self._build(parent, is_folder, _CREATORS, (), _NOBODY)

    def matching(self, node: Node | None, name: str) -> list[Placed]:
        """The rules whose file mask matches a name in the folder of a node."""
        own = [placed for pattern, placed in node.masks if pattern.match(name)] if node else []
        return own + [placed for pattern, placed in self.any_masks if pattern.match(name)]

    def nodes(self) -> Iterator[tuple[tuple[str, ...], Node]]:
        """All named places with their paths, parents first."""
        stack: list[tuple[tuple[str, ...], Node]] = [((), self.root)]
        while stack:
            path, node = stack.pop()
            yield path, node
            stack += [((*path, name), child) for name, child in node.children.items()]

    def _place(self, rule: Rule) -> None:
        if rule.flags & EntryFlag.LEAVE_ALONE:
            node = self._node(self.places.locate(rule))
            node.leave_alone = True
            node.rules.append(rule)
            return
        if rule.flags & EntryFlag.FILES_OF_FOLDER and not rule.file_mask:
            raise RuleError([rule.finding("needs-mask", "0x80 needs a file mask at the end of the path")])
        sid, findings = self.principals.resolve(rule)
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        if sid is None or errors:
            raise RuleError(errors)
        self.findings += findings
        flags = rule.ace_flags
        if rule.flags & EntryFlag.NO_PROPAGATION:
            if flags & INHERIT_ONLY:
                raise RuleError([rule.finding("inherit-only", "0x10 takes away the children that the rule is for")])
            flags &= ~(INHERITANCE | NO_PROPAGATE)
        gives_access = not rule.deny and permissions(rule.access_mask) > 0
        if rule.path == "*" and rule.file_mask:
            if rule.sub_path:
                raise RuleError([rule.finding("any-path", "below * only a file mask can stand")])
            self.any_masks.append((_pattern(rule.file_mask), Placed(rule, sid, 0)))
            if gives_access:
                self._any_closure.add(sid)
            return
        parts = self.places.locate(rule)
        self._refuse_behind_fence(rule, parts)
        node = self._node(parts)
        node.rules.append(rule)
        node.create |= bool(rule.flags & EntryFlag.CREATE_FOLDERS)
        if not rule.file_mask or (not rule.flags & EntryFlag.FILES_OF_FOLDER and rule.file_mask in _WHOLE_FOLDER):
            node.placed.append(Placed(rule, sid, flags))
        else:
            node.masks.append((_pattern(rule.file_mask), Placed(rule, sid, 0)))
            if not rule.flags & EntryFlag.FILES_OF_FOLDER:
                node.placed.append(Placed(rule, sid, 0))
        ancestors = [self.root]
        for part in parts[:-1]:
            ancestors.append(ancestors[-1].children[part])
        if not parts:
            ancestors = []
        if rule.file_mask:
            # What a mask picks lies one level below the node, so the node itself is on the way.
            ancestors.append(node)
        for ancestor in ancestors:
            if rule.flags & EntryFlag.PARENTS and ancestor is not node:
                ancestor.placed.append(Placed(rule, sid, 0))
            if gives_access:
                ancestor.closure.add(sid)

    def _refuse_behind_fence(self, rule: Rule, parts: tuple[str, ...]) -> None:
        for fence in self._fences:
            if parts[: len(fence)] == fence and (len(parts) > len(fence) or rule.file_mask):
                message = f"what lies in /{'/'.join(fence)} is governed by other rules"
                raise RuleError([rule.finding("behind-fence", message)])

    def _node(self, parts: tuple[str, ...]) -> Node:
        node = self.root
        for part in parts:
            node = node.children.setdefault(part, Node())
        return node

    def _ground(
        self,
        parent: Ground | None,
        is_folder: bool,
        owner: Owner,
        placed: tuple[Placed, ...],
        closure: frozenset[Sid],
    ) -> Ground:
        who = owner if parent is None or parent.depends_on_owner else None
        key = (is_folder, who, placed, closure) if placed or closure else (is_folder, who)
        if parent is not None:
            found = parent.children.get(key)
            if found is not None:
                return found
        names = (sids.user(owner[0]), sids.group(owner[1]))
        ground = self._build(parent, is_folder, names, placed, closure)
        if parent is not None:
            parent.children[key] = ground
        return ground

    def _build(
        self,
        parent: Ground | None,
        is_folder: bool,
        names: tuple[Sid, Sid],
        placed: tuple[Placed, ...],
        closure: frozenset[Sid],
    ) -> Ground:
        protected = any(item.rule.flags & EntryFlag.BREAK_INHERITANCE for item in placed)
        explicit = _explicit(placed, is_folder)
        inherited: list[tuple[Ace, int]] = []
        if parent is not None and not protected:
            inherited = inherit(parent.aces, is_folder, *names)
        aces = (*(ace for ace, _ in explicit), *(ace for ace, _ in inherited))
        origins = tuple(origin for _, origin in explicit)
        if parent is not None:
            origins += tuple(parent.origins[position] for _, position in inherited)
        strict = frozenset(item.sid for item in placed if item.is_strict)
        keep = frozenset(item.sid for item in placed) - strict
        governed = protected or (parent is not None and parent.governed)
        if is_folder:
            closure |= self._any_closure
        key = (aces, origins, is_folder, governed, keep, strict, closure, protected)
        found = self._grounds.get(key)
        if found is None:
            found = self._grounds[key] = Ground(
                *key[:4], keep, strict, closure, protected,
                sids=frozenset(ace.sid for ace in aces),
                passes=is_folder and (governed or any(ace.flags & INHERITANCE for ace in aces)),
                depends_on_owner=any(ace.sid in _CREATORS for ace in aces),
                below=_below(aces) if is_folder else (),
            )  # fmt: skip
        return found


def _explicit(placed: Iterable[Placed], is_folder: bool) -> list[tuple[Ace, tuple[int, ...]]]:
    """The entries that rules put on the object itself: merged, denies first, each with its rules."""
    merged: dict[tuple[bool, int, Sid], tuple[int, tuple[int, ...]]] = {}
    for item in placed:
        rule, flags = item.rule, item.ace_flags
        if not is_folder:
            if flags & INHERIT_ONLY:
                continue
            flags = 0
        if rule.access_mask == 0:
            continue
        key = (rule.deny, flags, item.sid)
        mask, numbers = merged.get(key, (0, ()))
        merged[key] = (mask | rule.access_mask, (*numbers, rule.number))
    entries = [(Ace(deny, flags, mask, sid), numbers) for (deny, flags, sid), (mask, numbers) in merged.items()]
    return sorted(entries, key=lambda entry: not entry[0].deny)


def _below(aces: tuple[Ace, ...]) -> tuple[tuple[Ace, ...], ...]:
    """What a new file and a new folder would inherit, each without repetition and only if it is anything."""
    kinds = (tuple(ace for ace, _ in inherit(aces, is_folder, *_CREATORS)) for is_folder in (False, True))
    return tuple(dict.fromkeys(kind for kind in kinds if kind))


def _pattern(mask: str) -> re.Pattern[str]:
    """A mask as an expression. It knows ``*`` and ``?``, and no classes: a bracket is a letter of the name."""
    return re.compile(translate("*" if mask == "*.*" else mask.replace("[", "[[]")))
