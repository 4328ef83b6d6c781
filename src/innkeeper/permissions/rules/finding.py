"""What the reader, the linter and the engine have to say about a rule."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """An error stops a run unless its rule says to go on; a warning never does."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark, with the place in the file that it is about."""

    code: str
    message: str
    file: str
    line: int
    column: int
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity} {self.code}: {self.message}"

    def as_dict(self) -> dict[str, Any]:
        """The finding as plain data."""
        return {
            "code": self.code, "severity": str(self.severity), "message": self.message,
            "file": self.file, "line": self.line, "column": self.column,
        }  # fmt: skip


class RuleError(Exception):
    """Rules cannot be read or used; ``findings`` say where and why."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings
