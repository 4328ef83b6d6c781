"""Keeps the list of events whose passwords some handler is to get: operations ask it before they keep any."""

from __future__ import annotations

from django.db import connection

from innkeeper.core.models import SecretEvent
from innkeeper.events.models import EventHandler


def refresh_secret_events() -> None:
    """Bring the list in line with the handlers, inside the transaction that changed one of them."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # Two changes at once must not each miss the other's handler; who reads the list does not wait.
            cursor.execute("LOCK TABLE core_secretevent IN SHARE ROW EXCLUSIVE MODE")
    wanted = set(EventHandler.objects.filter(enabled=True, pass_secrets=True).values_list("event", flat=True))
    SecretEvent.objects.exclude(event__in=wanted).delete()
    SecretEvent.objects.bulk_create([SecretEvent(event=name) for name in sorted(wanted)], ignore_conflicts=True)
