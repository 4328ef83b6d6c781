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
    high-water mark: on PostgreSQL a late commit can carry an older id. `number` is given when it is dispatched, so a
    reader who remembers the last one misses none. `sealed` holds the event's passwords until its last delivery, and
    only if a handler is to get them. `depth` counts the handlers that led to the operation, one by another's event.
    """

    at = models.DateTimeField()
    event = models.CharField(max_length=64)
    object_type = models.CharField(max_length=32)
    object_id = models.BigIntegerField()
    login = models.CharField(max_length=320)
    address = models.CharField(max_length=45)
    parameters = models.TextField()
    state = models.CharField(max_length=16, default="pending")
    number = models.BigIntegerField(null=True)
    depth = models.PositiveSmallIntegerField(default=0, db_default=0)
    sealed = models.BinaryField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["id"], name="outbox_pending", condition=models.Q(state="pending")),
            models.Index(fields=["id"], name="outbox_sealed", condition=models.Q(sealed__isnull=False)),
        ]
        constraints = [
            models.UniqueConstraint(fields=["number"], name="outbox_number", condition=models.Q(number__isnull=False)),
        ]


class EventNumber(models.Model):
    """The last number that was given to an event: one row, for a number is never used again."""

    last = models.BigIntegerField()


class SecretEvent(models.Model):
    """An event that some enabled handler gets with its passwords. For all others none is kept."""

    event = models.CharField(max_length=64, primary_key=True)


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
