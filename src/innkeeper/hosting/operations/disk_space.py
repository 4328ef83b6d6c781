"""The limit `disk_space` of webspaces: an event tells when the counted use has reached it."""

from __future__ import annotations

from typing import Any

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from innkeeper.core.actor import Actor
from innkeeper.core.errors import NotFound
from innkeeper.core.operation import Operation
from innkeeper.hosting import events
from innkeeper.hosting.models import WebspaceLimit
from innkeeper.hosting.operations.webspaces import lock_webspace

DISK_SPACE = "disk_space"
_REACHED = Q(value__gte=0, used__gt=0, used__gte=F("value"))


def tell_reached_limits(actor: Actor) -> int:
    """Raise the event of each webspace whose use has reached its limit; how many they are.

    It is raised once for a limit: again only when use was seen below it meanwhile, or when the limit is another.
    """
    told = 0
    for pk in list(_news().values_list("webspace_id", flat=True)):
        with Operation(actor, "webspace.disk_space") as operation:
            try:
                webspace = lock_webspace(pk)
            except NotFound:  # removed meanwhile
                continue
            limit: Any = _news().filter(webspace=webspace).first()
            if limit is None:  # changed meanwhile
                continue
            limit.told = limit.value if limit.is_reached else None
            limit.save(update_fields=["told"])
            if limit.is_reached:
                values = {"domain_name": webspace.site.name, "maximum_disk_space": limit.value}
                operation.audit("webspace", pk, webspace.site.name, f"{limit.value} bytes are used")
                operation.event(events.DOMAIN_LIMIT_SIZE_REACHED, pk, old=values, new=values)
                told += 1
    return told


def _news() -> QuerySet[WebspaceLimit]:
    """The limits that were reached and not told of, and those told of that are reached no more."""
    used = Coalesce(Sum("webspace__sites__used_bytes"), 0)
    found = WebspaceLimit.objects.filter(name=DISK_SPACE).annotate(used=used, is_reached=_REACHED)
    return found.filter(Q(is_reached=True) & ~Q(told=F("value")) | Q(is_reached=False, told__isnull=False))
