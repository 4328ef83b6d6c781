"""An automatic reply and the files that go with it, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date


@dataclass(slots=True)
class Reply:
    """One automatic reply. `attachments` names files of the account's repository."""

    name: str
    enabled: bool = False
    key: str = ""
    key_where: str = "no"
    subject: str = ""
    reply_to: str = ""
    content_type: str = "text/plain"
    charset: str = "UTF-8"
    text: str = ""
    answers_per_day: int | None = None
    remembered_senders: int | None = None
    forward: str = ""
    start_date: date | None = None
    end_date: date | None = None
    attachments: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of an account's repository. The id is 0 until its row is written."""

    name: str
    size: int
    sha256: str
    id: int = 0


def single_reply(replies: Sequence[Reply]) -> Reply | None:
    """Which reply stands for all at a door that knows only one: the first that is on, else the first."""
    return next((reply for reply in replies if reply.enabled), replies[0] if replies else None)
