"""The commands of the engine alone: lint, apply, explain, undo. They need no panel and no database."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from innkeeper.permissions import apply, explain, journal
from innkeeper.permissions.nt import sddl
from innkeeper.permissions.nt.rights import ASKABLE
from innkeeper.permissions.places import Places
from innkeeper.permissions.policy import Ground, Policy
from innkeeper.permissions.posix import limits
from innkeeper.permissions.principals import Principals, UnknownAccountError, unlisted_sources
from innkeeper.permissions.report import Report
from innkeeper.permissions.rules.document import Document
from innkeeper.permissions.rules.entry import read_rules
from innkeeper.permissions.rules.finding import Finding, RuleError, Severity
from innkeeper.permissions.rules.lint import lint
from innkeeper.permissions.rules.template import fill
from innkeeper.permissions.stores.base import Store
from innkeeper.permissions.stores.export import Exported, ExportStore, icacls, owners
from innkeeper.permissions.stores.nt import NTStore
from innkeeper.permissions.stores.posix import PosixStore

IN_ORDER, DIFFERENCES, ERROR = 0, 1, 2


class UsageError(Exception):
    """The arguments do not go together."""


def run(arguments: argparse.Namespace) -> int:
    """Run a parsed command; every error becomes a sentence on standard error and exit code 2."""
    try:
        return _COMMANDS[arguments.security](arguments)
    except RuleError as error:
        if arguments.json:
            _print({"error": "rules", "findings": [finding.as_dict() for finding in error.findings]})
        for finding in error.findings:
            _err(finding)
        return ERROR
    except (journal.JournalError, UnknownAccountError, UsageError) as error:
        _err(f"innkeeper security: {error}")
        return ERROR
    except OSError as error:
        where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        _err(f"innkeeper security: {where}{error.strerror}")
        return ERROR


def _policy(arguments: argparse.Namespace) -> tuple[Policy, str]:
    """Read and compile the rules that the arguments name.

    Raises: RuleError when a file or an entry cannot be read; rules that cannot be used here are findings of
    the policy.
    """
    files: list[Path] = []
    for path in arguments.rules:
        files += sorted(path.glob("*.xml")) if path.is_dir() else [path]
    if not files:
        raise UsageError("there is no *.xml file in the folder of the rules")
    rules, findings = read_rules([Document.load(path) for path in files])
    if findings:
        raise RuleError(findings)
    tags = {tag.casefold(): account for tag, account in arguments.tag}
    root = str(Path(arguments.root).absolute().resolve())
    names = {name: str(Path(value).absolute().resolve()) for name, value in arguments.token}
    principals = Principals.of_system(dict(arguments.alias))
    if sources := unlisted_sources():
        _err(f"warning: accounts of {', '.join(sources)} may not be listed; who is in several groups may get too much")
    fences = [str(Path(path).absolute().resolve()) for path in arguments.fence]
    policy = Policy([fill(rule, tags) for rule in rules], principals, Places(root, names), fences)
    return policy, root


def _lint(arguments: argparse.Namespace) -> int:
    findings: list[Finding] = []
    for path in arguments.files:
        try:
            findings += lint(Document.load(path))
        except RuleError as error:
            findings += error.findings
    if arguments.json:
        _print({"findings": [finding.as_dict() for finding in findings]})
    else:
        for finding in findings:
            _out(finding)
    if any(finding.severity is Severity.ERROR for finding in findings):
        return ERROR
    return DIFFERENCES if findings else IN_ORDER


def _apply(arguments: argparse.Namespace) -> int:
    policy, root = _policy(arguments)
    if arguments.store == "export":
        return _export(arguments, policy, root)
    if arguments.output:
        raise UsageError("--output goes with --store export")
    store: Store[Any] = PosixStore(policy) if arguments.store == "posix" else NTStore(policy)
    planned: list[dict[str, Any]] = []

    def watch(path: tuple[str, ...], ground: Ground | None, old: Any, new: Any) -> None:
        change = _change(policy, store, path, (old, new), ground)
        if arguments.json:
            planned.append(change)
        else:
            _out(_change_text(change))

    options = apply.Options(
        dry=arguments.plan,
        jobs=arguments.jobs,
        journal=None if arguments.no_journal else arguments.journal,
        watch=watch if arguments.plan else None,
        progress=_progress if sys.stderr.isatty() and not arguments.json else None,
    )
    done = apply.run(policy, store, root, options)
    return _report(arguments, policy, done, planned)


def _report(arguments: argparse.Namespace, policy: Policy, done: apply.Run, planned: list[dict[str, Any]]) -> int:
    report = done.report
    held = limits.of_policy(policy) if arguments.store == "posix" else {}
    if arguments.json:
        rules = [
            {
                "rule": str(rule), "place": rule.place, "changed": report.by_rule[rule.number],
                "effect": limits.effect(held.get(rule.number, [])),
                "limits": [{"code": item.code, "effect": item.effect, "message": item.message}
                           for item in held.get(rule.number, [])],
            }
            for rule in policy.rules
        ]  # fmt: skip
        findings = [finding.as_dict() for finding in policy.findings]
        result = {"run": done.name, "rules": rules, "findings": findings, **report.as_dict()}
        _print(result | {"plan": planned} if arguments.plan else result)
    else:
        for finding in policy.findings:
            _err(finding)
        for rule in policy.rules:
            codes = "".join(f" [{item.effect}: {item.code}]" for item in held.get(rule.number, []))
            _out(f"{rule.place}: {report.by_rule[rule.number]} objects: {rule}{codes}")
        _summary(report, "would change" if arguments.plan else "changed")
        if done.name:
            _out(f"run {done.name}; undo it with: innkeeper security undo {done.name}")
    if report.stopped:
        _err(f"innkeeper security: stopped: {report.stopped}")
        return ERROR
    is_different = report.problem_count or (arguments.plan and report.changed + report.created)
    return DIFFERENCES if is_different else IN_ORDER


def _summary(report: Report, verb: str) -> None:
    for problem in report.problems:
        _err(problem)
    skipped = "".join(f", {count} {reason}" for reason, count in sorted(report.skipped.items()))
    _out(
        f"{report.folders} folders and {report.files} files looked at, {report.changed} {verb}, "
        f"{report.created} made, {report.vanished} vanished{skipped and ', left alone: ' + skipped[2:]}"
    )


def _change(
    policy: Policy, store: Store[Any], path: tuple[str, ...], states: tuple[Any, Any], ground: Ground | None
) -> dict[str, Any]:
    numbers = sorted({number for origin in (ground.origins if ground else ()) for number in origin})
    return {
        "path": "/".join(path) or ".",
        "old": None if states[0] is None else store.describe(states[0]),
        "new": None if states[1] is None else store.describe(states[1]),
        "rules": [policy.rules[number].place for number in numbers],
    }


def _change_text(change: dict[str, Any]) -> str:
    path = _printable(change["path"])
    if change["new"] is None:
        return f"make {path}"
    return f"{path}\n  - {change['old']}\n  + {change['new']}\n  by {', '.join(change['rules']) or 'passage'}"


def _export(arguments: argparse.Namespace, policy: Policy, root: str) -> int:
    """Write the descriptors of the whole tree as a file for icacls, with the owners beside it.

    Or print them.
    """
    found: list[Exported] = []

    def watch(path: tuple[str, ...], ground: Ground | None, old: Any, new: Any) -> None:
        del ground, old
        if new is not None:
            found.append((path, sddl.read(store.describe(new))))

    store = ExportStore(policy)
    done = apply.run(policy, store, root, apply.Options(dry=True, watch=watch))
    top = Path(root).name or "root"
    if arguments.output:
        arguments.output.write_bytes(icacls(found, top))
        arguments.output.with_name(arguments.output.name + ".owners.cmd").write_text(owners(found, top), newline="")
    if arguments.json:
        objects = [{"path": "/".join(path) or ".", "sddl": sddl.format(item)} for path, item in found]
        _print({"objects": objects, **done.report.as_dict()})
    elif not arguments.output:
        for path, item in found:
            _out(f"{'/'.join(path) or '.'}\t{sddl.format(item)}")
    for problem in done.report.problems:
        _err(problem)
    return ERROR if done.report.stopped else DIFFERENCES if done.report.problem_count else IN_ORDER


def _explain(arguments: argparse.Namespace) -> int:
    policy, root = _policy(arguments)
    path = arguments.path if arguments.path.is_absolute() else Path(root) / arguments.path
    # The folder is resolved, the name itself is not: a link is not what it leads to.
    path = path.parent.resolve() / path.name if path.name else path.resolve()
    if not path.is_relative_to(root):
        raise UsageError(f"{path} does not lie below {root}")
    parts = path.relative_to(root).parts
    accounts = [policy.principals.find(name) for name in arguments.account]
    if arguments.below:
        if len(accounts) != 1 or len(arguments.right) > 1:
            raise UsageError("--below wants one --account and at most one --right")
        right = arguments.right[0] if arguments.right else "write"
        paths = list(explain.below(policy, root, parts, accounts[0], right))
        if arguments.json:
            _print({"account": arguments.account[0], "right": right, "paths": paths})
        else:
            _out("\n".join(map(_printable, paths)))
        return IN_ORDER
    found = explain.explain(policy, root, parts, accounts, arguments.right or list(ASKABLE)[:3])
    store = PosixStore(policy)
    rows = [
        {
            "account": policy.principals.name(verdict.account), "right": verdict.right, "nt": verdict.nt,
            "posix": verdict.posix, "kernel": verdict.kernel, "passes": verdict.passes,
            "reasons": [explain.told(policy, reason) for reason in verdict.reasons],
        }
        for verdict in found.verdicts
    ]  # fmt: skip
    if arguments.json:
        entries = [explain.told(policy, reason) for reason in found.entries]
        now, wanted = store.describe(found.now), store.describe(found.wanted)
        _print(
            {
                "path": found.path,
                "now": now,
                "wanted": wanted,
                "drift": found.drift,
                "entries": entries,
                "answers": rows,
            }
        )
    else:
        _out(found.path)
        for row in rows:
            _out(_answer(row))
        _out(f"now: {store.describe(found.now)}")
        if found.drift:
            _out(f"the rules want: {store.describe(found.wanted)}")
            _out("restore it with the same arguments to: innkeeper security apply")
    return DIFFERENCES if found.drift else IN_ORDER


def _answer(row: dict[str, Any]) -> str:
    words = {True: "yes", False: "no", None: "-"}
    views = f"NT {words[row['nt']]}, POSIX {words[row['posix']]}, kernel now {words[row['kernel']]}"
    reasons = row["reasons"] or ["no entry speaks of it, so it is refused"]
    if row["passes"]:
        reasons = [*reasons, "may pass through to what rules give further down"]
    return "\n".join([f"{row['account']} {row['right']}: {views}", *(f"  {reason}" for reason in reasons)])


def _undo(arguments: argparse.Namespace) -> int:
    folder, about = journal.find_run(arguments.journal, arguments.run_name)
    empty = Policy([], Principals.of_system(), Places(about["root"]))
    store: Store[Any] = NTStore(empty) if about["store"] == "nt" else PosixStore(empty)
    report = apply.undo(store, folder, about["root"], force=arguments.force, dry=arguments.plan)
    if arguments.json:
        _print({"run": folder.name, **report.as_dict()})
    else:
        _summary(report, "would be put back" if arguments.plan else "put back")
    return DIFFERENCES if report.problem_count else IN_ORDER


def _progress(report: Report) -> None:
    sys.stderr.write(f"\r{report.objects} looked at, {report.changed} changed")
    sys.stderr.flush()


def _print(data: dict[str, Any]) -> None:
    _out(json.dumps(data, indent=2))


def _printable(path: str) -> str:
    """A path on one line, whatever its name holds."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _out(text: object) -> None:
    sys.stdout.write(f"{text}\n")


def _err(text: object) -> None:
    sys.stderr.write(f"{text}\n")


_COMMANDS = {"lint": _lint, "apply": _apply, "explain": _explain, "undo": _undo}
