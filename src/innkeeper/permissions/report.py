"""What a run did, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from innkeeper.permissions.rules.finding import Finding

# Every code of a run, with its meaning; the documentation is checked against this table.
CODES = {
    "acl-too-large": "the list does not fit into the file system's space for it",
    "any-path": "below * something else than a file mask stands",
    "bad-acl": "what the object has is not a list that can be read",
    "behind-fence": "the path lies in a folder that other rules govern",
    "changed-since": "an undo found an object that was changed again after the run",
    "create": "a missing folder could not be made",
    "hard-link": "the file has several names, so it may belong elsewhere too",
    "link": "the path leads through a link",
    "mount-point": "something is mounted on the path, and a run stays in the file system of its root",
    "no-account": "no account of this system has the name",
    "no-acl": "the file system holds no access control lists",
    "no-folder": "the path leads through something that is no folder",
    "not-reachable": "the path cannot be looked at",
    "not-removed": "an undo could not remove a folder that the run made",
    "not-there": "the path does not exist and 0x40 is not set",
    "outside-root": "the path lies outside of the root",
    "placeholder": "Null was not replaced by an account",
    "sid-disagrees": "SidStr and Account name different accounts",
    "too-deep": "the tree is deeper than descriptors last",
    "too-many-entries": "more accounts need an entry than a list holds",
    "unknown-name": "a bracket name or variable is not known",
}

# A run over millions of objects must not collect millions of messages.
MAX_PROBLEMS = 1000


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be done at one object.

    ``rules`` are the places of the rules that wanted it.
    """

    path: str
    code: str
    message: str
    rules: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The problem as plain data."""
        return {"path": self.path, "code": self.code, "message": self.message, "rules": list(self.rules)}

    def __str__(self) -> str:
        rules = f" (rules: {', '.join(self.rules)})" if self.rules else ""
        path = self.path.replace("\n", "\\n")  # one problem, one line
        return f"{path}: {self.code}: {self.message}{rules}"


@dataclass(slots=True)
class Report:
    """Counts of one run. ``skipped`` counts by reason what was left alone on purpose."""

    folders: int = 0
    files: int = 0
    changed: int = 0
    created: int = 0
    vanished: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    by_rule: Counter[int] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    stopped: str = ""
    # Rules that say to go on, about what is not there: nothing differs from them.
    absent: list[Finding] = field(default_factory=list)

    @property
    def objects(self) -> int:
        """Everything looked at."""
        return self.folders + self.files

    def problem(self, problem: Problem) -> None:
        """Count a problem and keep it while there is room."""
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)

    def add(self, other: Report) -> None:
        """Add the counts of another process."""
        self.folders += other.folders
        self.files += other.files
        self.changed += other.changed
        self.created += other.created
        self.vanished += other.vanished
        self.skipped += other.skipped
        self.by_rule += other.by_rule
        self.problem_count += other.problem_count
        self.problems += other.problems[: MAX_PROBLEMS - len(self.problems)]
        self.stopped = self.stopped or other.stopped
        self.absent += other.absent

    def as_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "folders": self.folders, "files": self.files, "changed": self.changed, "created": self.created,
            "vanished": self.vanished, "skipped": dict(self.skipped), "problem_count": self.problem_count,
            "problems": [problem.as_dict() for problem in self.problems],
            "absent": [finding.as_dict() for finding in self.absent], "stopped": self.stopped,
        }  # fmt: skip
