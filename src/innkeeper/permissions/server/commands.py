"""The commands for one server's policies: disk, hosting and drift."""

from __future__ import annotations

import argparse
import os
import pwd
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from innkeeper.instance.config import Instance
from innkeeper.permissions import apply, printing
from innkeeper.permissions.posix import limits
from innkeeper.permissions.printing import as_json, change_text, err, out
from innkeeper.permissions.report import Problem
from innkeeper.permissions.rules.document import Document
from innkeeper.permissions.rules.finding import RuleError
from innkeeper.permissions.rules.lint import lint
from innkeeper.permissions.server import disk, drift, hosting, running
from innkeeper.permissions.server.history import MetadataError
from innkeeper.permissions.server.hosting import Hosted, Target
from innkeeper.permissions.server.layout import Layout
from innkeeper.permissions.server.left import Left
from innkeeper.permissions.server.running import How, Outcome
from innkeeper.permissions.stores.posix import PosixStore

SHOWN = 100
"""How many differences a check names."""

# Asks the running instance for the accounts that it hosts.
Accounts = Callable[[Instance], list[Hosted]]


def instance_of(arguments: argparse.Namespace) -> Instance:
    """The instance that the arguments name.

    Raises: ConfigError.
    """
    return Instance.load(arguments.state.resolve())


def layout_of(arguments: argparse.Namespace) -> Layout:
    """The server that the arguments name.

    Raises: ConfigError.
    """
    return Layout.of(instance_of(arguments))


def who() -> str:
    """Who gives the command, as far as the machine knows."""
    behind = os.environ.get("SUDO_USER")
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return f"{behind} as {name}" if behind else name


def _disk(arguments: argparse.Namespace) -> int:
    layout = layout_of(arguments)
    start: tuple[str, ...] = ()
    if arguments.path:
        start = disk.parts_of(layout, real(arguments.path))
    with running.locked(layout, "disk", err):
        outcome = running.run(layout, disk.policy(layout), layout.root, disk.files(layout), how(arguments, start))
    return told([outcome], arguments)


def _hosting(arguments: argparse.Namespace) -> int:
    layout = layout_of(arguments)
    if arguments.instantiate:
        return _instantiate(arguments, layout)
    targets = _targets(arguments, layout)
    edit, why = _edit(arguments, layout)
    outcomes = []
    failed = changed = 0
    for number, where in enumerate(targets, 1):
        try:
            with running.locked(layout, hosting.lock_of(where.domain), err):
                if edit:
                    changed += len(hosting.change(layout, where, edit, who(), why))
                compiled = hosting.policy(layout, where.domain)
                outcomes.append(hosting.apply_to(layout, compiled, where.domain, how(arguments, where.start)))
        except (MetadataError, RuleError, OSError) as error:
            # One domain's broken rules must not keep the others from theirs.
            if len(targets) == 1:
                raise
            failed += 1
            err(f"innkeeper security: {where.domain}: {error}")
        if outcomes and outcomes[-1].run.report.stopped == apply.INTERRUPTED:
            left = len(targets) - number
            err(f"innkeeper security: interrupted at {where.domain}; domains that were not reached: {left}")
            break
    if (gone := arguments.remove_template or arguments.remove_account) and not changed and not failed:
        raise MetadataError(f"there is no rule of {gone} in these accounts, so none was taken out")
    code = told(outcomes, arguments)
    return printing.ERROR if failed else code


def _targets(arguments: argparse.Namespace, layout: Layout) -> list[Target]:
    if arguments.all:
        return [Target(domain) for domain in hosting.domains(layout)]
    return [
        hosting.target(
            layout,
            domain=arguments.domain or "",
            subdomain=arguments.subdomain or "",
            webuser=arguments.webuser or "",
        )
    ]


def _edit(arguments: argparse.Namespace, layout: Layout) -> tuple[hosting.Change | None, str]:
    """The change of the instances that the arguments ask for, and its reason in their history."""
    if arguments.add_template:
        path = template_path(layout, arguments.add_template)
        source = Document.load(path)
        if errors := [finding for finding in lint(source) if finding.severity == "error"]:
            raise RuleError(errors)
        name = path.name
        is_part = arguments.subdomain or arguments.webuser
        kinds = list(hosting.TEMPLATES) if is_part else [hosting.kind_of_template(name)]
        return hosting.adding(source, name, layout.principals(), kinds), f"template {name} added"
    if arguments.remove_template:
        name = arguments.remove_template.name
        name = name if name.endswith(".xml") else f"{name}.xml"
        return hosting.removing(name), f"template {name} taken out"
    if arguments.remove_account:
        return (
            hosting.removing_account(arguments.remove_account, layout.principals()),
            f"account {arguments.remove_account} taken out",
        )
    return None, ""


def template_path(layout: Layout, path: Path) -> Path:
    """A template by its path, or by its name among those of the server.

    Raises: MetadataError when there is none.
    """
    if path.exists() or len(path.parts) > 1:
        return path
    for name in (path.name, f"{path.name}.xml"):
        if (layout.etc / name).exists():
            return layout.etc / name
    known = ", ".join(sorted(found.name for found in layout.etc.glob("*_template.xml")))
    raise MetadataError(f"there is no template {path}; {layout.etc} has {known}")


def _instantiate(arguments: argparse.Namespace, layout: Layout) -> int:
    ask: Accounts | None = getattr(arguments, "accounts", None)
    if ask is None:
        raise MetadataError("only the program `innkeeper` of an instance can ask it for its hosting accounts")
    accounts = ask(instance_of(arguments))
    if not arguments.all:
        where = _targets(arguments, layout)[0]
        folder = (where.domain, *where.start)
        accounts = [one for one in accounts if one.folder[: len(folder)] == folder]
        if not accounts:
            raise MetadataError(f"the panel knows no hosting account {'/'.join(folder)}")
    present = [one for one in accounts if layout.vhosts.joinpath(*one.folder).is_dir()]
    for account in accounts:
        if account not in present:
            err(f"innkeeper security: {'/'.join(account.folder)}: its folder is not there yet")
    code = told(hosting.instantiate(layout, present, who(), "made from its template"), arguments)
    return max(code, printing.DIFFERENCES) if len(present) < len(accounts) else code


def _drift(arguments: argparse.Namespace) -> int:
    layout = layout_of(arguments)
    if arguments.path is None:
        if arguments.adopt or arguments.restore:
            raise MetadataError("name the PATH; everything is restored by `disk --apply` and `hosting --apply --all`")
        scopes = drift.all_scopes(layout)
    else:
        scopes = [drift.scope_of(layout, real(arguments.path))]
    if arguments.adopt:
        return _adopt(scopes[0], arguments)
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    edited: list[str] = []
    runs: list[str] = []
    code = printing.IN_ORDER
    for scope in scopes:
        with ExitStack() as stack:
            stack.enter_context(running.locked(layout, scope.lock, err))
            edited += [str(metadata.path) for metadata in scope.files() if metadata.is_edited()]
            by_hand, back = drift.put_back(scope, dry=not arguments.restore)
            found = [back]
            if back.report.stopped != apply.INTERRUPTED:
                outcome = scope.run(How(dry=not arguments.restore, start=scope.start))
                found.append(outcome.run)
                if not arguments.restore:
                    rows += _rows(scope, outcome, by_hand)
        for run in found:
            code = max(code, printing.run_code(run.report, dry=not arguments.restore))
            problems += run.report.problems
            if arguments.restore and not arguments.json:
                printing.summary(run.report, "restored")
                printing.way_back(run, f" --state {shlex.quote(str(arguments.state.absolute()))}")
        runs += [run.name for run in found if run.name]
        if found[-1].report.stopped == apply.INTERRUPTED:
            break
    if arguments.json:
        found_wrong = [problem.as_dict() for problem in problems]
        as_json({"drift": rows, "edited_rules": edited, "problems": found_wrong, "runs": runs})
        return code
    if not arguments.restore:
        for problem in problems:
            err(problem)
    for file in edited:
        out(f"{file} was changed by hand and not applied since; its differences stand here too")
    for row in rows:
        out(change_text(row))
        out(f"  restore: {printing.printable(row['restore'])}\n  adopt:   {printing.printable(row['adopt'])}")
    return code


def _rows(scope: drift.Scope, outcome: Outcome, by_hand: list[Left]) -> Iterator[dict[str, Any]]:
    """What differs, from the rules or from what a run left, with the commands for both ways."""
    store = PosixStore(outcome.policy)
    changes = {change["path"]: change for change in outcome.changes}
    for item in by_hand:
        change = printing.change(outcome.policy, store, item.path, (item.now, item.left), None)
        changes[change["path"]] = change | {"rules": changes.get(change["path"], change)["rules"], "by_hand": True}
    for change in changes.values():
        path = str(scope.root / change["path"]) if change["path"] != "." else str(scope.root)
        yield {
            "by_hand": False,
            **change,
            "path": path,
            "restore": f"innkeeper security drift {shlex.quote(path)} --restore",
            "adopt": f"innkeeper security drift {shlex.quote(path)} --adopt",
        }


def _adopt(scope: drift.Scope, arguments: argparse.Namespace) -> int:
    with running.locked(scope.layout, scope.lock, err):
        file = drift.adopt(scope, who())
    if arguments.json:
        as_json({"path": str(arguments.path), "file": str(file) if file else None})
    elif file:
        out(f"{file} was changed and says now what {printing.printable(str(arguments.path))} has")
    else:
        out(f"{printing.printable(str(arguments.path))} is as the rules say")
    return printing.IN_ORDER


def how(arguments: argparse.Namespace, start: tuple[str, ...] = ()) -> How:
    """How the arguments want a run."""
    streams = arguments.plan and not arguments.json
    return How(
        dry=arguments.check or arguments.plan,
        start=start,
        way=bool(start) and arguments.security == "hosting",
        jobs=arguments.jobs,
        told=(lambda change: out(change_text(change))) if streams else None,
        progress=printing.progress if sys.stderr.isatty() and not arguments.json else None,
    )


def told(outcomes: list[Outcome], arguments: argparse.Namespace) -> int:
    """Print runs or plans; the exit code of all."""
    dry = arguments.check or arguments.plan
    held = [limits.of_policy(outcome.policy) for outcome in outcomes]
    state = str(arguments.state.absolute())
    if arguments.json:
        runs = [
            printing.run_data(outcome.policy, outcome.run, outcome.changes if dry else None, known)
            for outcome, known in zip(outcomes, held, strict=True)
        ]
        as_json({"runs": runs})
    else:
        for outcome, known in zip(outcomes, held, strict=True):
            if arguments.check:
                _check_text(outcome)
            else:
                printing.run_text(outcome.policy, outcome.run, known, dry=dry, where=f" --state {shlex.quote(state)}")
    codes = [printing.run_code(outcome.run.report, dry=dry) for outcome in outcomes]
    codes += [printing.DIFFERENCES for outcome in outcomes if outcome.policy.unusable]
    return max(codes, default=printing.IN_ORDER)


def _check_text(outcome: Outcome) -> None:
    for finding in outcome.policy.findings:
        err(finding)
    for change in outcome.changes[:SHOWN]:
        out(printing.printable(change["path"]))
    if len(outcome.changes) > SHOWN:
        out(f"... and {len(outcome.changes) - SHOWN} more; --plan shows each with its rules")
    printing.summary(outcome.run.report, "differ")


def real(path: Path) -> Path:
    """A path with its folder resolved and its last name as it is: a link is not what it leads to."""
    path = path.absolute()
    return path.parent.resolve() / path.name if path.name not in ("", "..") else path.resolve()


def _component_paths(arguments: argparse.Namespace) -> int:
    names = layout_of(arguments).names
    if arguments.json:
        as_json(dict(names))
    else:
        width = max(map(len, names))
        for name, path in names.items():
            out(f"{name:<{width}}  {path}")
    return printing.IN_ORDER


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "disk": _disk,
    "hosting": _hosting,
    "drift": _drift,
    "component-paths": _component_paths,
}
