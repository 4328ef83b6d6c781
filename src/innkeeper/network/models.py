"""IP addresses that hosting uses."""

from __future__ import annotations

from django.db import models


class IPAddress(models.Model):
    """An address of this server. `exclusive` means dedicated to one owner."""

    class Type(models.TextChoices):
        SHARED = "shared"
        EXCLUSIVE = "exclusive"

    address = models.CharField(max_length=45, unique=True)
    netmask = models.CharField(max_length=45)
    type = models.CharField(max_length=16, choices=Type.choices)
    interface = models.CharField(max_length=200)
    public_address = models.CharField(max_length=45, default="", blank=True)
    certificate_name = models.CharField(max_length=255, default="", blank=True)
    is_default = models.BooleanField(default=False)
