"""Logging in and out."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.test import Client

from innkeeper.accounts.authentication import FAILURES_BEFORE_LOCK
from innkeeper.accounts.models import Account
from innkeeper.core.models import AuditEntry, OutboxEvent, Setting
from innkeeper.core.passwords import hash_login, hash_mail
from innkeeper.hosting.models import Site
from innkeeper.mail.models import MailAccount
from tests.people import PASSWORD

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Client]


def wrong(client: Client, login: str, password: str = "wrong-Guess") -> str:
    response = client.post("/login/", {"login": login, "password": password})
    assert response.status_code != 302
    return response.content.decode()


def test_a_customer_logs_in_and_sees_the_list(alice: Account, site: Site, log_in: LogIn) -> None:
    response = log_in("alice").get("/", follow=True)
    assert response.redirect_chain == [("/mail/", 302)]
    assert "Mail accounts" in response.content.decode()


def test_a_mail_user_logs_in_by_address_and_sees_its_own_pages(bob: MailAccount, log_in: LogIn) -> None:
    client = log_in("BOB@example.test")
    assert client.get("/").headers["Location"] == "/own/"
    assert "bob@example.test" in client.get("/own/").content.decode()


def test_a_mail_user_never_sees_the_pages_of_owners(bob: MailAccount, log_in: LogIn) -> None:
    client = log_in("bob@example.test")
    for path in ("/mail/", "/mail/new/", f"/mail/{bob.pk}/", "/settings/", "/mail/export.csv"):
        assert client.get(path).status_code == 403


def test_a_mail_user_without_panel_access_is_told_so_only_with_its_password(bob: MailAccount) -> None:
    MailAccount.objects.update(cp_access=False)
    assert "Wrong user name or password." in wrong(Client(), "bob@example.test")
    assert "no access to the panel" in wrong(Client(), "bob@example.test", PASSWORD)


def test_who_may_have_one_session_alone_keeps_the_latest(alice: Account, bob: MailAccount, log_in: LogIn) -> None:
    for login, home in (("admin", "/mail/"), ("bob@example.test", "/own/")):
        first, second = log_in(login), log_in(login)
        assert first.get(home).status_code == second.get(home).status_code == 200
    Account.objects.filter(login="admin").update(multiple_sessions=False)
    MailAccount.objects.update(cp_options='{"multiply_login": "false"}')
    for login, home in (("admin", "/mail/"), ("bob@example.test", "/own/")):
        first, second = log_in(login), log_in(login)
        assert (first.get(home).status_code, second.get(home).status_code) == (302, 200)
        assert second.get(home).status_code == 200, "as long as nobody logs in after it"


def test_an_unknown_login_and_a_wrong_password_answer_alike(alice: Account, bob: MailAccount) -> None:
    pages = [wrong(Client(), login) for login in ("alice", "nobody", "bob@example.test", "no@example.test", "a@b")]
    assert all("Wrong user name or password." in page for page in pages)


@pytest.mark.parametrize("login", ["alice", "bob@example.test"])
def test_too_many_failures_lock_this_address_and_no_other(login: str, alice: Account, bob: MailAccount) -> None:
    client = Client(REMOTE_ADDR="127.0.0.9")
    for _ in range(FAILURES_BEFORE_LOCK):
        wrong(client, login)
    assert "Too many failed log-ins" in wrong(client, login, PASSWORD)
    assert Client().post("/login/", {"login": login, "password": PASSWORD}).status_code == 302


def test_a_stranger_is_sent_to_the_log_in_and_comes_back(alice: Account) -> None:
    client = Client()
    response = client.get("/mail/?q=bob")
    assert response.headers["Location"] == "/login/?next=%2Fmail%2F%3Fq%3Dbob"
    page = client.get(response.headers["Location"]).content.decode()
    assert 'name="next" value="/mail/?q=bob"' in page
    response = client.post("/login/", {"login": "alice", "password": PASSWORD, "next": "/mail/?q=bob"})
    assert response.headers["Location"] == "/mail/?q=bob"


@pytest.mark.parametrize("target", ["https://evil.test/", "//evil.test", "javascript:alert(1)", "/\\evil.test", "evil"])
def test_log_in_never_leads_to_another_server(target: str, alice: Account) -> None:
    response = Client().post("/login/", {"login": "alice", "password": PASSWORD, "next": target})
    assert response.headers["Location"] == "/"


def test_log_in_and_log_out_are_recorded_with_their_events(alice: Account, log_in: LogIn) -> None:
    log_in("alice").post("/logout/")
    assert list(OutboxEvent.objects.values_list("event", "object_id", "parameters")) == [
        (name, alice.pk, '{"old_contact_name":"Alice","new_contact_name":"Alice"}')
        for name in ("cp_user_login", "cp_user_logout")
    ]
    assert set(AuditEntry.objects.values_list("operation", "login", "door")) == {
        ("session.open", "alice", "panel"),
        ("session.close", "alice", "panel"),
    }


def test_after_log_out_the_old_cookie_opens_nothing(alice: Account, log_in: LogIn) -> None:
    client = log_in("alice")
    cookies = dict(client.cookies)
    client.post("/logout/")
    client.cookies.update(cookies)
    assert client.get("/mail/").status_code == 302
    assert not Session.objects.exists()


def test_the_database_holds_nothing_that_opens_a_session(alice: Account, log_in: LogIn) -> None:
    client = log_in("alice")
    key = next(morsel.value for name, morsel in client.cookies.items() if "form" not in name)
    row = Session.objects.get()
    assert key not in row.session_key and key not in row.session_data
    client.cookies[next(name for name in client.cookies if "form" not in name)] = row.session_key
    assert client.get("/mail/").status_code == 302


def test_a_changed_password_ends_every_session(alice: Account, bob: MailAccount, log_in: LogIn) -> None:
    browsers = [log_in("alice"), log_in("bob@example.test")]
    Account.objects.filter(pk=alice.pk).update(password=hash_login("Other-4-All"))
    MailAccount.objects.update(password=hash_mail("Other-4-All"))
    assert [browser.get("/", follow=True).redirect_chain[-1][0] for browser in browsers] == ["/login/", "/login/"]


def test_suspension_ends_every_session(alice: Account, site: Site, bob: MailAccount, log_in: LogIn) -> None:
    browsers = [log_in("alice"), log_in("bob@example.test")]
    Account.objects.filter(pk=alice.pk).update(status=16)
    Site.objects.update(status=2)
    assert [browser.get("/", follow=True).redirect_chain[-1][0] for browser in browsers] == ["/login/", "/login/"]


def test_a_session_ends_after_the_idle_time_of_the_server(
    alice: Account, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    Setting.objects.update_or_create(name="login_timeout", defaults={"value": "10"})
    client = log_in("alice")
    start = time.time()
    for minutes, status in ((9, 200), (18, 200), (29, 302)):
        monkeypatch.setattr("innkeeper.doors.panel.visitor.time.time", lambda m=minutes: start + m * 60)
        assert client.get("/mail/").status_code == status


def test_pages_carry_a_policy_that_allows_nothing_inline(alice: Account, log_in: LogIn) -> None:
    response = log_in("alice").get("/mail/")
    assert response.headers["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    page = response.content.decode()
    assert " style=" not in page and "<style" not in page and "onclick" not in page
    assert page.count("<script") == page.count("<script src=")


def test_forms_without_a_token_are_refused(alice: Account) -> None:
    client = Client(enforce_csrf_checks=True)
    response = client.post("/login/", {"login": "alice", "password": PASSWORD})
    assert response.status_code == 403
    assert "no longer valid" in response.content.decode()


def test_what_is_not_there_says_so(alice: Account, log_in: LogIn) -> None:
    response = log_in("alice").get("/nowhere/")
    assert response.status_code == 404
    assert "There is no such page." in response.content.decode()


def test_a_page_is_still_shown_when_the_session_cannot_be_written(
    alice: Account, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = log_in("alice")
    start = time.time()
    monkeypatch.setattr("innkeeper.doors.panel.visitor.time.time", lambda: start + 120)

    def full(*arguments: object, **options: object) -> None:
        raise DatabaseError("database or disk is full")

    monkeypatch.setattr(Session, "save", full)
    assert client.get("/mail/").status_code == 200
