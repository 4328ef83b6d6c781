"""How jobs reach hostd, the one root process of ours."""

from __future__ import annotations

from django.conf import settings

from innkeeper.hostd.client import Client


def services() -> Client:
    """hostd of the instance that this process belongs to. Raises RuntimeError outside of an instance."""
    if settings.INSTANCE is None:
        raise RuntimeError("No instance: there are no services to ask.")
    return Client(settings.INSTANCE.hostd_socket)
