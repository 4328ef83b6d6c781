"""What an operation leaves behind (audit, outbox), settings of the server, and uploaded files."""

from __future__ import annotations

from django.db import models


class AuditEntry(models.Model):
    """Who did what to which object, written in the same transaction as the change."""

    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=16)
    actor_id = models.BigIntegerField()
    login = models.CharField(max_length=320)
    address = models.CharField(max_length=45)
    door = models.CharField(max_length=16)
    operation = models.CharField(max_length=64)
    object_type = models.CharField(max_length=32)
    object_id = models.BigIntegerField()
    object_name = models.CharField(max_length=320)
    detail = models.TextField(default="", blank=True)

    class Meta:
        indexes = [models.Index(fields=["object_type", "object_id", "id"], name="audit_object")]


class OutboxEvent(models.Model):
    """A control-panel event, recorded at the commit of its operation and delivered afterwards.

    `parameters` is a JSON object of `old_*` and `new_*` values. Undelivered rows are found by `state`, never by a
    high-water mark: on PostgreSQL a late commit can carry an older id.
    """

    at = models.DateTimeField()
    event = models.CharField(max_length=64)
    object_type = models.CharField(max_length=32)
    object_id = models.BigIntegerField()
    login = models.CharField(max_length=320)
    address = models.CharField(max_length=45)
    parameters = models.TextField()
    state = models.CharField(max_length=16, default="pending")

    class Meta:
        indexes = [models.Index(fields=["id"], name="outbox_pending", condition=models.Q(state="pending"))]


class Setting(models.Model):
    """One setting of the server. Names and defaults are declared in `core/serversettings.py`."""

    name = models.CharField(max_length=64, primary_key=True)
    value = models.TextField()


class Upload(models.Model):
    """A file that a caller sent ahead, named by its handle in a later request (`tmp-name`).

    The content lies in the file store under its SHA-256.
    """

    handle = models.CharField(max_length=64, unique=True)
    owner_kind = models.CharField(max_length=16)
    owner_id = models.BigIntegerField()
    name = models.CharField(max_length=255)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()
