"""Makes the database ready: `python -m innkeeper.upkeep.setup`, run as the panel's user before anything starts.

Migrates, refuses a database of a newer Innkeeper, creates the administrator if there is none, with the password that
stands on the first line of standard input, and offers the machine's addresses to hosting. Prints what it did.
"""

from __future__ import annotations

import os
import sys

import django


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "innkeeper.core.settings")
    django.setup()

    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(connection)
    newer = sorted(set(loader.applied_migrations) - set(loader.disk_migrations))
    if newer:
        app, name = newer[0]
        print(  # noqa: T201
            f"This database was made by a newer Innkeeper (migration {app}.{name}). Run that version.",
            file=sys.stderr,
        )
        return 3
    call_command("migrate", interactive=False, verbosity=0)
    print("database ready")  # noqa: T201

    from innkeeper.accounts.operations import create_administrator

    if create_administrator(sys.stdin.readline().rstrip("\n")):
        print("administrator created")  # noqa: T201

    from innkeeper.core.serversettings import ensure_server_guid
    from innkeeper.network.operations import adopt_machine_addresses

    ensure_server_guid()
    adopt_machine_addresses(settings.INSTANCE.host if settings.INSTANCE else "")
    return 0


if __name__ == "__main__":
    sys.exit(main())
