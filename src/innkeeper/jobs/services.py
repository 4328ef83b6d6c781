"""What jobs ask of hostd, the one root process of ours."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, cast

from django.conf import settings


class Figures(NamedTuple):
    """What one account's storage holds now."""

    storage: str
    used_bytes: int
    last_login_at: datetime | None


class Services(Protocol):
    """The requests of jobs. Each raises OSError or RuntimeError when it could not be done; then it is tried again."""

    def kick(self, usernames: Sequence[str]) -> None:
        """End the open mail sessions of these log-in names. Names without a session are no error."""

    def figures(self, storages: Iterable[str]) -> Iterator[Figures]:
        """Use and last log-in of each storage that exists."""

    def empty_grave(self, storage: str) -> None:
        """Delete a removed account's storage. One that is not there is no error."""


def services() -> Services:
    """hostd of the instance that this process belongs to."""
    if settings.INSTANCE is None:
        raise RuntimeError("No instance: there are no services to ask.")
    client = importlib.import_module("innkeeper.hostd.client")
    return cast(Services, client.Client(settings.INSTANCE.hostd_socket))
