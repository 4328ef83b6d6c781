"""Starting and stopping the server's services."""

from __future__ import annotations

import pytest

from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import ComponentMissing, Failed, NotAllowed, NotFound, Refused
from innkeeper.core.models import AuditEntry, OutboxEvent
from innkeeper.core.operation import planning
from innkeeper.upkeep.services import control_service
from tests.null_hostd import NullHostd

pytestmark = pytest.mark.django_db
ADMIN = Actor(ActorKind.ADMINISTRATOR, 1, "admin")


def hostd(monkeypatch: pytest.MonkeyPatch, *, fails: bool = False) -> NullHostd:
    made = NullHostd(fails=fails)
    monkeypatch.setattr("innkeeper.upkeep.services.services", lambda: made)
    return made


def raised() -> list[str]:
    return [row.event for row in OutboxEvent.objects.order_by("pk")]


def test_a_service_is_controlled_and_its_event_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = hostd(monkeypatch).asked
    for action in ("stop", "start", "restart"):
        control_service(ADMIN, "mail", action)
    assert asked == [("dovecot", "stop"), ("dovecot", "start"), ("dovecot", "restart")]
    assert raised() == ["service_stop", "service_start", "service_restart"]


@pytest.mark.parametrize(
    ("actor", "service", "refusal"),
    [
        (ADMIN, "nothing", NotFound),
        (ADMIN, "dns", ComponentMissing),
        (Actor(ActorKind.RESELLER, 2, "rita"), "mail", NotAllowed),
    ],
)
def test_who_may_control_what(
    actor: Actor, service: str, refusal: type[Refused], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = hostd(monkeypatch).asked
    with pytest.raises(refusal):
        control_service(actor, service, "stop")
    assert (asked, raised()) == ([], [])


def test_what_failed_is_in_the_audit_and_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    hostd(monkeypatch, fails=True)
    with pytest.raises(Failed, match="stop failed"):
        control_service(ADMIN, "smtp", "stop")
    assert [entry.operation for entry in AuditEntry.objects.all()] == ["service.control"]
    assert raised() == []


def test_a_plan_controls_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = hostd(monkeypatch).asked
    with planning() as plan:
        control_service(ADMIN, "smtp", "stop")
    assert [change.object_name for change in plan.changes] == ["smtp"]
    assert (asked, raised()) == ([], [])
