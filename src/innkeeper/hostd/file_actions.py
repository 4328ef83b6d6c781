"""File requests in hostd: whose the files are, where they lie, and a child that becomes the account."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from innkeeper.hostd import files, rights
from innkeeper.hostd.become import ChildFailedError, Identity, Tell, run_as
from innkeeper.hostd.file_requests import (
    LONG,
    DownloadArchive,
    FileRequest,
    HostingOf,
    SetRights,
    TellRights,
    UndoRights,
)
from innkeeper.hostd.folders import FOLDER
from innkeeper.hostd.handlers import AbandonedError
from innkeeper.hostd.hosting_accounts import user_name
from innkeeper.instance.config import Instance
from innkeeper.permissions.journal import JournalError
from innkeeper.permissions.rules.finding import RuleError
from innkeeper.permissions.server import hosting
from innkeeper.permissions.server.history import MetadataError

CHILDREN = 8
LONG_CHILDREN = 4
"""Of these, so many that take minutes: the others are for requests that somebody waits for."""

OF_ONE = 3
"""Of one webspace at once: its own processes can stop its children, which must keep nobody else's waiting."""

ASKED_OF_ONE = 6
"""Of one webspace at once, those that wait included: each holds a connection."""

PATIENCE_S = 5.0
LONG_GRACE_S = 30.0
"""To remove what was not completed."""

ANSWER_SECONDS = 5.0


class BusyError(Exception):
    """Too many requests are being done."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A result that descriptors go with. Whoever sends it closes them."""

    value: Any
    descriptors: Sequence[int]


class FileActions:
    """The files of an instance's hosting accounts."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._changed = threading.Condition()
        self._asked: Counter[int] = Counter()
        self._running: Counter[int] = Counter()
        self._long = 0

    def do(self, request: FileRequest, client: socket.socket | None = None) -> Carried:
        """Do a request as the account that it is about. `client` hears how far a long one has come.

        Raises: ChildFailedError; AbandonedError when the client of a long one has hung up.
        """
        try:
            identity = self._identity(request.account)
            root = self._root(request.account)
        except LookupError:
            return Carried({"refused": "no-account"}, ())
        try:
            with self._room(request.account.webspace, is_long=type(request) in LONG):
                if isinstance(request, TellRights | SetRights | UndoRights):
                    return Carried(self._rights(request, identity, root, _telling(client)), ())
                value, descriptors = run_as(
                    identity,
                    lambda tell: files.do(root, request, tell),
                    keep=[root],
                    told=_telling(client),
                    **_times(request),
                )
        except BusyError:
            return Carried({"refused": "busy"}, ())
        finally:
            os.close(root)
        return Carried(value, _regular(descriptors))

    @contextmanager
    def _room(self, webspace: int, *, is_long: bool) -> Iterator[None]:
        """Wait for room among all children and among those of a webspace. Raises BusyError."""

        def is_there() -> bool:
            if is_long and (self._long >= LONG_CHILDREN or self._running[webspace] >= OF_ONE - 1):
                return False
            return self._running[webspace] < OF_ONE and self._running.total() < CHILDREN

        with self._changed:
            if self._asked[webspace] >= ASKED_OF_ONE:
                raise BusyError
            self._asked[webspace] += 1
            try:
                if not self._changed.wait_for(is_there, PATIENCE_S):
                    raise BusyError
            except BusyError:
                self._asked -= Counter([webspace])
                raise
            self._running[webspace] += 1
            self._long += is_long
        try:
            yield
        finally:
            with self._changed:
                self._long -= is_long
                self._asked -= Counter([webspace])
                self._running -= Counter([webspace])
                self._changed.notify_all()

    def _rights(
        self, request: TellRights | SetRights | UndoRights, identity: Identity, root: int, tell: Tell
    ) -> dict[str, Any]:
        """What an object has is read as the account; the rules about it are root's to read and write."""
        try:
            place = rights.place_of(self._instance, request.account, request.path)
            if isinstance(request, UndoRights):
                return rights.undo(self._instance, request, tell)
            policy = hosting.policy(place.layout, place.domain)
            about = request.about
            told, _ = run_as(
                identity,
                lambda _: files.refusable(lambda: rights.explained(policy, root, request.path, about)),
                keep=[root],
            )
            if "refused" in told:
                return dict(told)
            if isinstance(request, SetRights):
                needed = ("read", "execute") if told["is_folder"] else ("read",)

                def is_reached() -> bool:
                    may, _ = run_as(identity, lambda _: (files.kernel_says(root, request.path), ()), keep=[root])
                    return all(may[right] for right in needed)

                return rights.set_rights(self._instance, request, told, is_reached, tell)
            told = rights.answered(place, told)
            someone = rights.kernel_identity(place, about)
            if someone is not None:
                told["kernel"], _ = run_as(someone, lambda _: (files.kernel_says(root, request.path), ()), keep=[root])
        except rights.RightsRefusedError as refusal:
            return {"refused": refusal.code, "limit": refusal.detail}
        except (RuleError, MetadataError) as error:
            return {"refused": "rules-broken", "limit": str(error)}
        except JournalError:
            return {"refused": "no-run"}
        return told

    def _identity(self, account: HostingOf) -> Identity:
        """The system user of a webspace, with all its groups. Raises LookupError if there is none."""
        return Identity.of(user_name(self._instance, f"s{account.webspace}"))

    def _root(self, account: HostingOf) -> int:
        """The folder of a domain, good for reaching what is in it as far as the account may, and for nothing else.

        Both folders on the way are root's, so no link can lead elsewhere. Raises LookupError if there is none.
        """
        vhosts = os.open(self._instance.vhosts, FOLDER)
        try:
            return os.open(account.domain, FOLDER, dir_fd=vhosts)
        except OSError:
            raise LookupError(account.domain) from None
        finally:
            os.close(vhosts)


def _times(request: FileRequest) -> dict[str, float]:
    """How long a child may take, and how long to tidy up after that."""
    if type(request) in LONG:
        return {"seconds": files.LONG_SECONDS, "grace": LONG_GRACE_S}
    return {"seconds": files.DOWNLOAD_SECONDS if isinstance(request, DownloadArchive) else files.SECONDS}


def _telling(client: socket.socket | None) -> Tell:
    """Passes on to the client how far its request has come. What it returns raises AbandonedError."""

    def tell(come: dict[str, int]) -> None:
        if client is None:
            return
        try:
            client.settimeout(ANSWER_SECONDS)
            client.sendall(json.dumps({"ok": True, "come": come}).encode() + b"\n")
        except OSError:
            raise AbandonedError("the client hung up") from None

    return tell


def _regular(descriptors: Sequence[int]) -> Sequence[int]:
    """The child's descriptors, which are of files and of nothing else."""
    if not all(stat.S_ISREG(os.fstat(fd).st_mode) for fd in descriptors):
        for fd in descriptors:
            os.close(fd)
        raise ChildFailedError("opened what is no file")
    return descriptors
