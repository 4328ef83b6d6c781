"""A server as hostd would describe it: its users and programs. The service tests ask the real one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from innkeeper.core.actor import Actor, ActorKind, Door
from innkeeper.core.models import OutboxEvent
from innkeeper.events.catalogue import EVENTS
from innkeeper.events.samples import sample
from innkeeper.hostd.client import CommandCheck

ADMINISTRATOR = Actor(ActorKind.ADMINISTRATOR, 1, "admin", door=Door.CLI)
CUSTOMER = Actor(ActorKind.CUSTOMER, 2, "ines", door=Door.PANEL)
SCRIPT = "/opt/scripts/test-handler.sh"


@dataclass
class Machine:
    """Answers in hostd's stead."""

    users: list[str] = field(default_factory=lambda: ["handlers", "jana"])
    programs: dict[str, str | None] = field(default_factory=lambda: {SCRIPT: '#!/bin/sh\necho "$1 $2" >> log\n'})

    errors: dict[str, str] = field(default_factory=dict)

    def handler_users(self) -> list[str]:
        return self.users

    def check_command(self, user: str, path: str) -> CommandCheck:
        if path not in self.programs:
            return CommandCheck("No such file or directory", None)
        if path in self.errors:
            return CommandCheck(self.errors[path], None)
        return CommandCheck(None, self.programs[path])


def happened(event: str, object_id: int = 5, at: datetime | None = None, state: str = "dispatched") -> OutboxEvent:
    """An event in the outbox."""
    return OutboxEvent.objects.create(
        at=at or timezone.now(),
        event=event,
        object_type=EVENTS[event].object_type,
        object_id=object_id,
        login="admin",
        address="192.0.2.7",
        parameters=json.dumps(sample(EVENTS[event])),
        state=state,
    )
