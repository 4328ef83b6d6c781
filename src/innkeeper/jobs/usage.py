"""Keeps the stored counters of use and last log-in, so that no request ever computes them."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection, transaction
from django_tasks import task

from innkeeper.accounts.queries import the_administrator
from innkeeper.hostd.client import Figures
from innkeeper.hosting.operations import tell_reached_limits
from innkeeper.jobs.backend import UPKEEP
from innkeeper.jobs.services import services
from innkeeper.mail.models import MailAccount

BATCH = 500

# Mail, and the files that accounts keep for their automatic replies.
SITES_SQL = """
    SELECT id, used_bytes,
        COALESCE((SELECT SUM(a.used_bytes) FROM mail_mailaccount a WHERE a.site_id = s.id), 0)
        + COALESCE((SELECT SUM(f.size) FROM mail_repositoryfile f
                    JOIN mail_mailaccount a ON a.id = f.account_id WHERE a.site_id = s.id), 0)
    FROM hosting_site s WHERE id > %s ORDER BY id LIMIT %s
"""


@task(queue_name=UPKEEP, lease_s=3600)
def refresh_usage() -> None:
    """Bring `used_bytes` and `last_login_at` of accounts, then `used_bytes` of sites, to what is there now.

    What has reached a limit with that is told in the administrator's name.
    """
    refresh_accounts()
    refresh_sites()
    if administrator := the_administrator():
        tell_reached_limits(administrator)


def refresh_accounts() -> None:
    """Ask hostd for every account with a mailbox, in batches, and write what differs."""
    hostd = services()
    for batch in _batches():
        stored = {storage: (used, login) for storage, used, login in batch}
        changed: list[Figures] = [
            figures for figures in hostd.figures(stored) if stored.get(figures.storage) != figures[1:]
        ]
        if not changed:
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE mail_mailaccount SET used_bytes = %s, last_login_at = %s WHERE storage = %s",
                [(f.used_bytes, connection.ops.adapt_datetimefield_value(f.last_login_at), f.storage) for f in changed],
            )


def _batches() -> Iterator[list[tuple[str, int, object]]]:
    last = 0
    accounts = MailAccount.objects.order_by("id").values_list("id", "storage", "used_bytes", "last_login_at")
    while rows := list(accounts.filter(id__gt=last)[:BATCH]):
        last = rows[-1][0]
        yield [row[1:] for row in rows]


def refresh_sites() -> None:
    """Write the use of each site where it differs from what its accounts hold.

    Computed by reads, in batches: on SQLite a long write would hold everybody else up.
    """
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(SITES_SQL, [last, BATCH])
            rows = cursor.fetchall()
        if not rows:
            return
        last = rows[-1][0]
        changed = [(now, site_id) for site_id, stored, now in rows if stored != now]
        if changed:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.executemany("UPDATE hosting_site SET used_bytes = %s WHERE id = %s", changed)
