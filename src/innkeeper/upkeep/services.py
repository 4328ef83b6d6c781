"""The services of this server: which there are, how they do, and starting and stopping them."""

from __future__ import annotations

from dataclasses import dataclass

from innkeeper.core.actor import Actor
from innkeeper.core.errors import ComponentMissing, Failed, NotAllowed, NotFound
from innkeeper.core.operation import Operation, is_planning
from innkeeper.events.catalogue import event
from innkeeper.hostd.client import HostdError
from innkeeper.jobs.services import services

EVENTS = {
    "start": event("service_start"),
    "stop": event("service_stop"),
    "restart": event("service_restart"),
}


@dataclass(frozen=True, slots=True)
class Service:
    """What the server does for others. `program` is the instance's that does it, "" while none does."""

    number: int
    id: str
    title: str
    program: str = ""


SERVICES = {
    service.id: service
    for service in (
        Service(1, "web", "Web Server"),
        Service(2, "smtp", "SMTP Server (Postfix)", "postfix"),
        Service(3, "mail", "IMAP/POP3 Server (Dovecot)", "dovecot"),
        Service(4, "dns", "DNS Server"),
        Service(5, "mysql", "MariaDB/MySQL"),
        Service(6, "postgresql", "PostgreSQL"),
        Service(7, "spamassassin", "Spam Filter"),
    )
}


def control_service(actor: Actor, service_id: str, action: str) -> None:
    """Start, stop or restart a service; it has ended, or begun to start, when this returns.

    The request is recorded before, the event after. Raises NotAllowed, NotFound, ComponentMissing, Failed.
    """
    if not actor.is_administrator:
        raise NotAllowed("Permission denied: services belong to the administrator.")
    service = SERVICES.get(service_id)
    if service is None:
        raise NotFound("service does not exist")
    if not service.program:
        raise ComponentMissing(f"Service {service_id} is not installed")
    with Operation(actor, "service.control") as operation:
        operation.audit("service", service.number, service.id, action)
    if is_planning():
        return
    try:
        services().control(service.program, action)
    except (OSError, HostdError, RuntimeError) as error:
        raise Failed(f"{service.title}: the {action} failed or took too long. Look how the service does.") from error
    with Operation(actor, "service.control") as operation:
        named = {"service": service.title}
        operation.event(EVENTS[action], service.number, old=named, new=named)
