"""What operations left behind, as tests compare it."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.db import connection

from innkeeper.core.actor import Actor
from innkeeper.core.models import OutboxEvent
from innkeeper.hosting.models import Webspace

MakeCustomer = Callable[..., Actor]
MakeWebspace = Callable[..., Webspace]


def events() -> list[tuple[str, dict[str, str]]]:
    """All recorded events, without empty parameters."""
    rows = OutboxEvent.objects.order_by("pk")
    return [(row.event, {k: v for k, v in json.loads(row.parameters).items() if v}) for row in rows]


def column(view: str, name: str) -> list[str]:
    """What the mail daemons see."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name} FROM {view} ORDER BY 1")
        return [row[0] for row in cursor.fetchall()]
