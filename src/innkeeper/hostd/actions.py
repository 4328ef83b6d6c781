"""What hostd does for each request."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

from innkeeper.hostd import requests, sessions, storage
from innkeeper.hostd.accounts import Accounts
from innkeeper.hostd.file_actions import FileActions
from innkeeper.hostd.file_requests import FileRequest
from innkeeper.hostd.handlers import Handlers
from innkeeper.instance import readiness
from innkeeper.instance.config import Instance
from innkeeper.instance.supervision import Supervisor

CONTROLLED = frozenset({"policy", "dovecot", "postfix", "panel", "cli", "worker"})
"""Programs that the panel may control. Without the keeper or hostd, mail or the panel itself could not go on."""

SECOND_LOOK_S = 0.5


class Actions:
    """The actions on one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.handlers = Handlers(instance)
        self._files = FileActions(instance)
        self.accounts = Accounts(instance)

    def do(self, request: requests.Request, client: socket.socket | None = None) -> Any:
        """Do what was asked; what the answer's `result` holds. Raises whatever went wrong.

        `client` is whoever waits: a handler does not run on without it.
        """
        match request:
            case requests.Kick(usernames):
                return self._kick(usernames)
            case requests.Figures(storages):
                root = self._instance.storage
                found = {key: storage.figures(root, key) for key in storages}
                return {key: values for key, values in found.items() if values is not None}
            case requests.EmptyGrave(key):
                return storage.delete(self._instance.storage, key)
            case requests.Programs():
                return self._programs()
            case requests.Control(program, action):
                return self._control(program, action)
            case requests.HandlerUsers():
                return self.handlers.users()
            case requests.CheckCommand():
                return self.handlers.check(request, client)
            case (
                requests.EnsureUsers()
                | requests.RemoveUsers()
                | requests.EnsureTrees()
                | requests.MoveTrees()
                | requests.BuryTrees()
                | requests.EmptyTreeGrave()
                | requests.Graves()
                | requests.RestoreTree()
            ):
                return self.accounts.do(request)
            case requests.RunHandler():
                return self.handlers.run(request, client)
            case FileRequest():
                return self._files.do(request, client)

    def _kick(self, usernames: tuple[str, ...]) -> int:
        ended = sessions.end(self._instance, usernames)

        def again() -> None:
            # A log-in that was being checked against the old row while we looked is a session by now.
            time.sleep(SECOND_LOOK_S)
            sessions.end(self._instance, usernames)

        threading.Thread(target=again, daemon=True).start()
        return ended

    def _programs(self) -> dict[str, dict[str, Any]]:
        states = Supervisor(self._instance).states()
        found = {
            name: {"state": info["statename"].lower(), "pid": info["pid"] or None, "since": info["start"] or None}
            for name, info in states.items()
        }
        # Mail passes without the policy service, so nobody else would notice one that hangs.
        policy = found.get("policy")
        if policy and policy["state"] == "running" and not readiness.works(readiness.probes(self._instance)["policy"]):
            policy["state"] = "silent"
        return found

    def _control(self, program: str, action: str) -> bool:
        if program not in CONTROLLED:
            raise requests.BadRequestError("program: not one that can be controlled")
        supervisor = Supervisor(self._instance)
        if action in ("stop", "restart"):
            supervisor.stop(program)
        if action in ("start", "restart"):
            supervisor.start(program)
        return True
