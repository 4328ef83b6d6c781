"""Mail that flows and people who log in, all the while a test does something to the server."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from services import mail_clients
from services.mail_clients import compose, wait_for
from services.private import Account

PAUSE_S = 0.05


class Traffic:
    """`with Traffic(account) as traffic: ...`, and `traffic.check()` when it is over.

    One thread sends to the account by port 25, one sends as the account, one logs in. Each does so again and again.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.accepted: list[str] = []
        self.log_ins = 0
        self.errors: list[str] = []
        self._stop = threading.Event()
        steps = (self._receive, self._submit, self._log_in)
        self._threads = [threading.Thread(target=self._run, args=(step,), name=step.__name__) for step in steps]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        wait_for("traffic flows", lambda: self.errors or (len(self.accepted) > 2 and self.log_ins > 1))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, step: object) -> None:
        assert callable(step)
        number = 0
        while not self._stop.is_set():
            number += 1
            try:
                step(number)
            except Exception as error:
                self.errors.append(f"{time.strftime('%X')} {step.__name__} {number}: {error!r}")
            self._stop.wait(PAUSE_S)

    def _receive(self, number: int) -> None:
        subject = f"in {number}"
        message = compose("peer@peer.invalid", self.account.address, subject)
        mail_clients.smtp(self.account.ports["smtp"], "peer@peer.invalid", self.account.address, message)
        self.accepted.append(subject)

    def _submit(self, number: int) -> None:
        subject, account = f"out {number}", self.account
        message = compose(account.address, account.address, subject)
        port = account.ports["submission"]
        mail_clients.submit(port, account.address, account.password, account.address, account.address, message)
        self.accepted.append(subject)

    def _log_in(self, _number: int) -> None:
        assert self.account.logs_in(), "the log-in was refused"
        self.log_ins += 1

    def check(self) -> None:
        """No client met an error, and every message that was taken is in the mailbox, once."""
        assert self.errors == []
        accepted = sorted(self.accepted)
        wait_for("all accepted mail is there", lambda: sorted(self.account.subjects()) == accepted, 120)
