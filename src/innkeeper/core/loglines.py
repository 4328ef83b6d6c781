"""Lines of logs, which hold file names and other text of strangers: each entry stays one line, whatever they wrote."""

from __future__ import annotations

import logging
import re
from textwrap import indent
from types import TracebackType

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves the cursor, begins a line, turns the direction of writing, or is no character."""


def visible(text: str) -> str:
    """The text with everything that is not to be seen written as an escape."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class LineFormatter(logging.Formatter):
    """Writes an entry on one line. A traceback follows it, indented, so that none of its lines looks like an entry."""

    def __init__(self) -> None:
        super().__init__(FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return visible(super().formatMessage(record))

    def formatException(  # noqa: N802 - logging's name
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        return indent("\n".join(map(visible, super().formatException(ei).split("\n"))), "    ")


def log_to_stderr() -> None:
    """Let a process that has no other logging write what it has to say, from INFO on."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
