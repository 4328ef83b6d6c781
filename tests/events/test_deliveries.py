"""Tests of handlers, replays and the delivery log."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from handler_world import ADMINISTRATOR, SCRIPT, happened

from innkeeper.core.errors import AlreadyExists, InvalidValue, NotFound
from innkeeper.core.models import OutboxEvent
from innkeeper.core.operation import planning
from innkeeper.core.serversettings import read_setting
from innkeeper.events import operations, queries
from innkeeper.events.catalogue import EVENTS
from innkeeper.events.models import Attempt, Delivery, EventHandler
from innkeeper.events.operations import NewHandler, Replay, retention

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine")]

NOW = timezone.now()


def handler(event: str = "domain_create") -> EventHandler:
    request = NewHandler(event, user="jana", command=f"{SCRIPT} a b", priority=75)
    return operations.create_handler(ADMINISTRATOR, request).handler


def test_a_handler_is_tested_with_the_last_real_event() -> None:
    row = handler()
    happened("domain_create", 4)
    real = happened("domain_create", 5)
    happened("domain_create", 6, state="pending")
    happened("domain_delete", 7)
    ids = [operations.test_handler(ADMINISTRATOR, row.pk) for _ in range(2)]
    first, second = Delivery.objects.filter(pk__in=ids).order_by("pk")
    assert (first.outbox_id, first.object_id, first.is_test, first.state) == (real.pk, 5, True, "waiting")
    assert (first.replay, second.replay, first.priority) == (1, 2, 75)


def test_a_test_looks_back_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    row = handler()
    real = happened("domain_create", 5)
    happened("domain_delete", 7)
    for looked_at, found in ((1, None), (2, real.pk)):
        monkeypatch.setattr(operations.repeat, "LOOKED_AT", looked_at)
        made = operations.test_handler(ADMINISTRATOR, row.pk)
        assert queries.find_delivery(ADMINISTRATOR, made).outbox_id == found


def test_without_one_it_is_tested_with_samples() -> None:
    row = handler()
    first, second = (operations.test_handler(ADMINISTRATOR, row.pk) for _ in range(2))
    found = queries.find_delivery(ADMINISTRATOR, first)
    assert (found.outbox_id, found.event, found.object_type) == (None, "domain_create", "domain")
    assert queries.find_delivery(ADMINISTRATOR, second).is_test
    with pytest.raises(NotFound):
        operations.test_handler(ADMINISTRATOR, row.pk + 1)


def test_a_range_is_replayed_in_order_after_a_plan() -> None:
    row = handler()
    times = [NOW - timedelta(minutes=each) for each in (50, 40, 30, 20)]
    rows = [happened("domain_create", 5, at) for at in times]
    happened("domain_delete", 5, times[1])
    happened("domain_create", 5, times[1], state="pending")
    request = Replay(handler_id=row.pk, since=times[1], until=times[3])
    with planning() as plan:
        assert operations.replay(ADMINISTRATOR, request).count == 2
    assert plan.changes[0].detail.startswith("2 events of ")
    assert not Delivery.objects.exists()
    for number in (1, 2):
        assert operations.replay(ADMINISTRATOR, request).count == 2
        found = Delivery.objects.filter(replay=number).order_by("pk")
        assert [each.outbox_id for each in found] == [rows[1].pk, rows[2].pk]
        assert {(each.state, each.is_test, each.priority, each.event) for each in found} == {
            ("waiting", False, 75, "domain_create")
        }
    assert operations.replay(ADMINISTRATOR, Replay(handler_id=row.pk, since=times[0])).count == 4


def test_one_delivery_is_replayed_to_its_handler_or_to_another_of_the_event() -> None:
    row, other, foreign = handler(), handler(), handler("domain_delete")
    happened("domain_create")
    operations.replay(ADMINISTRATOR, Replay(handler_id=row.pk, since=NOW - timedelta(hours=1)))
    old = Delivery.objects.get()
    assert operations.replay(ADMINISTRATOR, Replay(delivery_id=old.pk)).handler.pk == row.pk
    assert operations.replay(ADMINISTRATOR, Replay(delivery_id=old.pk, handler_id=other.pk)).count == 1
    assert list(Delivery.objects.order_by("pk").values_list("handler", "replay", "outbox_id")) == [
        (row.pk, 1, old.outbox_id), (row.pk, 2, old.outbox_id), (other.pk, 1, old.outbox_id),
    ]  # fmt: skip
    with pytest.raises(InvalidValue, match="is for domain_delete"):
        operations.replay(ADMINISTRATOR, Replay(delivery_id=old.pk, handler_id=foreign.pk))


def test_a_request_that_knows_an_older_state_replays_nothing() -> None:
    row, other = handler(), handler()
    happened("domain_create")
    request = Replay(handler_id=row.pk, since=NOW - timedelta(hours=1))
    with planning():
        shown = operations.replay(ADMINISTRATOR, request).newest
    assert operations.replay(ADMINISTRATOR, replace(request, known=shown)).count == 1
    operations.replay(ADMINISTRATOR, replace(request, handler_id=other.pk))
    again = Replay(delivery_id=Delivery.objects.filter(handler=row).get().pk, known=shown)
    for late in (replace(request, known=shown), again):
        with pytest.raises(AlreadyExists, match="since you looked"):
            operations.replay(ADMINISTRATOR, late)
    newest = operations.replay(ADMINISTRATOR, replace(again, known=None)).newest
    assert newest == again.delivery_id and Delivery.objects.filter(handler=row).count() == 2


def test_what_cannot_be_replayed_is_said() -> None:
    row = handler()
    sample = operations.test_handler(ADMINISTRATOR, row.pk)
    gone = Delivery.objects.create(
        outbox_id=10**9, handler=row, event=row.event, object_type="domain", object_id=1, priority=1, due_at=NOW,
        created_at=NOW,
    )  # fmt: skip
    for request, error, message in (
        (Replay(), InvalidValue, "handler: it is missing"),
        (Replay(handler_id=row.pk), InvalidValue, "since: it is missing"),
        (Replay(handler_id=row.pk, since=NOW, until=NOW), InvalidValue, "until: it lies before since"),
        (Replay(handler_id=0, since=NOW - timedelta(1)), NotFound, "no event handler 0"),
        (Replay(delivery_id=2**80), NotFound, "there is none with the id"),
        (Replay(delivery_id=sample), InvalidValue, "test with sample values"),
        (Replay(delivery_id=gone.pk), NotFound, "older than events are kept"),
    ):
        with pytest.raises(error, match=message):
            operations.replay(ADMINISTRATOR, request)
    assert Delivery.objects.count() == 2


def test_the_log_is_read_in_pages_and_filtered() -> None:
    row, other = handler(), handler("domain_delete")
    for each in (row, other):
        for minute in range(6):
            Delivery.objects.create(
                outbox_id=minute, handler=each, event=each.event, object_type="domain", object_id=1, priority=1,
                due_at=NOW, created_at=NOW - timedelta(minutes=minute), state="dead" if minute % 2 else "done",
            )  # fmt: skip
    ids = list(Delivery.objects.order_by("-pk").values_list("pk", flat=True))
    read: list[int] = []
    while page := queries.deliveries(ADMINISTRATOR, after=read[-1] if read else None, limit=5):
        read += [each.pk for each in page]
    assert read == ids

    def outboxes(**filters: object) -> list[int | None]:
        return [each.outbox_id for each in queries.deliveries(ADMINISTRATOR, **filters)]  # type: ignore[arg-type]

    assert outboxes(handler=row.pk, state="dead") == [5, 3, 1]
    assert outboxes(event="domain_delete", since=NOW - timedelta(minutes=1)) == [1, 0]
    assert outboxes(handler=2**70) == outboxes(after=-1) == []
    assert len(outboxes(after=2**70)) == 12
    with pytest.raises(NotFound, match="Did you mean"):
        outboxes(event="domain_delet")
    with pytest.raises(InvalidValue, match="none of waiting, running"):
        outboxes(state="lost")


def test_attempts_are_read_in_their_order() -> None:
    found = queries.find_delivery(ADMINISTRATOR, operations.test_handler(ADMINISTRATOR, handler().pk))
    for number in (2, 1):
        Attempt.objects.create(delivery=found, number=number, started_at=NOW)
    assert [each.number for each in queries.attempts(found)] == [1, 2]


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_has_sample_values(name: str) -> None:
    event = EVENTS[name]
    values = queries.sample(event)
    assert list(values) == [
        f"{side}_{each}"
        for parameter in event.parameters
        for each in (parameter.name, *parameter.synonyms)
        for side in ("old", "new")
    ]
    for parameter in event.parameters:
        for side, empty in (("old", "create"), ("new", "delete")):
            value = values[f"{side}_{parameter.name}"]
            if event.kind == empty or parameter.secret:
                assert value == ""
            elif parameter.required:
                assert value


def test_every_event_is_in_one_group() -> None:
    names = [each.name for group in queries.catalogue_groups() for each in group.events]
    assert sorted(names) == sorted(EVENTS)
    titles = {each.name: group.title for group in queries.catalogue_groups() for each in group.events}
    assert titles["client_limits_update"] == "Clients"
    assert titles["domain_alias_dns_update"] == "Domain aliases"
    assert titles["domain_dns_update"] == "Domains"


def test_retention_is_a_setting() -> None:
    assert read_setting("event_retention_days") == "30"
    operations.set_retention(ADMINISTRATOR, "90")
    assert read_setting("event_retention_days") == "90"
    with pytest.raises(InvalidValue, match="1 to 3650"):
        operations.set_retention(ADMINISTRATOR, "0")


def test_what_is_old_goes_and_what_somebody_waits_for_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "WINDOW", 3)
    row = handler()
    long_ago, lately = NOW - timedelta(days=31), NOW - timedelta(days=29)

    def delivery(at: datetime, state: str, finished_at: datetime | None) -> tuple[int, int]:
        made = Delivery.objects.create(
            outbox_id=happened("domain_create", at=at).pk, handler=row, event=row.event, object_type="domain",
            object_id=1, priority=1, due_at=at, created_at=at, finished_at=finished_at, state=state,
        )  # fmt: skip
        Attempt.objects.create(delivery=made, number=1, started_at=at)
        return made.pk, made.outbox_id or 0

    for _ in range(4):
        delivery(long_ago, "done", long_ago)
    happened("domain_create", at=long_ago)
    kept = [
        delivery(long_ago, "retry", None),
        delivery(long_ago, "done", lately),
        delivery(lately, "dead", lately),
        delivery(NOW, "waiting", None),
    ]
    pending = happened("domain_create", at=long_ago, state="pending").pk
    delivery(long_ago, "cancelled", long_ago)
    assert operations.remove_old() == 7
    assert sorted(Delivery.objects.values_list("pk", flat=True)) == [pk for pk, _ in kept]
    assert Attempt.objects.count() == len(kept)
    # The event of a delivery that ended lately has gone; the row of the log stays for as long as it is young.
    events = [event for _, event in kept if event != kept[1][1]]
    assert sorted(OutboxEvent.objects.values_list("pk", flat=True)) == sorted([*events, pending])
    assert operations.remove_old() == 0
