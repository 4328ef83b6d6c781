"""Chromium before the panel: the WSGI application in a thread, on the test database."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.db import connections
from playwright.sync_api import Browser, ConsoleMessage, Page

from innkeeper.accounts.models import Account
from innkeeper.hosting.models import Site
from innkeeper.mail.models import MailAccount
from tests.chromium import CHROMIUM
from tests.people import PASSWORD, make_account, make_mailbox, make_site

THREADS = 6


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not Path(CHROMIUM).exists():
                item.add_marker(pytest.mark.skip(reason="needs the Debian package chromium"))


class PooledServer(WSGIServer):
    """A few threads that stay, as under the product's server: each keeps its own connection to the database."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pool = ThreadPoolExecutor(THREADS)

    def disconnect(self) -> None:
        """Close each thread's connection: PostgreSQL drops no database that somebody uses."""
        together = threading.Barrier(THREADS)

        def close() -> None:
            together.wait(10)
            connections.close_all()

        for _ in range(THREADS):
            self.pool.submit(close)
        self.pool.shutdown()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.pool.submit(self._handle, request, client_address)

    def _handle(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # the browser went away, or connected ahead and never asked
        finally:
            self.shutdown_request(request)


class QuietHandler(WSGIRequestHandler):
    timeout = 2  # Chromium opens connections ahead; one that asks nothing must not keep a thread

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def server(django_db_setup: None) -> Iterator[str]:
    """The address of the panel's own WSGI application."""
    from innkeeper.doors.wsgi import application

    with make_server("127.0.0.1", 0, application, PooledServer, QuietHandler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()
        httpd.disconnect()


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


def is_complaint(message: ConsoleMessage) -> bool:
    """Chromium reports each answer of 4xx as an error. Those to forms, and to the page that is not there, are meant."""
    if message.type != "error":
        return False
    return "401" not in message.text and "422" not in message.text and "/nowhere/" not in message.location["url"]


@pytest.fixture
def open_page(server: str, chromium: Browser, transactional_db: None, settings: Any) -> Iterator[Open]:
    """A page of a new browser. What the console says against it fails the test."""
    # The thread serves plain HTTP, where browsers keep no cookie of this prefix.
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "session", "form"
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    pages: list[Page] = []
    complaints: list[str] = []

    def opened(
        login: str = "", *, width: int = 1280, height: int = 860, scheme: str = "light", script: bool = True
    ) -> Page:
        context = chromium.new_context(
            base_url=server,
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            java_script_enabled=script,
        )
        context.set_default_timeout(8000)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if is_complaint(message) else None)
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
    assert complaints == []
