"""The Event Manager: handlers, their delivery log, and who may see them."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from innkeeper.accounts.models import Account
from innkeeper.core.errors import Failed
from innkeeper.core.models import AuditEntry
from innkeeper.core.sealing import unseal
from innkeeper.doors.cli.commands.event_handler import COMMANDS
from innkeeper.doors.cli.parser import Parser
from innkeeper.events import system
from innkeeper.events.catalogue import EVENTS
from innkeeper.events.models import Delivery, EventHandler
from innkeeper.events.operations import NewHandler
from tests.deliveries import COMMAND, make_attempt, make_delivery, make_handler
from tests.events.handler_world import SCRIPT, Machine, happened

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Client]
PAGES = ["/events/", "/events/choose/", "/events/new/?event=client_create", "/events/deliveries/", "/events/7/",
         "/events/7/api/", "/events/7/replay/", "/events/7/choose/", "/events/deliveries/7/"]  # fmt: skip
ACTIONS = ["/events/deliveries/kept/",
           "/events/new/", "/events/bulk/", "/events/7/", "/events/7/test/", "/events/7/resume/", "/events/7/secret/",
           "/events/7/replay/", "/events/deliveries/7/replay/", "/events/new/check/command/"]  # fmt: skip


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The server on which handlers are saved."""
    found = Machine()
    monkeypatch.setattr(system, "hostd", lambda: found)
    return found


@pytest.fixture
def client(admin: Account, log_in: LogIn) -> Client:
    return log_in("admin")


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def form(**changes: str) -> dict[str, str]:
    values = {
        "event": "client_create", "kind": "command", "user": "handlers", "command": COMMAND, "preset": "50",
        "priority": "50", "enabled": "on", "timeout_s": "300", "memory_mb": "512", "output_kb": "64",
        "open_files": "256", "url": "",
    } | changes  # fmt: skip
    return {name: value for name, value in values.items() if value is not None}


@pytest.mark.parametrize("path", PAGES)
def test_only_the_administrator_sees_the_pages(path: str, alice: Account, log_in: LogIn) -> None:
    assert log_in("alice").get(path).status_code == 403
    assert Client().get(path).headers["Location"].startswith("/login/?next=%2Fevents%2F")


@pytest.mark.parametrize("path", ACTIONS)
def test_only_the_administrator_changes_anything(path: str, alice: Account, log_in: LogIn) -> None:
    handler = make_handler(id=7)
    make_delivery(handler, id=7)
    assert log_in("alice").post(path, form(do="remove", id="7", confirmed="1")).status_code == 403
    assert (EventHandler.objects.count(), Delivery.objects.count()) == (1, 1)


def test_the_rail_leads_the_administrator_alone_to_the_handlers(alice: Account, client: Client, log_in: LogIn) -> None:
    assert 'href="/events/"' in text_of(client.get("/mail/"))
    assert 'href="/events/"' not in text_of(log_in("alice").get("/mail/"))


def test_every_event_is_there_to_choose_under_its_object(client: Client) -> None:
    page = text_of(client.get("/events/choose/"))
    assert set(re.findall(r'/events/new/\?event=(\w+)"', page)) == set(EVENTS)
    assert page.index('<h2 id="group-6">Clients</h2>') < page.index("client_create") < page.index("Desktop presets")
    assert page.count("Not raised yet") == sum(not event.is_raised for event in EVENTS.values())


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("mailname_cr", {"mailname_create"}),
        ("Customer", set()),
        ("client account CREATED", {"client_create"}),
        ("client_guid_update", {"client_guid"}),
        ("old_mailbox_quota", {"mailname_update"}),
        ("mailing list", {"maillist_create", "maillist_update", "maillist_delete"}),
        ("<script>\0", set()),
    ],
)
def test_events_are_found_by_name_object_and_parameter(words: str, found: set[str], client: Client) -> None:
    page = text_of(client.get("/events/choose/", {"q": words}))
    assert set(re.findall(r'/events/new/\?event=(\w+)"', page)) == found
    assert ("No event matches" in page) is not bool(found)


def test_the_form_shows_the_event_its_parameters_and_sample_values(client: Client) -> None:
    page = text_of(client.get("/events/new/?event=client_create"))
    assert "Client account created" in page
    for name in ("old_contact_name", "new_contact_name", "new_login_name", "new_country"):
        assert f'data-insert="{name}"' in page
    assert "Ines Sommer" in page
    assert 'data-insert="new_password"' not in page and "NEW_PASSWORD" in page
    assert re.findall(r'<option value="(\w+)"', page) == ["handlers", "jana"]


def test_without_an_event_it_is_chosen_first(client: Client) -> None:
    assert client.get("/events/new/").headers["Location"] == "/events/choose/"


def test_an_unknown_event_is_a_page_that_names_the_near_ones(client: Client) -> None:
    response = client.get("/events/new/?event=client_creat")
    assert response.status_code == 404
    assert "Did you mean client_create" in text_of(response)


def test_the_example_of_the_guide_is_made(client: Client) -> None:
    response = client.post("/events/new/", form(), follow=True)
    page = text_of(response)
    assert response.redirect_chain == [("/events/", 302)]
    assert "The handler was created: Client account created." in page
    assert COMMAND in page
    handler = EventHandler.objects.get()
    assert (handler.event, handler.user, handler.command, handler.priority, handler.enabled) == (
        "client_create", "handlers", COMMAND, 50, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "priority"),
    [({"preset": "0"}, 0), ({"preset": "100"}, 100), ({"preset": "other", "priority": "-7"}, -7),
     ({"preset": "25", "priority": "99"}, 25), ({"preset": ""}, 50)],
)  # fmt: skip
def test_presets_and_any_other_whole_number_are_priorities(
    changes: dict[str, str], priority: int, client: Client
) -> None:
    client.post("/events/new/", form(**changes))
    assert EventHandler.objects.get().priority == priority


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"command": f"{SCRIPT} <new_contact_nam>"}, "command", "Did you mean <new_contact_name>"),
        ({"command": f"{SCRIPT} <new_mailname>"}, "command", "is no parameter of client_create"),
        ({"command": f"{SCRIPT} <new_password>"}, "command", "is a password"),
        ({"command": "/none.sh"}, "command", "No such file"),
        ({"command": "/opt/my scripts/x.sh <new_login_name>"}, "command", "quotes"),
        ({"command": ""}, "command", "It is empty"),
        ({"command": "x" * 5000}, "command", "4096"),
        ({"command": f'{SCRIPT} "\x07"'}, "command", "Type it anew"),
        ({"user": "root"}, "user", "root"),
        ({"preset": "other", "priority": ""}, "priority", "whole number"),
        ({"preset": "other", "priority": "1.5"}, "priority", "whole number"),
        ({"preset": "other", "priority": "9" * 400}, "priority", ""),
        ({"preset": "17"}, "preset", "17"),
        ({"timeout_s": "0"}, "timeout_s", "Give 1 to"),
        ({"memory_mb": ""}, "memory_mb", "required"),
        ({"open_files": "²"}, "open_files", "whole number"),
        ({"kind": "shell"}, "kind", "shell"),
        ({"kind": "webhook", "url": "http://example.com/"}, "url", "https"),
        ({"kind": "webhook", "url": "https://127.0.0.1/"}, "url", "private address"),
        ({"kind": "webhook", "url": ""}, "url", "missing"),
    ],
)
def test_a_refusal_stands_beside_its_field_and_nothing_is_saved(
    changes: dict[str, str], field: str, words: str, client: Client
) -> None:
    response = client.post("/events/new/", form(**changes))
    page = text_of(response)
    assert response.status_code == 422
    assert f'<a href="#id_{field}">' in page and words in page
    assert not EventHandler.objects.exists()


def test_what_was_typed_is_not_lost_with_a_refusal(client: Client) -> None:
    page = text_of(client.post("/events/new/", form(command="/none.sh <new_login_name>", preset="75", timeout_s="7")))
    assert "/none.sh <new_login_name></textarea>" in page
    assert re.search(r'value="75"[^>]*checked', page) and 'value="7"' in page


def test_warnings_of_saving_are_shown_on_the_next_page(client: Client, machine: Machine) -> None:
    machine.programs[SCRIPT] = '#!/bin/sh\necho "$1 $3"\n'
    page = text_of(client.post("/events/new/", form(), follow=True))
    assert "The script uses $3" in page and "which the script leaves out" in page
    assert EventHandler.objects.exists()


def test_without_the_service_that_knows_users_the_form_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Machine:
        raise Failed("The service that runs handlers does not answer.")

    monkeypatch.setattr(system, "hostd", away)
    assert "Nobody can be offered" in text_of(client.get("/events/new/?event=client_create"))
    response = client.post("/events/new/", form())
    assert response.status_code == 422 and "does not answer" in text_of(response)
    assert not EventHandler.objects.exists()


def test_a_command_is_judged_and_shown_with_sample_values_while_it_is_typed(client: Client) -> None:
    response = client.post("/events/new/check/command/", form(command=COMMAND + ' "as it is"'))
    page = text_of(response)
    assert response.status_code == 200
    assert [*re.findall(r"<li><code>([^<]+)</code>", page)] == [SCRIPT, "Ines Sommer", "ines", "as it is"]
    assert "The command passes as it is as $3, which the script leaves out." in page
    response = client.post("/events/new/check/command/", form(command="relative <new_login_name>"))
    assert response.status_code == 422 and "is not a full path" in text_of(response)
    assert not EventHandler.objects.exists()


def test_a_command_is_judged_beside_numbers_that_cannot_be_read(client: Client) -> None:
    values = form(command="/none.sh", timeout_s="x", preset="other", priority="", kind="")
    response = client.post("/events/new/check/command/", values)
    assert response.status_code == 422 and "No such file" in text_of(response)


def test_only_fields_that_can_be_judged_alone_are(client: Client) -> None:
    assert client.post("/events/new/check/user/", form()).status_code == 404
    assert client.post("/events/99/check/command/", form()).status_code == 404
    response = client.post("/events/new/check/url/", form(kind="webhook", url="http://example.com"))
    assert response.status_code == 422 and "https" in text_of(response)


def test_a_handler_is_shown_and_changed(client: Client) -> None:
    handler = make_handler(priority=-3)
    page = text_of(client.get(f"/events/{handler.pk}/"))
    assert COMMAND in page and re.search(r'value="other"[^>]*checked', page) and 'value="-3"' in page
    values = form(command=f"{SCRIPT} <new_login_name> <new_email>", preset="100", enabled="", timeout_s="9")
    client.post(f"/events/{handler.pk}/", values)
    handler.refresh_from_db()
    assert (handler.command, handler.priority, handler.enabled, handler.timeout_s) == (
        f"{SCRIPT} <new_login_name> <new_email>", 100, False, 9,
    )  # fmt: skip


def test_a_handler_moves_to_another_event(client: Client) -> None:
    handler = make_handler()
    assert f'/events/{handler.pk}/?event=mailname_create"' in text_of(client.get(f"/events/{handler.pk}/choose/"))
    page = text_of(client.get(f"/events/{handler.pk}/?event=mailname_create"))
    assert 'data-insert="new_mailname"' in page
    response = client.post(f"/events/{handler.pk}/", form(event="mailname_create"))
    assert response.status_code == 422 and "is no parameter of mailname_create" in text_of(response)
    client.post(f"/events/{handler.pk}/", form(event="mailname_create", command=f"{SCRIPT} <new_mailname> x"))
    handler.refresh_from_db()
    assert handler.event == "mailname_create"


def test_a_user_who_is_no_longer_allowed_is_still_named(client: Client) -> None:
    page = text_of(client.get(f"/events/{make_handler(user='gone').pk}/"))
    assert "gone (no longer allowed)" in page


def test_the_list_tells_what_each_handler_does_and_how_it_fares(client: Client) -> None:
    make_handler(delivered_count=1203, failed_count=1, last_state="done", last_at=timezone.now())
    make_handler("domain_create", last_state="failed", last_at=timezone.now() - timedelta(hours=2), failed_count=1)
    make_handler("mailname_create", enabled=False, kind="webhook", url="https://example.com/in", priority=75)
    page = text_of(client.get("/events/"))
    for words in (
        COMMAND,
        "99% of 1,204",
        "Delivered",
        "Just now",
        "Failed",
        "2 hours ago",
        "0% of 1",
        "https://example.com/in",
        "Off",
        "Nothing yet",
    ):
        assert words in page, words


def test_handlers_are_found_by_event_command_and_user(client: Client) -> None:
    make_handler()
    make_handler("mailname_create", command="/opt/other.sh", user="jana")
    for query, found in (("Mail account", 1), ("other.sh", 1), ("jana", 1), ("client_c", 1), ("e", 2), ("nothing", 0)):
        page = text_of(client.get("/events/", {"q": query}))
        assert len(re.findall(r'name="id" value="(\d+)"', page)) == found, query


def test_a_paused_handler_is_told_first_and_goes_on(client: Client) -> None:
    handler = make_handler(
        paused_at=timezone.now(), pause_reason="20 deliveries failed one after the other.", failures=20
    )
    for path in ("/events/", f"/events/{handler.pk}/"):
        assert "20 deliveries failed one after the other." in text_of(client.get(path))
    page = text_of(client.post(f"/events/{handler.pk}/resume/", follow=True))
    assert "The handler goes on" in page and "Paused" not in page
    handler.refresh_from_db()
    assert handler.paused_at is None


def test_a_handler_that_keeps_failing_is_told_first(client: Client) -> None:
    make_handler(failures=2)
    make_handler(failures=5, enabled=False)
    assert "attempts failed" not in text_of(client.get("/events/"))
    handler = make_handler("mailname_create", failures=3)
    for path in ("/events/", f"/events/{handler.pk}/"):
        page = text_of(client.get(path))
        assert page.count("The last 3 attempts failed.") == 1 and f"/events/deliveries/?handler={handler.pk}" in page


def test_several_handlers_are_switched_off_and_on(client: Client) -> None:
    ids = [str(make_handler().pk) for _ in range(3)]
    page = text_of(client.post("/events/bulk/", {"do": "disable", "id": ids[:2]}, follow=True))
    assert "2 handlers are off" in page
    assert list(EventHandler.objects.order_by("pk").values_list("enabled", flat=True)) == [False, False, True]
    client.post("/events/bulk/", {"do": "enable", "id": ids})
    assert not EventHandler.objects.filter(enabled=False).exists()


def test_handlers_are_removed_after_a_look_at_what_goes_with_them(client: Client) -> None:
    first, second = make_handler(), make_handler()
    make_delivery(first)
    page = text_of(client.post("/events/bulk/", {"do": "remove", "id": [str(first.pk), str(second.pk)]}))
    assert "Remove 2 event handlers?" in page and "delivery log goes with them" in page
    assert EventHandler.objects.count() == 2
    again = {"do": "remove", "confirmed": "1", "id": [str(first.pk)]}
    assert "1 handler was removed." in text_of(client.post("/events/bulk/", again, follow=True))
    assert "No handler was selected" in text_of(client.post("/events/bulk/", again, follow=True))
    assert list(EventHandler.objects.all()) == [second] and not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"do": "explode", "id": "1"}, "Choose what to do"),
        ({"do": "remove"}, "No handler was selected"),
        ({"do": "remove", "id": ["9" * 40, "-1", "x", "²"]}, "No handler was selected"),
    ],
)
def test_a_bulk_action_that_makes_no_sense_changes_nothing(data: dict[str, Any], words: str, client: Client) -> None:
    make_handler()
    assert words in text_of(client.post("/events/bulk/", data, follow=True))
    assert EventHandler.objects.filter(enabled=True).exists()


def test_a_test_leads_to_its_delivery(client: Client) -> None:
    handler = make_handler()
    response = client.post(f"/events/{handler.pk}/test/", follow=True)
    page = text_of(response)
    assert response.redirect_chain[0][0] == f"/events/deliveries/{Delivery.objects.get().pk}/"
    assert "test with sample values" in page and "No attempt was made yet." in page
    assert 'hx-trigger="every 2s"' in page and "Replay</button>" not in page
    happened("client_create")
    assert "test with the last real event" in text_of(client.post(f"/events/{handler.pk}/test/", follow=True))


def test_an_open_delivery_is_not_followed_for_ever(client: Client) -> None:
    old = make_delivery(make_handler(), "waiting", created_at=timezone.now() - timedelta(minutes=3))
    page = text_of(client.get(f"/events/deliveries/{old.pk}/"))
    assert "every 2s" not in page and "Look again" in page


def test_a_page_that_follows_a_removed_delivery_learns_that_it_is_gone(client: Client) -> None:
    assert client.get("/events/deliveries/9/").status_code == 404
    response = client.get("/events/deliveries/9/", headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["HX-Redirect"]) == (286, "/events/deliveries/")


def test_a_delivery_shows_every_attempt_with_its_output(client: Client) -> None:
    delivery = make_delivery(make_handler(), "done", attempts=3)
    make_attempt(delivery, exit_status=137, stderr="<b>no</b> space", error="It ended with exit status 137.")
    make_attempt(
        delivery, number=2, exit_status=None, signal=9, duration_ms=300_000, error="It took longer than 300 s."
    )
    make_attempt(delivery, number=3, stdout="name: Ines Sommer\n")
    response = client.get(f"/events/deliveries/{delivery.pk}/")
    page = text_of(response)
    for words in ("Exit status 137", "Ended by signal 9", "300.0 s", "12 ms", "Exit status 0", "name: Ines Sommer"):
        assert words in page, words
    assert b"&lt;b&gt;no&lt;/b&gt; space" in response.content
    assert page.count('<details class="output">') == 2  # folded


def test_the_log_filters_by_handler_event_and_state(client: Client) -> None:
    first, second = make_handler(), make_handler("mailname_create")
    make_delivery(first)
    dead = make_delivery(first, "dead")
    mail = make_delivery(second)

    def shown(query: str) -> set[int]:
        page = text_of(client.get(f"/events/deliveries/{query}"))
        return {int(number) for number in re.findall(r'href="/events/deliveries/(\d+)/"', page)}

    assert len(shown("")) == 3
    assert shown(f"?handler={second.pk}") == {mail.pk} == shown("?event=mailname_create")
    assert shown("?state=dead") == {dead.pk} == shown(f"?state=dead&handler={first.pk}&event=client_create")
    assert shown("?state=dead&event=mailname_create") == set() == shown("?handler=999")
    assert len(shown("?state=nonsense&handler=x&event=y&after=z")) == 3


def test_pages_of_the_log_show_each_delivery_once(client: Client) -> None:
    handler = make_handler()
    ids = [make_delivery(handler, outbox_id=number).pk for number in range(120)]
    path, seen, pages = f"/events/deliveries/?handler={handler.pk}", [], 0
    while path:
        page = client.get(path).content.decode()
        seen += [int(number) for number in re.findall(r'<th scope="row"><a href="/events/deliveries/(\d+)/"', page)]
        link = re.search(r'rel="next" href="([^"]+)"', page)
        path, pages = html.unescape(link[1]) if link else "", pages + 1
    assert seen == ids[::-1] and pages == 3


def test_a_page_takes_few_statements_however_many_rows_it_has(client: Client) -> None:
    handlers = [make_handler() for _ in range(30)]
    for number in range(60):
        make_delivery(handlers[number % 30], outbox_id=number)
    for path in ("/events/", "/events/deliveries/", f"/events/{handlers[0].pk}/"):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(path).status_code == 200
        assert len(captured) <= 8, (path, [query["sql"] for query in captured.captured_queries])


def test_one_delivery_is_given_again_after_its_plan(client: Client) -> None:
    delivery = make_delivery(make_handler(), "dead")
    page = text_of(client.post(f"/events/deliveries/{delivery.pk}/replay/"))
    assert "Replay 1 event?" in page and Delivery.objects.count() == 1
    shown = dict(re.findall(r'<input type="hidden" name="(known|confirmed)" value="([^"]+)"', page))
    page = text_of(client.post(f"/events/deliveries/{delivery.pk}/replay/", shown, follow=True))
    assert "1 event is on its way again." in page
    assert Delivery.objects.latest("pk").replay == 1
    # The second of two clicks sends the same once more.
    page = text_of(client.post(f"/events/deliveries/{delivery.pk}/replay/", shown, follow=True))
    assert "given again already" in page and Delivery.objects.count() == 2
    page = text_of(client.post(f"/events/deliveries/{delivery.pk}/replay/", {"confirmed": "1"}, follow=True))
    assert "given again already" in page and Delivery.objects.count() == 2


def test_a_delivery_whose_event_is_gone_says_so(client: Client) -> None:
    delivery = make_delivery(make_handler(), outbox_id=123456)
    response = client.post(f"/events/deliveries/{delivery.pk}/replay/")
    assert response.status_code == 404 and "is gone" in text_of(response)


def test_events_of_a_time_are_given_again_as_planned(client: Client) -> None:
    handler, now = make_handler(), timezone.now()
    for hours in (1, 2, 30):
        happened("client_create", at=now - timedelta(hours=hours))
    happened("mailname_create", at=now)
    path = f"/events/{handler.pk}/replay/"
    assert 'type="datetime-local"' in text_of(client.get(path))
    since = f"{now - timedelta(hours=3):%Y-%m-%dT%H:%M}"
    page = text_of(client.post(path, {"since": since, "until": ""}))
    assert "Replay 2 events?" in page and not Delivery.objects.exists()
    hidden = dict(re.findall(r'<input type="hidden" name="(since|until|confirmed|known)" value="([^"]+)"', page))
    assert "Replay 2 events?" in text_of(client.post(path, hidden | {"confirmed": "7"}))
    assert "2 events are on their way again." in text_of(client.post(path, hidden, follow=True))
    assert Delivery.objects.filter(replay=1).count() == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"since": ""}, "required"),
        ({"since": "yesterday"}, "valid date"),
        ({"since": "2026-01-02T00:00", "until": "2026-01-01T00:00"}, "lies before"),
        ({"since": "0001-01-01T00:00"}, "Replay 1 event?"),
        ({"since": "9999-12-31T23:59:59"}, "lies before"),
    ],
)
def test_a_time_that_makes_no_sense_is_said(data: dict[str, str], words: str, client: Client) -> None:
    happened("client_create")
    assert words in text_of(client.post(f"/events/{make_handler().pk}/replay/", data))
    assert not Delivery.objects.exists()


def test_the_log_shows_deliveries_of_the_last_hour_day_or_week(client: Client) -> None:
    handler, now = make_handler(), timezone.now()
    ids = []
    for number, past in enumerate((0, 2, 48, 24 * 8)):
        made = make_delivery(handler, outbox_id=number)
        Delivery.objects.filter(pk=made.pk).update(created_at=now - timedelta(hours=past))
        ids.append(made.pk)
    for since, count in (("1h", 1), ("24h", 2), ("7d", 3), ("", 4), ("x'", 4)):
        page = client.get("/events/deliveries/", {"since": since}).content.decode()
        assert [f"/events/deliveries/{id}/" in page for id in ids] == [place < count for place in range(4)], since


def test_a_time_without_events_offers_no_replay(client: Client) -> None:
    page = text_of(client.post(f"/events/{make_handler().pk}/replay/", {"since": "2026-01-01T00:00"}))
    assert "There is nothing to replay" in page and 'type="submit">Replay' not in page


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"priority": -7, "timeout_s": 9, "memory_mb": 64, "output_kb": 1, "open_files": 99, "enabled": False},
        {"user": "it's", "command": f"""{SCRIPT} 'one "two"' $(no) <new_email>""", "pass_secrets": True},
        {"kind": "webhook", "url": "https://example.com/a?b=c&d='e'", "user": "", "command": "", "allow_private": True},
    ],
)
def test_the_drawer_holds_the_command_that_would_make_the_handler(changes: dict[str, Any], client: Client) -> None:
    handler = make_handler(**changes)
    response = client.get(f"/events/{handler.pk}/api/", headers={"HX-Request": "true"})
    texts = [html.unescape(text) for text in re.findall(r"<code>([^<]+)</code>", response.content.decode())]
    words = shlex.split(texts[0])
    assert words[:3] == ["./innkeeper", "event-handler", "create"] and "<get-last-id/>" in texts[-1]
    parser = Parser("event-handler create", "")
    COMMANDS["create"].arguments(parser)
    defaults = asdict(NewHandler("", kind=handler.kind))
    said = {name: value for name, value in vars(parser.parse(words[3:])).items() if value is not None}
    stored = {name: getattr(handler, name) for name in defaults}
    assert {name: said.get(name, value) for name, value in defaults.items()} == stored


def test_the_drawer_holds_the_command_as_plesk_has_it(client: Client) -> None:
    page = text_of(client.get(f"/events/{make_handler(priority=75).pk}/api/"))
    assert f"event_handler --create -command '{COMMAND}' -priority 75 -user handlers -event client_create" in page
    assert "event_handler" not in text_of(
        client.get(f"/events/{make_handler(kind='webhook', url='https://a.test').pk}/api/")
    )


def test_the_secret_of_a_webhook_is_shown_once_and_kept_nowhere(client: Client) -> None:
    values = form(kind="webhook", url="https://example.com/in", user="handlers", command="/left/over.sh")
    response = client.post("/events/new/", values, headers={"HX-Request": "true"})
    handler = EventHandler.objects.get()
    page = text_of(response)
    secret = unseal(handler.sealed_secret)
    assert secret in page and response.headers["HX-Push-Url"] == f"/events/{handler.pk}/"
    assert response.headers["HX-Retarget"] == "#content" and response.headers["Cache-Control"] == "no-store"
    assert (handler.kind, handler.url, handler.command) == ("webhook", "https://example.com/in", "")
    for path in (f"/events/{handler.pk}/", "/events/", f"/events/{handler.pk}/api/"):
        assert secret not in text_of(client.get(path))
    assert all(secret not in str(each.get_decoded()) for each in Session.objects.all())
    assert all(secret not in each.detail for each in AuditEntry.objects.all())
    page = text_of(client.post(f"/events/{handler.pk}/secret/"))
    handler.refresh_from_db()
    assert unseal(handler.sealed_secret) in page and secret not in page


def test_a_command_has_no_secret_to_make_anew(client: Client) -> None:
    assert client.post(f"/events/{make_handler().pk}/secret/").status_code == 404


def test_how_long_the_log_is_kept_is_set(client: Client) -> None:
    assert "30 days" in text_of(client.get("/events/deliveries/"))
    assert "The log is kept for 90 days." in text_of(
        client.post("/events/deliveries/kept/", {"days": "90"}, follow=True)
    )
    for days in ("0", "x", "", "9" * 30):
        response = client.post("/events/deliveries/kept/", {"days": days})
        assert response.status_code == 422 and 'id="id_days_error"' in text_of(response)
    assert "90 days" in text_of(client.get("/events/deliveries/"))


@pytest.mark.parametrize("path", ["/events/99/", "/events/99/api/", "/events/99/replay/", "/events/deliveries/99/",
                                  f"/events/{'9' * 30}/", f"/events/deliveries/{'9' * 30}/"])  # fmt: skip
def test_what_is_not_there_is_a_page_that_says_so(path: str, client: Client) -> None:
    assert client.get(path).status_code == 404
