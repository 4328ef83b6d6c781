"""The panel's own application, which can be told to die at a named point of an operation.

It runs in place of the panel in a child of the tests; the product knows nothing of it. `DYING_FOLDER` names a folder:
the file `point` there holds the place, for instance `statement:before:3`, and `progress` tells whether a packet is
being worked on. The places are before and after hashing, each statement of a transaction, the commit and the answer.
"""

from __future__ import annotations

import mmap
import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from innkeeper.core import passwords
from innkeeper.core.db.transactions import ShortTransactions
from innkeeper.doors import rsgi
from innkeeper.doors.xmlapi import endpoint

FOLDER = Path(os.environ["DYING_FOLDER"])
POINT = FOLDER / "point"

_progress = mmap.mmap(os.open(FOLDER / "progress", os.O_RDWR), 1)
_statements = count(1)


def at(place: str) -> None:
    """Die, with the whole server, if this is the place."""
    try:
        wanted = POINT.read_text()
    except FileNotFoundError:
        return  # nothing is numbered yet
    if wanted == place:
        os.killpg(os.getpgrp(), signal.SIGKILL)


def around(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with a place to die before and after it."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        at(f"{name}:before")
        result = function(*args, **kwargs)
        at(f"{name}:after")
        return result

    return wrapped


def statement(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Number the statements inside transactions from the moment on that a point is set."""
    if not context["connection"].in_atomic_block:
        return execute(sql, params, many, context)
    if not POINT.exists():
        return execute(sql, params, many, context)
    number = next(_statements)
    at(f"statement:before:{number}")
    result = execute(sql, params, many, context)
    at(f"statement:after:{number}")
    return result


def watch(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(statement)


def commit(self: ShortTransactions) -> None:
    at("commit:before")
    real_commit(self)
    at("commit:after")


def answer(*args: Any, **kwargs: Any) -> Any:
    """A packet, from its parsing to its answer; the answer's place is before it leaves."""
    _progress[0] = 1
    try:
        result = real_answer(*args, **kwargs)
        at("answer:before")
        return result
    finally:
        _progress[0] = 0


real_commit = ShortTransactions.commit
real_answer = endpoint.answer
ShortTransactions.commit = commit  # type: ignore[method-assign]
endpoint.answer = answer
passwords.hash_mail_many = around("hash", passwords.hash_mail_many)  # type: ignore[assignment]
connection_created.connect(watch)

application = rsgi.application
