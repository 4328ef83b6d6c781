"""Chromium before the panel: the WSGI application in a thread, on the test database."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from innkeeper.accounts.models import Account
from innkeeper.hosting.models import Site
from innkeeper.mail.models import MailAccount
from tests.people import PASSWORD, make_account, make_mailbox, make_site

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not Path(CHROMIUM).exists():
                item.add_marker(pytest.mark.skip(reason="needs the Debian package chromium"))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Playwright's loop runs in this thread; Django's guard against that is for servers.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def admin(transactional_db: None) -> Account:
    return make_account("admin", "admin", contact_name="Administrator")


@pytest.fixture
def alice(admin: Account) -> Account:
    return make_account("alice", owner=admin, contact_name="Alice Baker")


@pytest.fixture
def site(alice: Account) -> Site:
    return make_site(alice, "example.test")


@pytest.fixture
def bob(site: Site) -> MailAccount:
    return make_mailbox(site, "bob", cp_access=True, quota=1024**3, used_bytes=700 * 1024**2)


Open = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, live_server: object, settings: object) -> Iterator[Open]:
    """A page of a new browser. What the console says against it fails the test."""
    # The thread serves plain HTTP, where browsers keep no cookie of this prefix.
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "session", "form"  # type: ignore[attr-defined]
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False  # type: ignore[attr-defined]
    pages: list[Page] = []
    complaints: list[str] = []

    def opened(
        login: str = "", *, width: int = 1280, height: int = 860, scheme: str = "light", script: bool = True
    ) -> Page:
        context = chromium.new_context(
            base_url=live_server.url,  # type: ignore[attr-defined]
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            java_script_enabled=script,
        )
        context.set_default_timeout(8000)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        pages.append(page)
        if login:
            page.goto("/login/")
            page.get_by_label("User name or mail address").fill(login)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Log in").click()
            page.wait_for_url(lambda url: "/login/" not in url)
        return page

    yield opened
    for page in pages:
        page.context.close()
    # Chromium reports each answer of 4xx to a script as an error; 422 is how a form says what is wrong.
    assert [text for text in complaints if "422" not in text] == []
