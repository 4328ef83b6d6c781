"""The Event Manager in a browser: a command put together by clicks, judged while it is typed, and what axe finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from innkeeper.accounts.models import Account
from innkeeper.events import system
from innkeeper.events.models import Delivery, EventHandler
from tests.browser.test_panel import LOOKS, violations
from tests.deliveries import make_attempt, make_delivery, make_handler
from tests.events.handler_world import SCRIPT, Machine, happened

Open = Callable[..., Page]
WAITS = timedelta(hours=1)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The server on which handlers are saved."""
    found = Machine()
    monkeypatch.setattr(system, "hostd", lambda: found)
    return found


@pytest.fixture
def delivery(admin: Account) -> Delivery:
    """A delivery at the third attempt, of a handler among several."""
    now = timezone.now()
    make_handler("mailname_create", kind="webhook", url="https://example.com/in", user="", command="", enabled=False)
    make_handler(
        "domain_create", command="/usr/local/sbin/announce-a-new-domain-to-the-registrar.py --name=<new_domain_name>",
        paused_at=now - WAITS, pause_reason="20 deliveries failed.", last_state="failed", last_at=now, failed_count=20,
    )  # fmt: skip
    handler = make_handler(last_state="failed", last_at=now, delivered_count=1203, failed_count=4, failures=4)
    for number, state in enumerate(["waiting", "running", "retry", "dead", "cancelled"]):
        make_delivery(handler, state, outbox_id=1000 + number)
    found = make_delivery(handler, "done", attempts=3, finished_at=now)
    make_attempt(found, exit_status=1, stderr="No such file\n", error="It ended with exit status 1.")
    make_attempt(found, number=2, exit_status=None, signal=9, duration_ms=300_000, error="It took too long.")
    make_attempt(found, number=3, stdout="name: Ines Sommer\n" + "x" * 3000)
    return found


def pages_of(delivery: Delivery) -> list[str]:
    hook, paused, handler = EventHandler.objects.order_by("pk").values_list("pk", flat=True)
    return [
        "/events/", "/events/choose/?q=domain", "/events/choose/?q=nothing", f"/events/{hook}/", f"/events/{paused}/",
        f"/events/{handler}/api/", f"/events/{handler}/replay/", "/events/deliveries/",
        f"/events/deliveries/{delivery.pk}/",
    ]  # fmt: skip


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_no_page_of_events_has_an_accessibility_violation(
    scheme: str, width: int, open_page: Open, delivery: Delivery, machine: Machine
) -> None:
    machine.programs[SCRIPT] = '#!/bin/sh\necho "$1 $3"\n'
    page = open_page("admin", scheme=scheme, width=width)
    found = []
    # Structure shows in any look, colours in each; so what has no colours of its own is looked at in one.
    _hook, paused, *_ = EventHandler.objects.order_by("pk").values_list("pk", flat=True)
    few = ["/events/", f"/events/{paused}/", "/events/deliveries/", f"/events/deliveries/{delivery.pk}/"]
    for path in pages_of(delivery) if (scheme, width) == LOOKS[0] else few:
        page.goto(path)
        for summary in page.locator("details.output summary").all():
            summary.click()
        found += violations(page)
    page.goto("/events/new/?event=client_create")
    page.get_by_label("Command", exact=True).fill(f"{SCRIPT} <new_login_name> x")
    expect(page.locator("#command_result").get_by_text("The script uses $3")).to_be_visible()
    page.get_by_label("Other").check()
    found += violations(page)
    page.get_by_label("A request to a web server").check()
    page.get_by_role("button", name="Create handler").click()
    expect(page.get_by_role("alert")).to_be_focused()
    found += violations(page)
    assert found == []


def test_the_steps_before_a_replay_and_a_removal_have_no_accessibility_violation(
    open_page: Open, delivery: Delivery
) -> None:
    page = open_page("admin")
    page.goto(f"/events/deliveries/{delivery.pk}/")
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_role("heading", name="Replay 1 event?")).to_be_visible()
    found = violations(page)
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_text("1 event is on its way again.")).to_be_visible()
    page.goto("/events/")
    user = page.get_by_role("cell", name="handlers", exact=True).first.bounding_box()
    assert user is not None and user["width"] > 100
    page.get_by_label("Select all on this page").check()
    page.get_by_role("button", name="Remove selected").click()
    expect(page.get_by_role("heading", name="Remove 3 event handlers?")).to_be_visible()
    found += violations(page)
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("3 handlers were removed.")).to_be_visible()
    expect(page.get_by_text("No event handler yet")).to_be_visible()
    found += violations(page)
    assert found == []


def test_nothing_of_events_scrolls_sideways_on_a_phone(open_page: Open, delivery: Delivery) -> None:
    page = open_page("admin", width=320)
    # The rail has a place for everything that an administrator may do.
    rail = page.get_by_role("navigation", name="Main")
    assert rail.evaluate("rail => rail.scrollWidth - rail.clientWidth") == 0
    wide = []
    for path in [*pages_of(delivery), "/events/choose/", "/events/new/?event=subdomain_update"]:
        page.goto(path)
        if page.evaluate("document.documentElement.scrollWidth") > 320:
            wide.append(path)
    assert wide == []


def test_a_command_is_put_together_with_clicks_and_judged_meanwhile(
    open_page: Open, admin: Account, machine: Machine
) -> None:
    machine.programs["/opt/my scripts/a.sh"] = '#!/bin/sh\necho "$1 $2"\n'
    page = open_page("admin")
    page.get_by_role("link", name="Handlers").click()
    page.wait_for_url("**/events/")
    page.keyboard.press("c")
    page.wait_for_url("**/events/choose/")
    page.keyboard.press("/")
    page.keyboard.type("client_create")
    expect(page.locator("#announcer")).to_have_text("1 event")
    page.reload()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Client account created")).to_be_focused()
    page.keyboard.press("Enter")
    command = page.get_by_label("Command", exact=True)
    command.fill('"/opt/my scripts/a.sh"')
    page.get_by_role("button", name="<new_contact_name>").click()
    expect(command).to_be_focused()
    expect(page.locator("#command_result").get_by_text("The script uses $2")).to_be_visible()
    expect(page.locator("#announcer")).to_contain_text("The script uses $2")
    page.get_by_role("button", name="<new_login_name>").click()
    expect(command).to_have_value('"/opt/my scripts/a.sh" <new_contact_name> <new_login_name>')
    expect(page.locator(".preview li")).to_have_count(3)
    expect(page.locator(".preview")).to_contain_text("Ines Sommer")
    expect(page.locator("#command_result").get_by_text("The script uses $2")).to_have_count(0)
    command.fill("/opt/none.sh --name=")
    expect(page.locator("#id_command_error")).to_be_visible()
    expect(command).to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="<new_city>").click()
    expect(command).to_have_value("/opt/none.sh --name=<new_city>")
    command.fill(f"{SCRIPT} <new_contact_name> <new_login_name>")
    expect(page.locator("#id_command_error")).to_have_count(0)
    page.get_by_label("Highest (100)").check()
    page.get_by_role("button", name="Create handler").dblclick()
    expect(page.get_by_text("The handler was created: Client account created.")).to_be_visible()
    handler = EventHandler.objects.get()
    assert (handler.command, handler.priority) == (f"{SCRIPT} <new_contact_name> <new_login_name>", 100)


def test_the_secret_of_a_webhook_is_shown_once(open_page: Open, admin: Account) -> None:
    page = open_page("admin", scheme="dark", width=390)
    page.goto("/events/new/?event=mailname_create")
    page.get_by_label("A request to a web server").check()
    expect(page.get_by_text("All of them are in the document that is sent.")).to_be_visible()
    for part in (page.get_by_label("Command", exact=True), page.get_by_label("Memory"), page.get_by_text("Click one")):
        expect(part).to_be_hidden()
    expect(page.get_by_role("button", name="<new_mailname>")).to_be_hidden()
    page.get_by_role("textbox", name="Address").fill("http://example.com/in")
    page.keyboard.press("Tab")
    expect(page.locator("#id_url_error")).to_be_visible()
    page.get_by_role("textbox", name="Address").fill("https://example.com/in")
    page.get_by_role("button", name="Create handler").click()
    expect(page.get_by_role("heading", name="Signing secret", level=1)).to_be_focused()
    secret = page.locator("pre code").inner_text()
    assert len(secret) > 40
    assert violations(page) == []
    page.reload()
    expect(page.get_by_role("textbox", name="Address")).to_have_value("https://example.com/in")
    assert secret not in page.content()
    page.get_by_role("button", name="Make a new secret").click()
    expect(page.get_by_role("heading", name="Signing secret", level=1)).to_be_visible()
    assert page.locator("pre code").inner_text() != secret
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("textbox", name="Address")).to_have_value("https://example.com/in")


def test_the_page_of_an_open_delivery_follows_it(open_page: Open, admin: Account) -> None:
    happened("client_create")
    handler = make_handler()
    page = open_page("admin")
    page.goto(f"/events/{handler.pk}/")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("No attempt was made yet.")).to_be_visible()
    made = Delivery.objects.get()
    make_attempt(made, stdout="name: Ines Sommer\n")
    Delivery.objects.update(state="done", attempts=1, finished_at=timezone.now())
    expect(page.get_by_text("Exit status 0")).to_be_visible()
    expect(page.locator("#announcer")).to_have_text("Delivered")
    expect(page.get_by_text("name: Ines Sommer")).to_be_hidden()
    page.locator("summary").filter(has_text="Output").click()
    expect(page.get_by_text("name: Ines Sommer")).to_be_visible()


def test_the_page_of_a_delivery_that_goes_with_its_handler_says_so(open_page: Open, admin: Account) -> None:
    waiting = make_delivery(make_handler(), "waiting")
    page = open_page("admin")
    page.goto(f"/events/deliveries/{waiting.pk}/")
    Delivery.objects.all().delete()
    expect(page.get_by_text("The delivery was removed, perhaps with its handler.")).to_be_visible()


def test_handlers_are_made_and_removed_without_a_script(open_page: Open, admin: Account) -> None:
    page = open_page("admin", script=False)
    page.goto("/events/")
    page.get_by_role("link", name="New event handler").first.click()
    page.get_by_label("Search by event").fill("client account created")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Client account created").click()
    expect(page.locator("code").filter(has_text="<new_contact_name>")).to_be_visible()
    page.get_by_label("Command", exact=True).fill(f"{SCRIPT} <new_contact_name> <new_login_name>")
    page.get_by_role("button", name="Create handler").click()
    page.get_by_label("Select Client account created").check()
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("1 handler is off")).to_be_visible()
    page.get_by_role("link", name="Client account created").click()
    page.get_by_role("link", name="API").click()
    expect(page.get_by_text("./innkeeper event-handler create")).to_be_visible()
    page.goto("/events/")
    page.get_by_label("Select Client account created").check()
    page.get_by_role("button", name="Remove selected").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("1 handler was removed.")).to_be_visible()
    assert not EventHandler.objects.exists()
