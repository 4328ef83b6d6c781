"""hostd itself: `python -m innkeeper.hostd`, run by the instance's supervisor as root."""

from __future__ import annotations

import grp
import logging
import os
import pwd
import signal
import sys
from pathlib import Path
from types import FrameType

from innkeeper.core.loglines import log_to_stderr
from innkeeper.hostd.actions import Actions
from innkeeper.hostd.server import Server
from innkeeper.instance import logs
from innkeeper.instance.config import Instance


def main() -> int:
    log_to_stderr()
    instance = Instance.load(Path(os.environ["INNKEEPER_STATE"]))
    actions = Actions(instance)
    actions.handlers.begin()
    server = Server(actions, frozenset({0, pwd.getpwnam(instance.users.panel).pw_uid}))
    listener = server.listen(instance.hostd_socket, grp.getgrnam(instance.group).gr_gid)

    def end(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    logs.watch(instance)
    logging.getLogger("innkeeper.hostd").info("listening")
    server.serve(listener)
    return 0


if __name__ == "__main__":
    sys.exit(main())
