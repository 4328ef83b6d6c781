"""The commands of the engine alone: lint, apply, explain, undo. They need no panel and no database."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from innkeeper.instance.config import FILE_NAME, InstanceError
from innkeeper.permissions import apply, explain, journal
from innkeeper.permissions.cli import RUNS
from innkeeper.permissions.nt import sddl
from innkeeper.permissions.nt.rights import ASKABLE
from innkeeper.permissions.places import Places
from innkeeper.permissions.policy import Ground, Policy
from innkeeper.permissions.posix import limits
from innkeeper.permissions.principals import Principals, UnknownAccountError, unlisted_sources
from innkeeper.permissions.printing import (
    DIFFERENCES,
    ERROR,
    IN_ORDER,
    as_json,
    change,
    change_text,
    err,
    out,
    printable,
    progress,
    run_code,
    run_data,
    run_text,
    summary,
)
from innkeeper.permissions.rules.document import Document
from innkeeper.permissions.rules.entry import read_rules
from innkeeper.permissions.rules.finding import Finding, RuleError, Severity
from innkeeper.permissions.rules.lint import lint
from innkeeper.permissions.rules.template import fill
from innkeeper.permissions.server import commands as server
from innkeeper.permissions.server import file_commands as files
from innkeeper.permissions.server.drift import scope_of
from innkeeper.permissions.server.history import MetadataError
from innkeeper.permissions.server.left import Book
from innkeeper.permissions.stores.base import Store
from innkeeper.permissions.stores.export import Exported, ExportStore, icacls, owners
from innkeeper.permissions.stores.nt import NTStore
from innkeeper.permissions.stores.posix import PosixStore


class UsageError(Exception):
    """The arguments do not go together."""


def run(arguments: argparse.Namespace) -> int:
    """Run a parsed command; every error becomes a sentence on standard error and exit code 2."""
    try:
        return _COMMANDS[arguments.security](arguments)
    except BrokenPipeError:
        # Whoever read the output has enough; the exit must not try to write to it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    except RuleError as error:
        if arguments.json:
            as_json({"error": "rules", "findings": [finding.as_dict() for finding in error.findings]})
        for finding in error.findings:
            err(finding)
        return ERROR
    except KeyboardInterrupt:  # while a run is on, it hears this itself and ends on record
        return _failed(arguments, "interrupted")
    except (journal.JournalError, UnknownAccountError, UsageError, MetadataError, InstanceError) as error:
        return _failed(arguments, str(error))
    except OSError as error:
        where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        return _failed(arguments, f"{where}{error.strerror or error}")


def _failed(arguments: argparse.Namespace, message: str) -> int:
    if arguments.json:
        as_json({"error": message})
    err(f"innkeeper security: {message}")
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
        err(f"warning: accounts of {', '.join(sources)} may not be listed; who is in several groups may get too much")
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
        as_json({"findings": [finding.as_dict() for finding in findings]})
    else:
        for finding in findings:
            out(finding)
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
        told = change(policy, store, path, (old, new), ground)
        if arguments.json:
            planned.append(told)
        else:
            out(change_text(told))

    options = apply.Options(
        dry=arguments.plan,
        jobs=arguments.jobs,
        journal=None if arguments.no_journal else arguments.journal,
        watch=watch if arguments.plan else None,
        progress=progress if sys.stderr.isatty() and not arguments.json else None,
    )
    done = apply.run(policy, store, root, options)
    held = limits.of_policy(policy) if arguments.store == "posix" else {}
    if arguments.json:
        as_json(run_data(policy, done, planned if arguments.plan else None, held))
    else:
        where = "" if arguments.journal == RUNS else f" --journal {shlex.quote(str(arguments.journal))}"
        run_text(policy, done, held, dry=arguments.plan, where=where)
    return run_code(done.report, dry=arguments.plan)


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
        as_json({"objects": objects, **done.report.as_dict()})
    elif not arguments.output:
        for path, item in found:
            out(f"{printable('/'.join(path)) or '.'}\t{sddl.format(item)}")
    for problem in done.report.problems:
        err(problem)
    return ERROR if done.report.stopped else DIFFERENCES if done.report.problem_count else IN_ORDER


def _explain(arguments: argparse.Namespace) -> int:
    if arguments.rules and not arguments.root:
        raise UsageError("--rules goes with --root")
    if arguments.rules:
        policy, root = _policy(arguments)
        path = server.real(arguments.path if arguments.path.is_absolute() else Path(root) / arguments.path)
        if not path.is_relative_to(root):
            raise UsageError(f"{path} does not lie below {root}")
        parts = path.relative_to(root).parts
        back = "innkeeper security apply, with the same arguments"
    else:
        path = server.real(arguments.path)
        scope = scope_of(server.layout_of(arguments), path)
        policy, root, parts = scope.policy(), str(scope.root), scope.start
        back = f"innkeeper security drift {shlex.quote(str(path))} --restore"
    if mounted := apply.mounted_on(root, parts):
        raise UsageError(f"{printable(str(path))} cannot be explained: {mounted}")
    accounts = [policy.principals.find(name) for name in arguments.account]
    if arguments.below:
        if len(accounts) != 1 or len(arguments.right) > 1:
            raise UsageError("--below wants one --account and at most one --right")
        right = arguments.right[0] if arguments.right else "write"
        paths = list(explain.below(policy, root, parts, accounts[0], right))
        if arguments.json:
            as_json({"account": arguments.account[0], "right": right, "paths": paths})
        else:
            out("\n".join(map(printable, paths)))
        return IN_ORDER
    try:
        found = explain.explain(policy, root, parts, accounts, arguments.right or list(ASKABLE)[:3])
    except OSError as error:
        raise UsageError(f"{printable(str(path))} cannot be explained: {error.strerror}") from None
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
        as_json(
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
        out(found.path)
        for row in rows:
            out(_answer(row))
        out(f"now: {store.describe(found.now)}")
        if found.drift:
            out(f"the rules want: {store.describe(found.wanted)}")
            out(f"restore it with: {back}")
    return DIFFERENCES if found.drift else IN_ORDER


def _answer(row: dict[str, Any]) -> str:
    words = {True: "yes", False: "no", None: "-"}
    views = f"NT {words[row['nt']]}, POSIX {words[row['posix']]}, kernel now {words[row['kernel']]}"
    reasons = row["reasons"] or ["no entry speaks of it, so it is refused"]
    if row["passes"]:
        reasons = [*reasons, "may pass through to what rules give further down"]
    return "\n".join([f"{row['account']} {row['right']}: {views}", *(f"  {reason}" for reason in reasons)])


def _run_named(arguments: argparse.Namespace) -> tuple[Path, dict[str, Any]]:
    """The run that the arguments name: in the journal that they name, or else the instance's, or the engine's own."""
    if arguments.journal:
        return journal.find_run(arguments.journal, arguments.run_name)
    if (arguments.state / FILE_NAME).exists():
        try:
            return journal.find_run(server.layout_of(arguments).runs, arguments.run_name)
        except journal.JournalError:
            if not RUNS.is_dir():
                raise
    return journal.find_run(RUNS, arguments.run_name)


def _note_undone(arguments: argparse.Namespace, run: Path, root: str, store: Store[Any]) -> None:
    """What was left of the disk's objects by a run of its policy is now what the run had found."""
    if (arguments.state / FILE_NAME).exists():
        layout = server.layout_of(arguments)
        if run.parent == layout.runs and root == str(layout.root):
            Book(layout.records).note(run, store, undone=True)


def _undo(arguments: argparse.Namespace) -> int:
    folder, about = _run_named(arguments)
    empty = Policy([], Principals.of_system(), Places(about["root"]))
    store: Store[Any] = NTStore(empty) if about["store"] == "nt" else PosixStore(empty)
    report = apply.undo(store, folder, about["root"], force=arguments.force, dry=arguments.plan)
    if not arguments.plan:
        _note_undone(arguments, folder, about["root"], store)
    if arguments.json:
        as_json({"run": folder.name, **report.as_dict()})
    else:
        summary(report, "would be put back" if arguments.plan else "put back")
    return run_code(report)


_COMMANDS = {"lint": _lint, "apply": _apply, "explain": _explain, "undo": _undo, **server.COMMANDS, **files.COMMANDS}
