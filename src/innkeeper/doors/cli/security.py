"""`innkeeper security`: a program of root's own, for rules are applied by who gives the command.

The script `innkeeper` runs it, and so do the utilities of `bin` that have their own names for parts of it. It asks the
instance for nothing but its hosting accounts.
"""

from __future__ import annotations

import sys
from typing import Any

from innkeeper.doors.cli.client import CommandFailed, ask
from innkeeper.hostd import hosting_accounts, security
from innkeeper.instance.config import Instance
from innkeeper.permissions import cli
from innkeeper.permissions.server.history import MetadataError
from innkeeper.permissions.server.hosting import Hosted


def accounts(instance: Instance) -> list[Hosted]:
    """The hosting accounts that the instance's database knows. Raises MetadataError when it does not answer."""
    rows: list[dict[str, Any]] = []
    try:
        ask(str(instance.state), {"command": "security.accounts"}, on_rows=rows.extend)
    except CommandFailed as error:
        raise MetadataError(error.message) from None
    return [security.hosted(hosting_accounts.describe(instance, hosting_accounts.Spec(**row))) for row in rows]


if __name__ == "__main__":
    sys.exit(cli.main(sys.argv[1:], accounts))
