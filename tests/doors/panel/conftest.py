"""Alice owns example.test, Bob has a mailbox there, Charlie is a customer of his own; and their browsers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.test.client import ClientHandler

from innkeeper.accounts.models import Account
from innkeeper.hosting.models import Site
from innkeeper.mail.models import MailAccount
from tests.people import PASSWORD, make_account, make_mailbox, make_site


@pytest.fixture
def admin(db: None) -> Account:
    return make_account("admin", "admin", contact_name="Administrator")


@pytest.fixture
def alice(admin: Account) -> Account:
    return make_account("alice", owner=admin)


@pytest.fixture
def charlie(admin: Account) -> Account:
    return make_account("charlie", owner=admin)


@pytest.fixture
def site(alice: Account) -> Site:
    return make_site(alice, "example.test")


@pytest.fixture
def bob(site: Site) -> MailAccount:
    return make_mailbox(site, "bob", cp_access=True)


@pytest.fixture(scope="session")
def handler() -> ClientHandler:
    """What answers all browsers: each would look at every static file once more."""
    return ClientHandler(enforce_csrf_checks=False)


@pytest.fixture
def log_in(handler: ClientHandler) -> Callable[..., Client]:
    """A browser in which somebody has logged in."""

    def browser(login: str, password: str = PASSWORD) -> Client:
        client = Client()
        client.handler = handler
        response = client.post("/login/", {"login": login, "password": password})
        assert response.status_code == 302, response.content.decode()
        return client

    return browser
