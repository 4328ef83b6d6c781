"""The last day of webspaces: from its limit `expiration` on one is suspended, until the limit is moved."""

from __future__ import annotations

import time

from django.db.models import F, Q

from innkeeper.core.actor import Actor
from innkeeper.core.errors import NotFound
from innkeeper.core.operation import Operation
from innkeeper.core.status import EXPIRED
from innkeeper.hosting.models import Webspace, WebspaceLimit
from innkeeper.hosting.operations.status import EXPIRATION, inherit_status, record_status, with_expiration
from innkeeper.hosting.operations.webspaces import lock_webspace


def expire_webspaces(actor: Actor) -> int:
    """Suspend every webspace whose time is over, and let those go on whose time is not; how many changed.

    Each in an operation of its own, with all that lies below it.
    """
    over = WebspaceLimit.objects.filter(name=EXPIRATION, value__gt=0, value__lte=int(time.time())).values("webspace_id")
    marked = Q(marked__gt=0)
    found = Webspace.objects.annotate(marked=F("site__status").bitand(EXPIRED)).filter(
        (Q(pk__in=over) & ~marked) | (~Q(pk__in=over) & marked)
    )
    changed = 0
    for pk in list(found.values_list("pk", flat=True)):
        with Operation(actor, "webspace.expire") as operation:
            try:
                webspace = lock_webspace(pk)
            except NotFound:  # removed meanwhile
                continue
            site, old_status = webspace.site, webspace.site.status
            site.status = with_expiration(webspace)
            if site.status != old_status:
                site.save(update_fields=["status"])
                record_status(operation, site, old_status)
                inherit_status(operation, webspace_ids=[pk])
                changed += 1
    return changed
