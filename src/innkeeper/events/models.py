"""Handlers of events, and what became of each event that was given to one."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

DEFAULT_PRIORITY = 50
PRIORITIES = {"lowest": 0, "low": 25, "normal": DEFAULT_PRIORITY, "high": 75, "highest": 100}
"""What the panel offers by name; any other whole number is a priority too, and the higher runs first."""

FAILING_AFTER = 3
"""So many attempts in vain, one after the other, are told above the list of handlers. Far more pause one."""


class HandlerKind(models.TextChoices):
    COMMAND = "command"
    WEBHOOK = "webhook"


class DeliveryState(models.TextChoices):
    WAITING = "waiting"
    RUNNING = "running"
    RETRY = "retry"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"


OPEN_STATES = (DeliveryState.WAITING, DeliveryState.RUNNING, DeliveryState.RETRY)
"""Deliveries that are still to be made."""


class EventHandler(models.Model):
    """What the administrator has run for each event of one kind: a command, or a request to a web server.

    `command` is the text as it was typed; `events/command.py` reads it. Priorities run from the highest down, equal
    ones in the order of ids. `paused_at` is set by the delivery when the handler keeps failing.
    """

    event = models.CharField(max_length=64)
    kind = models.CharField(max_length=8, choices=HandlerKind.choices, default=HandlerKind.COMMAND)
    priority = models.IntegerField(default=DEFAULT_PRIORITY)
    enabled = models.BooleanField(default=True)
    user = models.CharField(max_length=32, blank=True, default="")
    command = models.TextField(blank=True, default="")
    url = models.TextField(blank=True, default="")
    sealed_secret = models.BinaryField(default=b"")
    allow_private = models.BooleanField(default=False)
    pass_secrets = models.BooleanField(default=False)
    timeout_s = models.PositiveIntegerField()
    memory_mb = models.PositiveIntegerField()
    output_kb = models.PositiveIntegerField()
    open_files = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    paused_at = models.DateTimeField(null=True)
    pause_reason = models.TextField(blank=True, default="")
    failures = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField(null=True)
    last_state = models.CharField(max_length=16, blank=True, default="")
    delivered_count = models.BigIntegerField(default=0)
    failed_count = models.BigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["event", "-priority", "id"], name="handler_order")]

    @property
    def is_failing(self) -> bool:
        """Whether its last attempts failed, and it goes on."""
        return self.enabled and self.paused_at is None and self.failures >= FAILING_AFTER


class Delivery(models.Model):
    """One event on its way to one handler.

    `outbox_id` is the row of the outbox, which may be gone before this one; it is empty in a test with sample values.
    `replay` is 0 for the event itself and counts its repetitions. `note` says why one waits longer than others.
    """

    outbox_id = models.BigIntegerField(null=True)
    handler = models.ForeignKey(EventHandler, models.CASCADE, related_name="deliveries", db_index=False)
    replay = models.PositiveIntegerField(default=0)
    is_test = models.BooleanField(default=False)
    event = models.CharField(max_length=64)
    object_type = models.CharField(max_length=32)
    object_id = models.BigIntegerField()
    priority = models.IntegerField()
    state = models.CharField(max_length=16, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True, default="", db_default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["outbox_id", "handler", "replay"], name="delivery_once")]
        indexes = [
            models.Index(
                fields=["handler", "due_at", "id"], name="delivery_due", condition=Q(state__in=["waiting", "retry"])
            ),
            models.Index(
                fields=["due_at"], name="delivery_test", condition=Q(is_test=True, state__in=["waiting", "retry"])
            ),
            models.Index(fields=["id"], name="delivery_running", condition=Q(state="running")),
            models.Index(
                fields=["handler", "object_type", "object_id", "id"],
                name="delivery_open",
                condition=Q(state__in=["waiting", "running", "retry"]),
            ),
            models.Index(fields=["handler", "id"], name="delivery_handler"),
            models.Index(fields=["event", "id"], name="delivery_event"),
            models.Index(fields=["state", "id"], name="delivery_state"),
        ]


class Attempt(models.Model):
    """One try to make a delivery, with what came of it. `error` says why it failed."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="tries", db_index=False)
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.BigIntegerField(null=True)
    exit_status = models.IntegerField(null=True)
    signal = models.IntegerField(null=True)
    http_status = models.IntegerField(null=True)
    stdout = models.TextField(blank=True, default="")
    stderr = models.TextField(blank=True, default="")
    error = models.TextField(blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="attempt_once")]
