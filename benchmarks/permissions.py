"""Applying permissions to a tree, beside ``setfacl -R`` with the same entries and beside the bare walk with lstat.

    python benchmarks/permissions.py [--files 200000] [--rounds 5] [--where DIR]

All variants run in turn, round after round, one process each; medians, spread and ratios are printed. Needs root and the Debian
package acl.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from innkeeper.permissions.apply import Options, run
from innkeeper.permissions.places import Places
from innkeeper.permissions.policy import Policy
from innkeeper.permissions.principals import Principals
from innkeeper.permissions.rules.document import Document
from innkeeper.permissions.rules.entry import read_rules
from innkeeper.permissions.stores.posix import PosixStore

SMALL = 10_000
ACCOUNTS = {"one": 760001, "two": 760002, "three": 760003}
MASKS = {"one": ("FullAccess", "rwx"), "two": ("ReadAndExecute", "rx"), "three": ("Read", "r")}
TARGETS = {
    "apply": ("setfacl -R", 1.2), "apply with journal": ("setfacl -R", 0.8), "nothing to change": ("walk with lstat", 0.5),
}  # fmt: skip


def build(root: Path, files: int) -> None:
    """A tree of folders with 100 files each, three levels deep."""
    for number in range(files // 100):
        folder = root / f"{number // 400}" / f"{number // 20}" / f"{number}"
        folder.mkdir(parents=True)
        for name in range(100):
            (folder / f"file-{name}.html").touch(0o644)


def rules(count: int = 3, accounts: int = 3) -> str:
    """Rules for the root, or many for many accounts."""
    if count == 3:
        entries = "".join(
            f'<Entry AccounType="1" Account="{name}" Path="/" AceFlags="ThisFolderSubfoldersAndFiles" '
            f'AccessMask="{mask}" EntryFlags="0x100"/>'
            for name, (mask, _) in MASKS.items()
        )
    else:
        entries = "".join(
            f'<Entry AccounType="1" Account="user{number % accounts}" Path="[HTTPD_VHOSTS_D]" '
            f'SubPath="site{number // 10}\\folder{number % 10}" AceFlags="ThisFolderSubfoldersAndFiles" '
            f'AccessMask="Modify" EntryFlags="0x140" Tag="DomainUser"/>\n'
            for number in range(count)
        )
    return f"<SecurityMetadata>{entries}</SecurityMetadata>"


def timed(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def engine(root: Path, journal: Path | None = None) -> None:
    """One run of the engine, reading and compiling the rules included."""
    read, _ = read_rules([Document(rules())])
    policy = Policy(read, Principals(ACCOUNTS, {}, {}), Places(str(root)))
    done = run(policy, PosixStore(policy), str(root), Options(journal=journal))
    assert not done.report.stopped


def setfacl(root: Path) -> None:
    """The peer, with the same entries."""
    perms = {name: (uid, MASKS[name][1]) for name, uid in ACCOUNTS.items()}
    entries = ",".join(f"{kind}u:{uid}:{perm}" for kind in ("", "d:") for uid, perm in perms.values())
    subprocess.run(["setfacl", "-R", "-P", "-m", entries, str(root)], check=True)


def clean(root: Path) -> None:
    """Take all lists away again."""
    subprocess.run(["setfacl", "-R", "-P", "-b", str(root)], check=True)


def floor(root: Path) -> float:
    """The seconds of the bare walk, as it measures them itself."""
    program = Path(__file__).with_name("permissions_floor.py")
    answer = subprocess.run([sys.executable, str(program), str(root)], check=True, capture_output=True, text=True)
    return float(answer.stdout.split()[1])


def alone(root: Path) -> tuple[float, int]:
    """Seconds and MiB of one application in a new process."""
    clean(root)
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.permissions_alone", str(root)],
        check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    seconds, most = answer.stdout.split()
    return float(seconds), int(most) >> 10


def show(times: dict[str, list[float]], objects: int) -> None:
    """Print each variant, and its ratio to its peer."""
    medians = {name: statistics.median(found) for name, found in times.items()}
    for name, found in times.items():
        rate = objects / medians[name]
        print(f"{name:20} median {medians[name]:6.3f} s  ({min(found):.3f} .. {max(found):.3f})  {rate:9,.0f}/s")
    for name, (peer, target) in TARGETS.items():
        ratio = medians[peer] / medians[name]
        print(f"{name:20} {ratio:.2f} x {peer} (target {target})", flush=True)


def growth(trees: dict[int, Path]) -> None:
    """What a file costs, and how much memory a run takes, in a small and in a large tree."""
    found: dict[int, list[tuple[float, int]]] = {files: [] for files in trees}
    for _ in range(2):
        for files, tree in trees.items():
            found[files].append(alone(tree))
    for files, runs in found.items():
        each = statistics.median(seconds for seconds, _ in runs) / files * 1e6
        print(
            f"in a tree of {files:,} files: {each:.1f} us a file, {max(most for _, most in runs)} MiB (target: the same)"
        )


def compiling() -> float:
    """10,000 rules for 1,000 accounts, from text to policy."""
    text = rules(10_000, 1_000)
    principals = Principals({f"user{number}": 760_000 + number for number in range(1000)}, {}, {})

    def compile_all() -> None:
        read, findings = read_rules([Document(text)])
        policy = Policy(read, principals, Places("/srv/vhosts"))
        assert len(policy.rules) == 10_000 and not findings and not policy.findings

    return timed(compile_all)


def main(_engine: str = "", files: int = 200_000, rounds: int = 5, where: str | None = None) -> None:
    """Build, measure, print. No database has a part in it."""
    base = Path(tempfile.mkdtemp(prefix="permissions-bench-", dir=where))
    root, small, runs = base / "tree", base / "small", base / "runs"
    try:
        build(root, files)
        times: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name, action in (
                ("setfacl -R", lambda: setfacl(root)),
                ("apply", lambda: engine(root)),
                ("apply with journal", lambda: engine(root, runs)),
            ):
                clean(root)
                times.setdefault(name, []).append(timed(action))
            times.setdefault("nothing to change", []).append(timed(lambda: engine(root)))
            times.setdefault("walk with lstat", []).append(floor(root))
        objects = int(subprocess.run(
            [sys.executable, str(Path(__file__).with_name("permissions_floor.py")), str(root)],
            check=True, capture_output=True, text=True,
        ).stdout.split()[0])  # fmt: skip
        print(f"{objects} objects, {rounds} rounds")
        show(times, objects)
        build(small, SMALL)
        growth({SMALL: small, files: root})
    finally:
        shutil.rmtree(base)
    print(f"compile 10,000 rules x 1,000 accounts: {compiling():.2f} s (target 2)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--where", help="folder for the tree; its file system is what is measured")
    main("", **vars(parser.parse_args()))
