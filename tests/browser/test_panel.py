"""What only a browser can tell: that scripts run under the policy, keys, focus, and what assistive technology meets."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import Page, expect

from innkeeper.accounts.models import Account
from innkeeper.core.passwords import verify_mail
from innkeeper.hosting.models import Site
from innkeeper.jobs.models import Job
from innkeeper.mail.models import Autoresponder, MailAccount, MailName, RepositoryFile
from tests.people import PASSWORD, make_mailbox, make_many_mailboxes

Open = Callable[..., Page]
BOB = "bob@example.test"


def violations(page: Page) -> list[str]:
    """What axe finds against the page as it is now, in words."""
    found = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    )
    return [
        f"{page.url} {violation['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]


def mixed_accounts(site: Site) -> None:
    """An account in each state that the list knows."""
    now = timezone.now()
    make_mailbox(site, "full", quota=1024**3, used_bytes=1024**3 + 5, last_login_at=now)
    make_mailbox(site, "nearly", quota=1024**3, used_bytes=1000 * 1024**2, last_login_at=now - timedelta(days=3))
    make_mailbox(site, "forward", mailbox_enabled=False, redirect_enabled=True)
    make_mailbox(site, "off", mailbox_enabled=False)
    make_mailbox(site, "new", password="")
    make_mailbox(site, "active", last_login_at=now - timedelta(days=90))


def two_replies(account: MailAccount) -> None:
    for position, name in enumerate(("Away", "Prices")):
        Autoresponder.objects.create(account=account, position=position, name=name, key="words", key_where="subj")
    RepositoryFile.objects.create(account=account, name="price list of this year.pdf", size=300_000, sha256="0" * 64)


LOOKS = [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)]


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_no_page_of_an_owner_has_an_accessibility_violation(
    scheme: str, width: int, open_page: Open, site: Site, bob: MailAccount
) -> None:
    mixed_accounts(site)
    two_replies(bob)
    page = open_page("", scheme=scheme, width=width)
    found = []
    page.goto("/login/")
    found += violations(page)
    page.get_by_label("User name or mail address").fill("alice")
    page.get_by_label("Password").fill("wrong-Guess")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("Wrong user name or password.")
    found += violations(page)
    page.get_by_label("User name or mail address").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/mail/")
    found += violations(page)
    page.get_by_label("Select full@example.test").check()
    found += violations(page)
    for path in (
        "/mail/?q=nobody",
        "/mail/removed/",
        "/mail/sites/",
        f"/mail/sites/{site.pk}/",
        f"/mail/sites/{site.pk}/api/",
        "/settings/",
        f"/mail/{bob.pk}/",
        f"/mail/{bob.pk}/api/",
        f"/mail/{bob.pk}/replies/",
        f"/mail/{bob.pk}/replies/edit/",
        "/nowhere/",
    ):
        page.goto(path)
        found += violations(page)
    page.goto(f"/mail/{bob.pk}/")
    page.get_by_role("link", name="API").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    found += violations(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Remove").click()
    page.wait_for_url("**/mail/")
    found += violations(page)
    page.goto("/mail/removed/")
    found += violations(page)
    page.goto("/mail/new/")
    found += violations(page)
    page.get_by_label("Forward mail").check()
    page.get_by_label("Answer automatically").check()
    page.get_by_text("panel access, viruses").click()
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("alert")).to_be_focused()
    found += violations(page)
    assert found == []


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_the_health_page_has_no_accessibility_violation(
    scheme: str, width: int, open_page: Open, admin: Account
) -> None:
    Job.objects.create(
        task="innkeeper.jobs.usage.refresh", created_at=timezone.now(), due_at=timezone.now() - timedelta(minutes=5)
    )
    page = open_page("admin", scheme=scheme, width=width)
    page.get_by_role("link", name="Health").click()
    expect(page.get_by_role("heading", name="1 thing needs you")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_no_page_of_a_mail_user_has_an_accessibility_violation(
    scheme: str, width: int, open_page: Open, bob: MailAccount
) -> None:
    MailAccount.objects.update(permissions='{"manage_drweb": true}')
    page = open_page(BOB, scheme=scheme, width=width)
    found = violations(page)
    for path in ("/own/password/", "/own/reply/", "/own/forwarding/", "/own/viruses/", "/own/look/"):
        page.goto(path)
        found += violations(page)
        page.get_by_role("button", name="Save").click()
        page.wait_for_load_state()
        found += violations(page)
    assert found == []


@pytest.mark.parametrize(
    "path",
    [
        "/mail/", "/mail/new/", "/mail/BOB/", "/mail/BOB/api/", "/mail/BOB/replies/", "/mail/BOB/replies/edit/",
        "/mail/removed/", "/mail/sites/", "/mail/sites/SITE/",
        "/mail/sites/SITE/api/", "/settings/",
    ],
)  # fmt: skip
def test_nothing_scrolls_sideways_on_a_phone(path: str, open_page: Open, site: Site, bob: MailAccount) -> None:
    make_mailbox(site, "a-very-long-name-of-sixty-four-characters-that-is-still-a-mail-name")
    two_replies(bob)
    page = open_page("alice", width=320)
    page.goto(path.replace("BOB", str(bob.pk)).replace("SITE", str(site.pk)))
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_long_address_moves_its_state_down_before_a_word_breaks(open_page: Open, site: Site) -> None:
    make_mailbox(site, "bookkeeping", last_login_at=timezone.now())
    make_mailbox(site, "ann", last_login_at=timezone.now())
    page = open_page("alice", width=390)
    lines = {}
    for name in ("ann", "bookkeeping"):
        link = page.get_by_role("link", name=f"{name}@example.test")
        state = page.locator("[data-row]").filter(has=link).locator(".state")
        here, beside = link.bounding_box(), state.bounding_box()
        assert here and beside
        lines[name] = (here["height"] < 30, beside["y"] > here["y"] + here["height"])
    assert lines == {"ann": (True, False), "bookkeeping": (True, True)}


def test_an_account_is_made_with_a_generated_password(open_page: Open, site: Site) -> None:
    page = open_page("alice")
    page.get_by_role("link", name="New account").first.click()
    page.get_by_label("Name", exact=True).fill("ann")
    page.get_by_role("button", name="Generate").click()
    field = page.get_by_label("Password", exact=True)
    expect(field).to_have_attribute("type", "text")
    password = field.input_value()
    assert re.fullmatch(r"[a-km-zA-HJ-NP-Z2-9_.+=@%-]{16}", password)
    expect(page.get_by_text("Very strong")).to_be_visible()
    page.get_by_role("button", name="Show the password").click()
    expect(field).to_have_attribute("type", "password")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_text("ann@example.test was created.")).to_be_visible()
    assert verify_mail(password, MailAccount.objects.get().password)


def test_a_refused_form_keeps_everything_with_the_password(open_page: Open, bob: MailAccount) -> None:
    page = open_page("alice")
    page.goto("/mail/new/")
    page.get_by_label("Name", exact=True).fill("ann")
    page.get_by_label("Password", exact=True).fill("Kx4!paper-Moon")
    page.get_by_label("Forward mail").check()
    page.get_by_label("Forward to").fill("nobody")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label("Password", exact=True)).to_have_value("Kx4!paper-Moon")
    expect(page.get_by_label("Forward to")).to_have_value("nobody")
    page.get_by_role("alert").get_by_role("link", name="Forward to").click()
    expect(page.get_by_label("Forward to")).to_be_focused()
    page.get_by_label("Forward to").fill("ann@example.net")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_text("ann@example.test was created.")).to_be_visible()
    account = MailAccount.objects.exclude(pk=bob.pk).get()
    assert verify_mail("Kx4!paper-Moon", account.password)


def test_a_session_that_ends_behind_a_form_loses_nothing(open_page: Open, site: Site) -> None:
    page = open_page("alice")
    page.goto("/mail/new/")
    page.get_by_label("Name", exact=True).fill("ann")
    Session.objects.all().delete()
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    assert violations(page) == []
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Log in in a new tab").click()
    tab = opened.value
    tab.get_by_label("User name or mail address").fill("alice")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Log in").click()
    tab.wait_for_url("**/mail/")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_text("ann@example.test was created.")).to_be_visible()


def test_a_taken_name_is_told_when_the_field_is_left(open_page: Open, bob: MailAccount) -> None:
    page = open_page("alice")
    page.goto("/mail/new/")
    name = page.get_by_label("Name", exact=True)
    name.fill("bob")
    page.keyboard.press("Tab")
    expect(page.get_by_text("already exists")).to_be_visible()
    expect(name).to_have_attribute("aria-invalid", "true")
    name.fill("ann")
    page.keyboard.press("Tab")
    expect(page.get_by_text("already exists")).to_have_count(0)


def test_search_follows_the_typing_and_the_address_bar_keeps_it(open_page: Open, site: Site) -> None:
    make_many_mailboxes(site, 120)
    make_mailbox(site, "zoe")
    page = open_page("alice")
    page.keyboard.press("/")
    expect(page.get_by_label("Search by address")).to_be_focused()
    page.keyboard.type("zoe")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.locator("#announcer")).to_have_text("1 account")
    assert page.url.endswith("?q=zoe&show=")
    page.reload()
    expect(page.get_by_label("Search by address")).to_have_value("zoe")
    expect(page.get_by_role("row")).to_have_count(2)


def test_rows_are_reached_picked_and_suspended_by_the_keyboard(open_page: Open, site: Site) -> None:
    for name in ("ann", "ben", "cid"):
        make_mailbox(site, name)
    page = open_page("alice")
    expect(page.get_by_role("button", name="Suspend")).to_be_disabled()
    for key in "jxjkjx":
        page.keyboard.press(key)
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.get_by_role("button", name="Suspend").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 mailboxes are suspended")).to_be_visible()
    states = dict(MailName.objects.values_list("local_part", "account__mailbox_enabled"))
    assert states == {"ann": False, "ben": False, "cid": True}


def test_single_keys_can_be_switched_off(open_page: Open, bob: MailAccount) -> None:
    page = open_page("alice")
    page.goto("/settings/")
    page.get_by_label("Use single keys in this browser").uncheck()
    page.goto("/mail/")
    page.keyboard.press("c")
    page.keyboard.press("/")
    expect(page.get_by_label("Search by address")).not_to_be_focused()
    assert page.url.endswith("/mail/")


def test_all_of_a_page_are_picked_with_one_box(open_page: Open, site: Site) -> None:
    make_many_mailboxes(site, 60)
    page = open_page("alice")
    page.get_by_label("Select all on this page").check()
    expect(page.get_by_text("50 selected")).to_be_visible()
    page.get_by_label("Select user").first.uncheck()
    expect(page.get_by_text("49 selected")).to_be_visible()
    page.get_by_label("All 60 that match").check()
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("heading", name="Suspend 60 mailboxes?")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_text("60 mailboxes are suspended")).to_be_visible()


def test_remove_and_undo(open_page: Open, bob: MailAccount) -> None:
    page = open_page("alice")
    page.get_by_role("link", name=BOB).click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("bob@example.test was removed.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("1 account is back.")).to_be_visible()
    expect(page.get_by_role("link", name=BOB)).to_be_visible()


def test_the_drawer_takes_and_gives_back_the_focus(open_page: Open, bob: MailAccount) -> None:
    page = open_page("alice")
    page.goto(f"/mail/{bob.pk}/")
    opener = page.get_by_role("link", name="API")
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(opener).to_be_focused()


def test_the_chosen_colours_are_there_before_the_first_paint(open_page: Open, alice: Account) -> None:
    page = open_page("alice", scheme="light")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.goto("/settings/")
    page.get_by_label("Dark").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    bare = open_page("", script=False)
    bare.context.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    bare.goto("/settings/")
    assert bare.locator("html").get_attribute("data-scheme") == "dark"
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != dark
    Account.objects.update(color_scheme="auto")
    page.emulate_media(color_scheme="dark")
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_files_too_large_for_a_reply_are_told_before_they_are_sent(open_page: Open, bob: MailAccount) -> None:
    page = open_page("alice")
    page.goto(f"/mail/{bob.pk}/replies/edit/")
    files = page.get_by_label("More files")
    files.set_input_files({"name": "large.bin", "mimeType": "", "buffer": b"x" * (7 * 2**20 + 1)})
    expect(page.get_by_role("alert")).to_have_text(re.compile("^More than 7 MB cannot be uploaded at once."))
    expect(files).to_have_value("")
    files.set_input_files({"name": "price list.txt", "mimeType": "", "buffer": b"one euro"})
    expect(page.get_by_role("alert")).to_be_hidden()
    page.get_by_label("Name").fill("Prices")
    page.get_by_label("Text", exact=True).fill("See the list.")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Prices").click()
    expect(page.get_by_label("price list.txt (8 B)")).to_be_checked()


def test_everything_works_without_a_script(open_page: Open, site: Site, bob: MailAccount) -> None:
    page = open_page("alice", script=False)
    page.get_by_label("Search by address").fill("bob")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=BOB).click()

    page.get_by_label("Forward mail").check()
    page.get_by_label("Forward to").fill("bob@example.net")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("bob@example.test was saved.")).to_be_visible()
    page.get_by_role("link", name="API").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("API")
    page.goto("/mail/new/")
    page.get_by_label("Name", exact=True).fill("ann")
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_text("ann@example.test was created.")).to_be_visible()
    page.goto("/mail/")
    page.get_by_label("Select ann@example.test").check()
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("1 account is back.")).to_be_visible()
    page.locator("summary").filter(has_text="Alice Baker").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("You have logged out.")).to_be_visible()
    assert MailName.objects.filter(local_part="ann").exists()
