"""The linter: what can be read but does not do what its author thinks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from innkeeper.permissions.nt.rights import FULL, INHERIT_ONLY, INHERITANCE, SYNCHRONIZE
from innkeeper.permissions.nt.sid import WELL_KNOWN
from innkeeper.permissions.rules.document import Document
from innkeeper.permissions.rules.entry import Rule, read_rule
from innkeeper.permissions.rules.finding import Finding, RuleError, Severity
from innkeeper.permissions.rules.vocabulary import (
    ACCESS_MASKS,
    MEANT_FOR_DENY,
    PLACEHOLDER,
    EntryFlag,
    tag_named,
)

# Every code that the reader and the linter use, with its meaning; the documentation is checked against this
# table.
CODES = {
    "access-mask": "AccessMask is neither a known name nor a number",
    "account": "the account has no name",
    "account-type": "AccounType is neither 0 nor 1",
    "ace-flags": "AceFlags is neither a known name nor a number",
    "doctype": "the file has a document type",
    "drive": "the path names a drive",
    "encoding": "the encoding is not read, or the bytes are not valid in it",
    "entry-flags": "EntryFlags is not a number",
    "leaves-root": "the path contains ..",
    "literal": "Literal is neither 0 nor 1",
    "mask-in-folder": "a mask stands in a folder's name",
    "missing": "a required attribute is missing",
    "network-path": "the path names another machine",
    "not-xml": "the file is not well-formed XML",
    "path": "the path is empty or holds a zero byte",
    "sid": "SidStr is not a security identifier",
    "too-large": "the file is larger than is read",
    "too-many": "the file has more entries than are read",
    "unknown-bit": "a number has bits that mean nothing",
    "well-known-path": "the path is a well-known number of Windows",
    "conflict": "the same account gets an allow and a deny of the same bits at the same place",
    "deny-synchronize": "a deny rule includes SYNCHRONIZE, which makes most opens fail on Windows",
    "deny-with-no-access": "NoAccess with the deny flag says nothing",
    "duplicate": "the same rule stands here a second time",
    "files-only": "FilesOnly includes the folder itself",
    "inherit-only": "the entry is for children only, but nothing inherits it",
    "leave-alone": "a folder that is left alone also has other rules",
    "mask-without-files-flag": "a file mask without 0x80 also changes the folder",
    "meant-for-deny": "the mask only makes sense in a deny rule",
    "needs-mask": "0x80 needs a file mask at the end of the path",
    "placeholder-without-tag": "Null needs a tag that says which account is meant",
    "tag": "the tag is not known",
    "well-known-account": "AccounType is 0 but the name is no well-known account",
}


def lint(document: Document) -> list[Finding]:
    """Everything worth saying about a file, in the order of the file."""
    findings: list[Finding] = []
    rules: list[Rule] = []
    for element in document.entries:
        try:
            rule = read_rule(document, element, len(rules))
        except RuleError as error:
            findings += error.findings
            continue
        rules.append(rule)
        for code, severity, message, name in _about(rule, element.get("AceFlags")):
            attribute = element.attributes.get(name)
            line, column = document.position(attribute.start if attribute else element.start)
            findings.append(Finding(code, message, document.file, line, column, severity))
    findings += _between(rules)
    return sorted(findings, key=lambda finding: (finding.line, finding.column))


def _about(rule: Rule, written_flags: str) -> Iterator[tuple[str, Severity, str, str]]:
    """What is wrong with one rule: code, severity, message, attribute."""
    flags, error, warning = rule.flags, Severity.ERROR, Severity.WARNING
    if flags & EntryFlag.FILES_OF_FOLDER and not rule.file_mask:
        yield (
            "needs-mask",
            error,
            '0x80 needs a file mask at the end of the path, for example SubPath="logs\\*.*"',
            "EntryFlags",
        )
    if rule.deny and rule.access_mask == 0:
        yield (
            "deny-with-no-access",
            error,
            "NoAccess denies nothing; deny everything with FullAccess and 0x1",
            "AccessMask",
        )
    inherited = rule.ace_flags & INHERITANCE and not flags & EntryFlag.NO_PROPAGATION
    if rule.ace_flags & INHERIT_ONLY and not inherited:
        yield (
            "inherit-only",
            error,
            "for children only (0x8), but neither files (0x1) nor folders (0x2) inherit it",
            "AceFlags",
        )
    if rule.file_mask and not flags & EntryFlag.FILES_OF_FOLDER:
        yield (
            "mask-without-files-flag",
            warning,
            "the folder gets the rule too; add 0x80 to leave it out",
            "EntryFlags",
        )
    elif written_flags.casefold() == "filesonly" and not flags & EntryFlag.FILES_OF_FOLDER:
        yield (
            "files-only",
            warning,
            'the folder itself is included; write AceFlags="0x9" to leave it out',
            "AceFlags",
        )
    name = next((name for name in MEANT_FOR_DENY if ACCESS_MASKS[name] == rule.access_mask), None)
    if name and not rule.deny:
        yield (
            "meant-for-deny",
            warning,
            f"{name} takes the power to delete; as an allow rule it gives it",
            "AccessMask",
        )
    if rule.deny and rule.access_mask & SYNCHRONIZE and rule.access_mask != FULL:
        hint = f"0x{rule.access_mask & ~SYNCHRONIZE:x}"
        yield (
            "deny-synchronize",
            warning,
            f"denying SYNCHRONIZE makes most opens fail on Windows; write {hint}",
            "AccessMask",
        )
    if rule.account.casefold() == PLACEHOLDER.casefold():
        if not rule.tag:
            yield (
                "placeholder-without-tag",
                error,
                "Null stands for the account that Tag names, but there is no Tag",
                "Account",
            )
    elif rule.is_well_known and not rule.sid and rule.account.casefold() not in WELL_KNOWN:
        yield (
            "well-known-account",
            error,
            f'{rule.account} is no well-known account; write AccounType="1"',
            "Account",
        )
    if rule.tag and not tag_named(rule.tag):
        yield "tag", warning, f"the tag {rule.tag} is not known", "Tag"


def _between(rules: Iterable[Rule]) -> Iterator[Finding]:
    """What is wrong with rules beside each other."""
    seen: dict[tuple[object, ...], Rule] = {}
    spoken: dict[tuple[object, ...], list[Rule]] = {}
    left_alone: dict[tuple[object, ...], Rule] = {}
    named: dict[tuple[object, ...], Rule] = {}
    for rule in rules:
        where: tuple[object, ...] = (rule.path, rule.sub_path, rule.file_mask)
        who = (rule.account.casefold(), rule.domain.casefold(), rule.sid, rule.tag.casefold())
        whole = (where, who, rule.ace_flags, rule.access_mask, rule.flags)
        if whole in seen:
            first = seen[whole]
            yield _warning(rule, "duplicate", f"the same rule as in line {first.line}")
            continue
        seen[whole] = rule
        if rule.flags & EntryFlag.LEAVE_ALONE:
            left_alone[where] = rule
        else:
            named.setdefault(where, rule)
        for other in spoken.setdefault((where, who, rule.ace_flags), []):
            if other.deny != rule.deny and other.access_mask & rule.access_mask == min(
                other.access_mask, rule.access_mask
            ):
                yield _warning(rule, "conflict", f"allow and deny of the same bits: see line {other.line}; deny wins")
        spoken[where, who, rule.ace_flags].append(rule)
    for where in left_alone.keys() & named.keys():
        yield _warning(
            named[where],
            "leave-alone",
            f"has no effect: line {left_alone[where].line} says to leave the folder alone",
        )


def _warning(rule: Rule, code: str, message: str) -> Finding:
    return Finding(code, message, rule.file, rule.line, rule.column, Severity.WARNING)
