"""One rule: the typed form of an ``Entry`` element."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from innkeeper.permissions.nt import rights
from innkeeper.permissions.nt.sid import Sid, SidError, parse
from innkeeper.permissions.rules.document import Document, Element
from innkeeper.permissions.rules.finding import Finding, RuleError
from innkeeper.permissions.rules.vocabulary import (
    ACCESS_MASKS,
    ACE_FLAGS,
    ALL_ENTRY_FLAGS,
    EntryFlag,
    ace_flags_name,
    mask_name,
)

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}|\d{1,10}")
_MASKED = re.compile(r"[*?]")
# In an entry with Literal="1", SubPath holds names as they are: "/" alone parts them, and none is a mask. It is ours:
# Windows has no names that need it.
LITERAL = "Literal"
_NEEDS_LITERAL = re.compile(r"[*?\\]")
# Folders of Windows that its programs know by number, and where Debian keeps the same.
_WELL_KNOWN = {
    26: "/var/lib",  # data of programs, a user's
    35: "/var/lib",  # and everybody's
    36: "/usr",  # Windows
    37: "/usr/lib",  # its system folder
    38: "/usr",  # Program Files
    40: "/home",  # Documents and Settings
    43: "/usr/lib",  # Common Files
}
_REQUIRED = ("Account", "Path", "AceFlags", "AccessMask", "EntryFlags")


@dataclass(frozen=True, slots=True)
class Rule:
    """Who gets or is denied what, where.

    Paths use ``/``; ``mask`` is the file mask at the end of the path, if there is one.
    """

    number: int
    file: str
    line: int
    column: int
    account: str
    domain: str
    sid: Sid | None
    is_well_known: bool
    path: str
    sub_path: tuple[str, ...]
    file_mask: str | None
    ace_flags: int
    access_mask: int
    flags: EntryFlag
    tag: str
    tag2: str

    @property
    def deny(self) -> bool:
        """True for a rule that denies."""
        return bool(self.flags & EntryFlag.DENY)

    @property
    def place(self) -> str:
        """File, line and column, as compilers write them."""
        return f"{self.file}:{self.line}:{self.column}"

    def finding(self, code: str, message: str) -> Finding:
        """An error about this rule as a whole."""
        return Finding(code, message, self.file, self.line, self.column)

    def __str__(self) -> str:
        verb = "deny" if self.deny else "allow"
        where = "/".join((self.path.rstrip("/"), *self.sub_path, *([self.file_mask] if self.file_mask else [])))
        what = f"{mask_name(self.access_mask)} on {where or '/'} ({ace_flags_name(self.ace_flags)})"
        return f"{verb} {self.account} {what}"


def names_below(values: Mapping[str, str]) -> tuple[str, ...]:
    """What an entry's SubPath names, from above to below; a file mask is the last."""
    text = values.get("SubPath", "")
    if not is_literal(values):
        text = text.strip().replace("\\", "/")
    return tuple(part for part in text.split("/") if part not in ("", "."))


def is_literal(values: Mapping[str, str]) -> bool:
    """True for an entry whose SubPath holds no masks."""
    return values.get(LITERAL, "").strip() == "1"


def joined(names: Iterable[str], values: Mapping[str, str]) -> str:
    """The SubPath of these names in an entry with such values."""
    return ("/" if is_literal(values) else "\\").join(names)


def naming(names: Sequence[str]) -> dict[str, str]:
    """The attributes with which an entry is about exactly these names."""
    literal = any(_NEEDS_LITERAL.search(name) or name.strip() != name for name in names)
    values = {LITERAL: "1"} if literal else {}
    return {"SubPath": joined(names, values)} | values


def can_be_named(names: Iterable[str]) -> bool:
    """False where a name is no text that a file of rules could hold, or that could be shown on one line."""
    return all(map(str.isprintable, names))


def read_rules(documents: Iterable[Document]) -> tuple[list[Rule], list[Finding]]:
    """The rules of several files, numbered through in order, and what cannot be read in them."""
    rules: list[Rule] = []
    findings: list[Finding] = []
    for document in documents:
        for element in document.entries:
            try:
                rules.append(read_rule(document, element, len(rules)))
            except RuleError as error:
                findings += error.findings
    return rules, findings


def read_rule(document: Document, element: Element, number: int = 0) -> Rule:
    """Read one entry.

    Raises: RuleError with everything that is wrong in it, each at its attribute.
    """
    reader = _Reader(document, element)
    for name in _REQUIRED:
        if name not in element.attributes:
            reader.wrong("missing", f"the attribute {name} is missing", name)
    kind_name = "AccounType" if "AccounType" in element.attributes else "AccountType"
    kind = element.get(kind_name)
    if element.get(LITERAL, "0") not in ("0", "1"):
        message = "Literal is 0 (SubPath may end in a mask) or 1 (its names are meant as they are)"
        reader.wrong("literal", message, LITERAL)
    if kind not in ("0", "1"):
        reader.wrong("account-type", "AccounType is 0 (well-known account) or 1 (account of the system)", kind_name)
    if "Account" in element.attributes and not element.get("Account") and not element.get("SidStr"):
        reader.wrong("account", "the account has no name", "Account")
    sid = reader.sid()
    ace_flags = reader.number("AceFlags", ACE_FLAGS, rights.SETTABLE_FLAGS, "ace-flags", "ThisObjectOnly")
    mask = reader.number("AccessMask", ACCESS_MASKS, rights.VALID, "access-mask", "Read")
    flags = reader.number("EntryFlags", {"": 0}, ALL_ENTRY_FLAGS, "entry-flags", "0x0")
    path, parts, file_mask = reader.path()
    if reader.findings:
        raise RuleError(reader.findings)
    line, column = document.position(element.start)
    return Rule(
        number, document.file, line, column,
        element.get("Account"), element.get("Domain"), sid, kind == "0",
        path, parts, file_mask,
        ace_flags, rights.specific(mask), EntryFlag(flags), element.get("Tag"), element.get("Tag2"),
    )  # fmt: skip


class _Reader:
    """Collects what is wrong with the attributes of one entry."""

    def __init__(self, document: Document, element: Element) -> None:
        self.document = document
        self.element = element
        self.findings: list[Finding] = []

    def wrong(self, code: str, message: str, name: str) -> None:
        """Note an error at an attribute, or at the entry when it has no such attribute."""
        attribute = self.element.attributes.get(name)
        offset = attribute.start if attribute else self.element.start
        self.findings.append(self.document.finding(code, message, offset))

    def sid(self) -> Sid | None:
        text = self.element.get("SidStr")
        if not text:
            return None
        try:
            return parse(text)
        except SidError as error:
            self.wrong("sid", str(error), "SidStr")
            return None

    def number(self, name: str, words: dict[str, int], valid: int, code: str, example: str) -> int:
        """A symbolic name or bits; names are compared without regard to case."""
        text = self.element.get(name)
        folded = {word.casefold(): bits for word, bits in words.items()}
        if text.casefold() in folded:
            return folded[text.casefold()]
        if name not in self.element.attributes:
            return 0
        if not _NUMBER.fullmatch(text):
            self.wrong(code, f"{name} {text!r} is neither a known name nor a number such as {example}", name)
            return 0
        value = int(text, 16) if text[:2].lower() == "0x" else int(text)
        unknown = value & ~valid
        if unknown:
            self.wrong("unknown-bit", f"{name} has bits that mean nothing: 0x{unknown:x}", name)
        return value & valid

    def path(self) -> tuple[str, tuple[str, ...], str | None]:
        """Path, the folders below it, and the file mask at the end."""
        path = self.element.get("Path").replace("\\", "/")
        values = self.element.values
        parts = list(names_below(values))
        if "Path" in self.element.attributes and not path:
            self.wrong("path", "the path is empty; write / for the root", "Path")
        if well_known := re.fullmatch(r"<?(\d+)>?", path):
            instead = _WELL_KNOWN.get(int(well_known[1]))
            written = f"what it holds is in {instead} here" if instead else "write the folder's path, such as /usr/lib"
            self.wrong("well-known-path", f"well-known folder {path} exists on Windows only; {written}", "Path")
        elif re.match(r"[A-Za-z]:", path):
            self.wrong("drive", f"{path} names a drive; write the folder's path, for example /srv/data", "Path")
        elif path.startswith("//"):
            self.wrong("network-path", f"{path} names another machine; write a path of this one", "Path")
        for name, found in (("Path", path.split("/")), ("SubPath", parts)):
            if ".." in found:
                self.wrong("leaves-root", "a path may not contain ..", name)
            if any("\0" in part for part in found):
                self.wrong("path", "a path may not contain a zero byte", name)
        # The mask may stand at the end of either attribute, whichever completes the path.
        file_mask = None
        masked = [] if is_literal(values) else [part for part in parts if _MASKED.search(part)]
        if masked and masked == parts[-1:]:
            file_mask = parts.pop()
            masked = []
        elif not parts and path != "*" and _MASKED.search(path.rpartition("/")[2]):
            path, _, file_mask = path.rpartition("/")
            path = path or "/"
        if masked or (path != "*" and _MASKED.search(path)):
            self.wrong(
                "mask-in-folder",
                "a mask may only stand in the last part of the path",
                "SubPath" if parts else "Path",
            )
        return path, tuple(parts), file_mask
