"""Sessions that the XML API offers to a browser, lists and ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from innkeeper.accounts.models import Account
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import AccountDisabled, NotAllowed, NotFound
from innkeeper.core.models import AuditEntry, OutboxEvent
from innkeeper.core.passwords import hash_login
from innkeeper.doors.panel import open_sessions as listed
from innkeeper.doors.panel.open_sessions import end_session, offer_session, open_sessions
from innkeeper.doors.panel.sessions import SessionStore
from innkeeper.hosting.models import Site

pytestmark = pytest.mark.django_db
HOME = "127.0.0.1"
ENTRY = "/enterprise/rsession_init.php"


@pytest.fixture
def provider(admin: Account) -> Actor:
    return Actor(ActorKind.ADMINISTRATOR, admin.pk, "admin", HOME)


def enter(token: str, client: Client | None = None, **given: str) -> tuple[Client, int, str]:
    client = client or Client()
    response = client.get(ENTRY, {"PLESKSESSID": token} | given)
    return client, response.status_code, response.headers.get("Location", "")


def test_a_browser_enters_by_its_token_once_and_is_listed_under_it(provider: Actor, alice: Account, site: Site) -> None:
    token = offer_session(provider, "Alice", HOME, "/settings/")
    assert [(each.id, each.login, each.address) for each in open_sessions()] == [(token, "alice", HOME)]
    client, status, page = enter(token)
    assert (status, page) == (302, "/settings/")
    assert "Mail accounts" in client.get("/mail/").content.decode()
    assert [(each.id, each.kind) for each in open_sessions()] == [(token, ActorKind.CUSTOMER)]
    assert enter(token)[1] == 403
    assert OutboxEvent.objects.filter(event="cp_user_login", object_id=alice.pk).count() == 1
    assert AuditEntry.objects.filter(operation="session.offer", object_id=alice.pk).exists()


def test_a_token_comes_by_a_form_of_another_site_too(provider: Actor, alice: Account) -> None:
    client = Client(enforce_csrf_checks=True)
    response = client.post(ENTRY, {"PHPSESSID": offer_session(provider, "alice", HOME, "")})
    assert (response.status_code, response.headers["Location"]) == (302, "/")


def test_a_token_is_bound_to_an_address_and_a_time(provider: Actor, alice: Account) -> None:
    elsewhere = offer_session(provider, "alice", "192.0.2.7", "")
    response = Client().get(ENTRY, {"PLESKSESSID": elsewhere})
    assert (response.status_code, "for another address" in response.content.decode()) == (403, True)
    assert enter(elsewhere, Client(REMOTE_ADDR="192.0.2.7"))[1] == 302, "the stranger did not use it up"
    late = offer_session(provider, "alice", HOME, "")
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert [enter(token)[1] for token in (late, "", "nothing")] == [403, 403, 403]


def test_a_token_is_no_session_itself_and_stands_in_no_row(provider: Actor, alice: Account) -> None:
    token = offer_session(provider, "alice", HOME, "")
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = token
    assert client.get("/mail/").status_code == 302
    (row,) = Session.objects.all()
    assert token not in (row.session_key, str(row.get_decoded()))


def test_a_browser_that_enters_gets_a_key_that_nobody_knew(
    provider: Actor, alice: Account, charlie: Account, log_in: Callable[..., Client]
) -> None:
    cookie = settings.SESSION_COOKIE_NAME
    for client in (log_in("charlie"), Client()):
        token = offer_session(provider, "alice", HOME, "")
        if cookie not in client.cookies:
            client.cookies[cookie] = token
        before = client.cookies[cookie].value
        assert client.head(ENTRY, {"PLESKSESSID": token}).status_code == 405, "who only looks does not use it up"
        assert enter(token, client)[1] == 302
        assert client.cookies[cookie].value not in (before, token)
        assert [each.login for each in open_sessions()] == ["alice"], "what the browser had before has ended"
        client.post("/logout/")


def test_an_offer_that_cannot_be_kept_is_none_and_on_no_record(
    provider: Actor, alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(store: SessionStore, must_create: bool = False) -> None:
        if must_create:
            save(store, must_create)
        else:
            raise UpdateError

    save = db.SessionStore.save
    monkeypatch.setattr(db.SessionStore, "save", fail)
    with pytest.raises(UpdateError):
        offer_session(provider, "alice", HOME, "")
    assert not Session.objects.exists()
    assert not AuditEntry.objects.filter(operation="session.offer").exists()


def test_a_changed_password_and_suspension_take_an_offer_back(provider: Actor, alice: Account) -> None:
    token = offer_session(provider, "alice", HOME, "")
    Account.objects.filter(pk=alice.pk).update(password=hash_login("Cake-5-All"))
    assert enter(token)[1] == 403
    token = offer_session(provider, "alice", HOME, "")
    Account.objects.filter(pk=alice.pk).update(status=16)
    assert enter(token)[1] == 403
    with pytest.raises(AccountDisabled):
        offer_session(provider, "alice", HOME, "")


def test_pages_elsewhere_are_not_gone_to(provider: Actor, alice: Account) -> None:
    def target(page: str) -> str:
        return enter(offer_session(provider, "alice", HOME, ""), success_redirect_url=page)[2]

    pages = ("/settings/", "https://elsewhere.test/", "//elsewhere.test", "/\\elsewhere.test", "settings", "?q=joe")
    assert [target(page) for page in pages] == ["/settings/", "/", "/", "/", "/", "/"]


def test_the_administrator_ends_sessions_and_offers(
    provider: Actor, alice: Account, site: Site, log_in: Callable[..., Client]
) -> None:
    client, token = log_in("alice"), offer_session(provider, "alice", HOME, "")
    (session,) = (each for each in open_sessions() if each.id != token)
    assert (session.login, session.address, session.started.tzinfo is not None) == ("alice", HOME, True)
    for ended in (session.id, token):
        end_session(provider, ended)
        with pytest.raises(NotFound):
            end_session(provider, ended)
    assert client.get("/mail/").status_code == 302
    assert enter(token)[1] == 403
    assert not list(open_sessions())


def test_a_session_that_idled_too_long_is_open_no_more(
    provider: Actor, alice: Account, log_in: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in("alice")
    token = offer_session(provider, "alice", HOME, "")
    assert len(list(listed.open_sessions())) == 2
    later = time.time() + 31 * 60
    monkeypatch.setattr(listed, "time", SimpleNamespace(time=lambda: later))
    assert [each.id for each in listed.open_sessions()] == [token], "an offer has a time of its own"


def test_who_may_offer_and_end_sessions(provider: Actor, alice: Account, charlie: Account) -> None:
    customer = Actor(ActorKind.CUSTOMER, alice.pk, "alice", HOME)
    token = offer_session(customer, "alice", HOME, "")
    for login in ("charlie", "admin", "nobody"):
        with pytest.raises(NotFound):
            offer_session(customer, login, HOME, "")
    with pytest.raises(NotAllowed):
        end_session(customer, token)
