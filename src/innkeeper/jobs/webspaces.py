"""Suspends webspaces at their last day."""

from __future__ import annotations

from django_tasks import task

from innkeeper.accounts.models import Account
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.hosting.operations import expire_webspaces
from innkeeper.jobs.backend import UPKEEP


@task(queue_name=UPKEEP, lease_s=3600)
def suspend_expired() -> None:
    """Bring the suspension of all webspaces in line with their expiration, in the administrator's name."""
    administrator = Account.objects.filter(kind=Account.Kind.ADMINISTRATOR).first()
    if administrator is not None:
        expire_webspaces(Actor(ActorKind.ADMINISTRATOR, administrator.pk, administrator.login))
