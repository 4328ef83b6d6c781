"""What the renderers are told about the place they render for, and the files that they answer with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Lookup:
    """Where the daemons look accounts up: an SQLite file, or a PostgreSQL server."""

    path: Path | None = None
    host: str = ""
    port: int = 0
    name: str = ""
    role: str = ""
    password: str = ""

    @property
    def driver(self) -> Literal["sqlite", "pgsql"]:
        return "sqlite" if self.path else "pgsql"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths, ports and users of one mail server."""

    name: str
    host: str
    hostname: str
    smtp_port: int
    submission_port: int
    imap_port: int
    pop3_port: int
    sieve_port: int
    etc: Path
    run: Path
    log: Path
    spool: Path
    data: Path
    storage: Path
    certificate: Path
    certificate_key: Path
    lookup: Lookup
    policy_socket: Path
    policy_user: str
    mail_user: str
    mail_uid: int
    mail_gid: int
    environment_mark: str
    """Name of the variable that marks every process of the instance; daemons must pass it on to their children."""
    reply_program: Path
    """The program that hands a reply of Dovecot's to Postfix."""
    files: Path
    """The file store, where it finds the attachments of automatic replies."""

    @property
    def reply_socket(self) -> Path:
        return self.spool / "public" / "reply"


@dataclass(frozen=True, slots=True)
class File:
    """One rendered file, below the layout's `etc`. A `private` one is for root and Postfix's group only."""

    path: str
    text: str
    private: bool = False
