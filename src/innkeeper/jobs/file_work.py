"""Does the work on files of sites that may take minutes."""

from __future__ import annotations

from django_tasks import task

from innkeeper.hosting.operations.file_work import carry_out
from innkeeper.jobs.backend import FILES


@task(queue_name=FILES, lease_s=3 * 3_600, tries=10)
def file_work_task(work_id: int) -> None:
    """Do one piece of work. Its row says what came of it; it is tried again while hostd is away."""
    carry_out(work_id)
