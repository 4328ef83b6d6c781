"""What operations ask to be done outside the database, as rows that commit with the operation.

Call these INSIDE the operation's transaction: the request is one INSERT there, so a crash after the commit cannot
lose it, and a roll-back or a plan takes it back. Called after a commit they work too, but a crash between the two
loses them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.utils import timezone

from innkeeper.jobs.sessions import end_sessions_task

ADDRESSES_PER_JOB = 1_000


def end_sessions(usernames: Iterable[str]) -> None:
    """End the open mail sessions of these log-in names (lower-case ASCII addresses) within a second of the commit.

    For accounts that are removed, renamed (give the old name) or suspended, or whose password changed.
    """
    names = sorted(set(usernames))
    for start in range(0, len(names), ADDRESSES_PER_JOB):
        end_sessions_task.enqueue(names[start : start + ADDRESSES_PER_JOB])


def end_site_sessions(site_ids: Iterable[int]) -> None:
    """`end_sessions` of every account with a mailbox on these sites.

    Names are read now: call it before the accounts of a removed or renamed site change.
    """
    from innkeeper.mail.models import MailName  # the mail rooms call this module

    end_sessions(
        MailName.objects.filter(
            site_id__in=list(site_ids), kind=MailName.Kind.ACCOUNT, account__mailbox_enabled=True
        ).values_list("address", flat=True)
    )


def place_hosting(webspace_id: int) -> None:
    """Bring system users and trees of a webspace's hosting accounts in line with the rows, soon after the commit."""
    from innkeeper.jobs.hosting import place_hosting_task  # the hosting rooms call this module

    place_hosting_task.enqueue([webspace_id])


def restore_tree(webspace_id: int, key: str, grave: str) -> None:
    """Put what lies in a grave in the place of what a hosting account has, soon after the commit."""
    from innkeeper.jobs.hosting import restore_tree_task

    restore_tree_task.enqueue(webspace_id, key, grave)


def make_home(webspace_id: int, home: str) -> None:
    """Make the folder of an FTP account below a webspace's root, soon after the commit, if it is not there."""
    from innkeeper.jobs.hosting import make_home_task

    make_home_task.enqueue(webspace_id, home)


def work_on_files(work_id: int, after_s: float = 0) -> None:
    """Do work on a site's files that may take minutes, soon after the commit or a while later."""
    from innkeeper.jobs.file_work import file_work_task  # the hosting rooms call this module

    file_work_task.using(run_after=timezone.now() + timedelta(seconds=after_s)).enqueue(work_id)
