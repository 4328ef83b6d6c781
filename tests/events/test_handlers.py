"""Handlers are created, changed, switched and removed; what could not run is refused when it is saved."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.utils import timezone
from handler_world import ADMINISTRATOR, CUSTOMER, SCRIPT, Machine, happened

from innkeeper.core.errors import Failed, InvalidValue, NotAllowed, NotFound
from innkeeper.core.models import AuditEntry, SecretEvent
from innkeeper.core.operation import planning
from innkeeper.core.sealing import unseal
from innkeeper.events import operations, queries, system
from innkeeper.events.models import Attempt, Delivery, EventHandler
from innkeeper.events.operations import HandlerChanges, NewHandler, Replay, Saved
from innkeeper.hostd.client import CommandCheck

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine")]

COMMAND = f"{SCRIPT} <new_contact_name> <new_login_name>"


def create(event: str = "client_create", **values: Any) -> Saved:
    return operations.create_handler(
        ADMINISTRATOR, NewHandler(event, **{"user": "handlers", "command": COMMAND} | values)
    )


def delivered(handler: EventHandler, **values: Any) -> Delivery:
    now = timezone.now()
    return Delivery.objects.create(
        **{
            "outbox_id": happened(handler.event).pk, "handler": handler, "event": handler.event,
            "object_type": "client", "object_id": 5, "priority": handler.priority, "state": "done",
            "due_at": now, "created_at": now,
        } | values
    )  # fmt: skip


def test_a_handler_is_stored_as_it_was_typed() -> None:
    saved = create()
    row = EventHandler.objects.get()
    assert (row.pk, row.event, row.kind, row.user) == (saved.handler.pk, "client_create", "command", "handlers")
    assert (row.command, row.priority, row.enabled, row.timeout_s) == (COMMAND, 50, True, 300)
    assert (saved.warnings, saved.secret_once) == ((), "")
    entry = AuditEntry.objects.get()
    assert (entry.operation, entry.object_id, entry.object_name) == ("event_handler.create", row.pk, "client_create")
    assert SCRIPT not in entry.detail


def test_handlers_of_one_event_are_listed_in_the_order_in_which_they_run() -> None:
    first, second, third = (create(priority=each).handler.pk for each in (10, 90, 10))
    assert list(queries.visible_handlers(ADMINISTRATOR).values_list("pk", flat=True)) == [second, first, third]


@pytest.mark.parametrize("priority", [0, 25, 50, 75, 100, -7, 31_000, 2**31 - 1])
def test_any_whole_number_is_a_priority(priority: int) -> None:
    assert create(priority=priority).handler.priority == priority


def test_a_synonym_is_stored_under_the_name_of_the_documentation() -> None:
    assert create("client_guid_update", command=f"{SCRIPT} <new_guid>").handler.event == "client_guid"


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"event": "client_creat"}, NotFound, "Did you mean client_create"),
        ({"command": f"{SCRIPT} <new_mailname>"}, InvalidValue, "no parameter of client_create"),
        ({"command": f"{SCRIPT} <new_contact_nam>"}, InvalidValue, "Did you mean <new_contact_name>"),
        ({"command": f"{SCRIPT} <new_password>"}, InvalidValue, "is a password"),
        (
            {"command": "/opt/none.sh <new_login_name>"},
            InvalidValue,
            r"none.sh: No such file or directory\. .* that handlers can run\.$",
        ),
        ({"command": "/opt/my scripts/a.sh <new_login_name>"}, InvalidValue, "put the path in quotes"),
        ({"command": "test.sh"}, InvalidValue, "not a full path"),
        ({"command": ""}, InvalidValue, "it is empty"),
        ({"command": COMMAND + " > /tmp/x"}, InvalidValue, "for a shell"),
        ({"user": "root"}, InvalidValue, "may not run as 'root' here.*Use one of handlers, jana"),
        ({"user": "nobody-here"}, InvalidValue, "Use one of handlers, jana"),
        ({"user": "x\0" * 900}, InvalidValue, "Use one of"),
        ({"priority": 2**31}, InvalidValue, "priority: 2147483648 is out of range"),
        ({"timeout_s": 0}, InvalidValue, "Give 1 to 3600 seconds"),
        ({"memory_mb": 1}, InvalidValue, "Give 16 to 16384 megabytes"),
        ({"output_kb": 4096}, InvalidValue, "Give 0 to 1024 kilobytes"),
        ({"open_files": 3}, InvalidValue, "Give 16 to 4096 files"),
        ({"kind": "mail"}, InvalidValue, "neither command nor webhook"),
        ({"url": "https://example.com/"}, InvalidValue, "a command handler has none"),
        ({"allow_private": True}, InvalidValue, "of webhooks alone"),
    ],
)
def test_what_could_not_run_is_refused_and_nothing_is_stored(
    values: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        create(**values)
    assert not EventHandler.objects.exists()
    assert not AuditEntry.objects.exists()


def test_the_only_user_need_not_be_named(machine: Machine) -> None:
    machine.users = ["handlers"]
    assert create(user="").handler.user == "handlers"
    machine.users = []
    with pytest.raises(InvalidValue, match="None is allowed on this server yet"):
        create(user="")


def test_a_script_that_reads_other_positions_is_saved_with_a_warning(machine: Machine) -> None:
    assert create(command=f"{SCRIPT} <new_login_name>").warnings == (
        "The script uses $2, and the command passes one. Add what is missing to the command.",
    )
    machine.programs[SCRIPT] = None  # a program that is no script
    assert create(command=f"{SCRIPT} <new_login_name>").warnings == ()


def test_passwords_where_there_are_none_is_a_warning() -> None:
    assert create(pass_secrets=True).warnings == ()
    saved = create("domain_create", command=f"{SCRIPT} <new_domain_name> x", pass_secrets=True)
    assert saved.warnings == ("domain_create has no password, so there is none to pass.",)


def test_nothing_is_saved_while_the_server_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Machine:
        raise ConnectionRefusedError

    monkeypatch.setattr(system, "hostd", away)
    with pytest.raises(Failed, match="does not answer"):
        create()
    assert not EventHandler.objects.exists()


@pytest.mark.parametrize(
    ("error", "message", "field"),
    [
        ("user: root is forbidden by root.event_handler.lock", "^user: root is forbidden by .*lock[.]$", "user"),
        (f"command: {SCRIPT} can be changed by others", f"^command: {SCRIPT} can be changed by others[.]$", "command"),
        ("it is a folder", f"^command: {SCRIPT}: it is a folder[.] Give", "command"),
    ],
)
def test_the_servers_refusals_are_passed_on(machine: Machine, error: str, message: str, field: str) -> None:
    machine.errors[SCRIPT] = error
    with pytest.raises(InvalidValue, match=message) as refused:
        create()
    assert refused.value.field == field


def test_a_change_leaves_the_rest() -> None:
    row = create(priority=75).handler
    EventHandler.objects.filter(pk=row.pk).update(delivered_count=4, failures=2)
    saved = operations.update_handler(ADMINISTRATOR, row.pk, HandlerChanges(user="jana", timeout_s=5, enabled=False))
    assert (saved.handler.user, saved.handler.timeout_s, saved.handler.enabled) == ("jana", 5, False)
    assert (saved.handler.priority, saved.handler.command) == (75, COMMAND)
    assert (saved.handler.delivered_count, saved.handler.failures) == (4, 2)
    with pytest.raises(InvalidValue, match="is a password"):
        operations.update_handler(ADMINISTRATOR, row.pk, HandlerChanges(command=f"{SCRIPT} <old_password>"))
    with pytest.raises(InvalidValue, match="signs nothing"):
        operations.update_handler(ADMINISTRATOR, row.pk, HandlerChanges(new_secret=True))
    with pytest.raises(NotFound):
        operations.update_handler(ADMINISTRATOR, row.pk + 1, HandlerChanges(priority=1))


def test_another_event_must_know_the_placeholders_and_cancels_what_waits() -> None:
    row = create().handler
    waiting, done = delivered(row, state="waiting"), delivered(row)
    with pytest.raises(InvalidValue, match="no parameter of mailname_create"):
        operations.update_handler(ADMINISTRATOR, row.pk, HandlerChanges(event="mailname_create"))
    saved = operations.update_handler(
        ADMINISTRATOR, row.pk, HandlerChanges(event="mailname_create", command=f"{SCRIPT} <new_mailname> x")
    )
    assert saved.handler.event == "mailname_create"
    assert saved.warnings == ("1 deliveries of client_create that waited for this handler were cancelled.",)
    waiting.refresh_from_db()
    done.refresh_from_db()
    assert (waiting.state, done.state) == ("cancelled", "done")


def test_of_two_changes_at_once_one_is_refused(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    row = create().handler
    look = machine.check_command

    def meanwhile(user: str, path: str) -> CommandCheck:
        monkeypatch.setattr(machine, "check_command", look)
        operations.update_handler(
            ADMINISTRATOR, row.pk, HandlerChanges(event="mailname_create", command=f"{SCRIPT} <new_mailname> x")
        )
        return look(user, path)

    monkeypatch.setattr(machine, "check_command", meanwhile)
    with pytest.raises(Failed, match="Somebody else changed this handler"):
        operations.update_handler(ADMINISTRATOR, row.pk, HandlerChanges(command=f"{SCRIPT} <new_phone> x"))
    row.refresh_from_db()
    assert (row.event, row.command) == ("mailname_create", f"{SCRIPT} <new_mailname> x")


def test_several_are_switched_and_removed_and_each_missing_one_is_named() -> None:
    first, second, third = (create().handler for _ in range(3))
    Attempt.objects.create(delivery=delivered(first), number=1, started_at=timezone.now())
    kept = delivered(third)
    ids = [first.pk, 0, second.pk, first.pk, 2**70, -4]
    outcomes = operations.set_enabled(ADMINISTRATOR, ids, False)
    assert [(each.value, each.error is None) for each in outcomes] == [
        (first.pk, True), (0, False), (second.pk, True), (2**70, False), (-4, False),
    ]  # fmt: skip
    assert list(EventHandler.objects.filter(enabled=True)) == [third]
    outcomes = operations.remove_handlers(ADMINISTRATOR, ids)
    assert [each.value for each in outcomes if each.error is None] == [first.pk, second.pk]
    assert list(EventHandler.objects.all()) == [third]
    assert list(Delivery.objects.all()) == [kept]
    assert not Attempt.objects.exists()
    assert all(each.error for each in operations.remove_handlers(ADMINISTRATOR, ids))


def test_a_paused_handler_goes_on() -> None:
    row = create().handler
    EventHandler.objects.filter(pk=row.pk).update(paused_at=timezone.now(), pause_reason="fails", failures=9)
    operations.resume_handler(ADMINISTRATOR, row.pk)
    row.refresh_from_db()
    assert (row.paused_at, row.pause_reason, row.failures) == (None, "", 0)


def test_a_plan_changes_nothing() -> None:
    row = create().handler
    with planning() as plan:
        create()
        operations.update_handler(ADMINISTRATOR, row.pk, HandlerChanges(priority=1))
        operations.remove_handlers(ADMINISTRATOR, [row.pk])
        operations.test_handler(ADMINISTRATOR, row.pk)
    assert [each.operation.partition(".")[2] for each in plan.changes] == ["create", "update", "remove", "test"]
    assert EventHandler.objects.get().priority == 50
    assert not Delivery.objects.exists()


def webhook(url: str = "https://hooks.example.com/in?x=1", **values: Any) -> Saved:
    return operations.create_handler(ADMINISTRATOR, NewHandler("client_create", kind="webhook", url=url, **values))


def test_a_webhook_has_a_secret_that_is_told_once() -> None:
    saved = webhook(priority=75, pass_secrets=True)
    row = EventHandler.objects.get()
    assert (row.kind, row.url, row.user, row.command) == ("webhook", "https://hooks.example.com/in?x=1", "", "")
    assert len(base64.b64decode(saved.secret_once.removeprefix("whsec_"))) == 32
    assert unseal(row.sealed_secret) == saved.secret_once
    changed = operations.update_handler(ADMINISTRATOR, row.pk, HandlerChanges(timeout_s=9))
    assert changed.secret_once == ""
    row.refresh_from_db()
    assert unseal(row.sealed_secret) == saved.secret_once
    rolled = operations.update_handler(ADMINISTRATOR, row.pk, HandlerChanges(new_secret=True))
    row.refresh_from_db()
    assert unseal(row.sealed_secret) == rolled.secret_once != saved.secret_once
    assert not [entry for entry in AuditEntry.objects.values_list("detail", flat=True) if "hooks" in entry]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "url: it is missing"),
        ("http://a.example/", "over https alone"),
        ("ftp://a.example/", "over https alone"),
        ("a.example/hook", "no web address"),
        ("https://", "no web address"),
        ("https://a.example:0/", "no web address"),
        ("https://a.example:99999/", "no web address"),
        ("https://[::1/", "no web address"),
        ("https://ada:secret@a.example/", "a name or a password"),
        ("https://a.example/#part", "behind #"),
        ("https://a.example/ä", "without spaces"),
        ("https://a.example/ b", "without spaces"),
        ("https://a.example/\r\nX: y", "without spaces"),
        ("https://a.example/" + "x" * 2048, "at most 2048"),
        ("https://127.0.0.1/", "private address"),
        ("https://127.1/", "private address"),
        ("https://0x7f000001/", "private address"),
        ("https://2130706433/", "private address"),
        ("https://10.1.2.3:8443/", "private address"),
        ("https://169.254.169.254/latest/", "private address"),
        ("https://[::ffff:192.168.1.1]/", "private address"),
        ("https://[fd00::1]/", "private address"),
    ],
)
def test_a_web_address_that_events_cannot_be_sent_to_is_refused(url: str, message: str) -> None:
    with pytest.raises(InvalidValue, match=message) as refused:
        webhook(url)
    assert (refused.value.field, "secret" in refused.value.message) == ("url", False)


def test_private_addresses_can_be_allowed() -> None:
    assert webhook("https://10.1.2.3/", allow_private=True).handler.allow_private
    with pytest.raises(InvalidValue, match="a webhook handler has none"):
        webhook(user="jana")


def test_events_whose_passwords_a_handler_gets_are_listed_for_operations() -> None:
    def listed() -> list[str]:
        return list(SecretEvent.objects.values_list("event", flat=True))

    create()
    first, second = create(pass_secrets=True).handler, webhook(pass_secrets=True).handler
    assert listed() == ["client_create"]
    operations.set_enabled(ADMINISTRATOR, [first.pk], False)
    assert listed() == ["client_create"]
    operations.update_handler(ADMINISTRATOR, second.pk, HandlerChanges(pass_secrets=False))
    assert listed() == []
    operations.set_enabled(ADMINISTRATOR, [first.pk], True)
    operations.update_handler(ADMINISTRATOR, first.pk, HandlerChanges(event="client_update"))
    assert listed() == ["client_update"]
    operations.remove_handlers(ADMINISTRATOR, [first.pk])
    assert listed() == []


def test_only_the_administrator_may() -> None:
    row = create().handler
    attempts = [
        lambda: operations.create_handler(CUSTOMER, NewHandler("client_create", user="jana", command=COMMAND)),
        lambda: operations.update_handler(CUSTOMER, row.pk, HandlerChanges(priority=1)),
        lambda: operations.remove_handlers(CUSTOMER, [row.pk]),
        lambda: operations.set_enabled(CUSTOMER, [row.pk], False),
        lambda: operations.resume_handler(CUSTOMER, row.pk),
        lambda: operations.test_handler(CUSTOMER, row.pk),
        lambda: operations.replay(CUSTOMER, Replay(delivery_id=1)),
        lambda: operations.set_retention(CUSTOMER, "3"),
        lambda: queries.visible_handlers(CUSTOMER),
        lambda: queries.find_handler(CUSTOMER, row.pk),
        lambda: queries.deliveries(CUSTOMER),
        lambda: queries.find_delivery(CUSTOMER, 1),
        lambda: queries.handler_users(CUSTOMER),
    ]  # fmt: skip
    for attempt in attempts:
        with pytest.raises(NotAllowed):
            attempt()
    assert EventHandler.objects.get().enabled
