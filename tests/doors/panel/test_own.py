"""The pages of a mail user, and what each visitor chooses for itself."""

from __future__ import annotations

import html
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from innkeeper.accounts.models import Account
from innkeeper.core.models import AuditEntry
from innkeeper.core.passwords import verify_mail
from innkeeper.core.serversettings import read_setting
from innkeeper.jobs.models import Job
from innkeeper.mail.models import Autoresponder, MailAccount, Recipient
from tests.people import PASSWORD, make_account

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Client]
BOB = "bob@example.test"
SECRET = "Kx4!paper-Moon"


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def test_the_own_password_is_changed_and_only_this_session_stays(bob: MailAccount, log_in: LogIn) -> None:
    here, elsewhere = log_in(BOB), log_in(BOB)
    response = here.post("/own/password/", {"current": PASSWORD, "password": SECRET}, follow=True)
    assert "Your password was changed." in text_of(response)
    assert verify_mail(SECRET, MailAccount.objects.get().password)
    assert here.get("/own/").status_code == 200
    assert elsewhere.get("/own/").status_code == 302


def test_the_present_password_is_needed_for_a_new_one(bob: MailAccount, log_in: LogIn) -> None:
    response = log_in(BOB).post("/own/password/", {"current": "wrong-Guess", "password": SECRET})
    assert response.status_code == 422
    assert 'id="id_current_error"' in text_of(response)
    assert not verify_mail(SECRET, MailAccount.objects.get().password)


def test_a_weak_password_says_what_is_wrong(bob: MailAccount, log_in: LogIn) -> None:
    response = log_in(BOB).post("/own/password/", {"current": PASSWORD, "password": "xbobx1"})
    assert response.status_code == 422
    assert "must not contain the name" in text_of(response)


def test_the_automatic_reply_is_switched_on_and_off(bob: MailAccount, log_in: LogIn) -> None:
    client = log_in(BOB)
    values = {"reply_enabled": "on", "reply_subject": "Away", "reply_text": "Back soon.", "reply_until": "2027-01-31"}
    assert "On: senders get your answer" in text_of(client.post("/own/reply/", values, follow=True))
    reply = Autoresponder.objects.get()
    assert (reply.enabled, reply.text, str(reply.end_date)) == (True, "Back soon.", "2027-01-31")
    assert "Back soon." in text_of(client.get("/own/reply/"))
    client.post("/own/reply/", values | {"reply_enabled": ""})
    assert not Autoresponder.objects.get().enabled


def test_a_reply_without_text_is_refused(bob: MailAccount, log_in: LogIn) -> None:
    response = log_in(BOB).post("/own/reply/", {"reply_enabled": "on"})
    assert response.status_code == 422 and "Write what the answer says." in text_of(response)


def test_forwarding_is_set_refused_and_emptied(bob: MailAccount, log_in: LogIn) -> None:
    client = log_in(BOB)
    client.post("/own/forwarding/", {"redirect_enabled": "on", "redirect": "me@example.net"})
    assert Recipient.objects.values_list("address", flat=True).get() == "me@example.net"
    response = client.post("/own/forwarding/", {"redirect_enabled": "on", "redirect": BOB})
    assert response.status_code == 422 and 'id="id_redirect_error"' in text_of(response)
    client.post("/own/forwarding/", {"redirect": ""})
    assert not Recipient.objects.exists() and not MailAccount.objects.get().redirect_enabled


def test_viruses_are_shown_and_changed_with_the_permission_alone(bob: MailAccount, log_in: LogIn) -> None:
    client = log_in(BOB)
    assert "/own/viruses/" not in text_of(client.get("/own/"))
    assert client.post("/own/viruses/", {"antivir": "inout"}).status_code == 403
    MailAccount.objects.update(permissions='{"manage_drweb": true}')
    assert "/own/viruses/" in text_of(client.get("/own/"))
    client.post("/own/viruses/", {"antivir": "inout"})
    assert MailAccount.objects.get().antivir == "inout"


def test_losing_panel_access_ends_the_session_at_once(bob: MailAccount, log_in: LogIn) -> None:
    client = log_in(BOB)
    MailAccount.objects.update(cp_access=False)
    assert client.get("/own/").status_code == 302


def test_owners_have_no_pages_of_a_mail_user(alice: Account, log_in: LogIn) -> None:
    assert log_in("alice").get("/own/").status_code == 403


@pytest.mark.parametrize(("login", "path"), [("alice", "/settings/"), (BOB, "/own/look/")])
def test_the_colours_are_kept_with_the_account_and_set_on_the_first_byte(
    login: str, path: str, alice: Account, bob: MailAccount, log_in: LogIn
) -> None:
    client = log_in(login)
    assert 'data-scheme="auto"' in text_of(client.get(path))
    client.post(path, {"color_scheme": "dark"})
    assert 'data-scheme="dark"' in text_of(log_in(login).get(path))
    assert client.post(path, {"color_scheme": "pink"}).status_code == 422


@pytest.mark.parametrize("login", ["admin", "alice", "rita"])
def test_an_owner_changes_the_own_password_and_only_this_session_stays(
    login: str, admin: Account, alice: Account, log_in: LogIn
) -> None:
    make_account("rita", "reseller", owner=admin)
    here, elsewhere = log_in(login), log_in(login)
    response = here.post("/settings/password/", {"current": PASSWORD, "password": SECRET}, follow=True)
    assert "Your password was changed." in text_of(response)
    assert here.get("/settings/").status_code == 200
    assert elsewhere.get("/settings/").status_code == 302
    log_in(login, SECRET)


@pytest.mark.parametrize(
    ("current", "new", "field", "words"),
    [
        ("wrong", SECRET, "current", "Wrong"),
        (PASSWORD, "alice99x", "password", "name"),
        (PASSWORD, "", "password", "required"),
    ],
)
def test_a_refused_password_of_an_owner_changes_nothing(
    current: str, new: str, field: str, words: str, alice: Account, log_in: LogIn
) -> None:
    response = log_in("alice").post("/settings/password/", {"current": current, "password": new})
    assert response.status_code == 422
    assert f'id="id_{field}_error"' in text_of(response) and words in text_of(response)
    log_in("alice")


def test_the_administrator_says_how_long_mail_and_files_of_the_removed_are_kept(alice: Account, log_in: LogIn) -> None:
    client = log_in("admin")
    names = ["mail_retention_days", "hosting_retention_days"]
    assert all(f'value="{days}"' in text_of(client.get("/settings/")) for days in (14, 7))
    assert client.post("/settings/server/", {names[0]: "30", names[1]: "60"}).status_code == 302
    assert all(f'value="{days}"' in text_of(client.get("/settings/")) for days in (30, 60))
    recorded = AuditEntry.objects.count()
    assert client.post("/settings/server/", {names[0]: "30", names[1]: "60"}).status_code == 302
    for wrong in ("0", "4000", "some", ""):
        for name, other in (names, names[::-1]):
            response = client.post("/settings/server/", {name: wrong, other: "20"})
            assert response.status_code == 422
            assert f'id="id_{name}_error"' in text_of(response) and f'id="id_{other}_error"' not in text_of(response)
    assert [read_setting(name) for name in names] == ["30", "60"], "all or none"
    assert AuditEntry.objects.count() == recorded
    customer = log_in("alice")
    assert not any(name in text_of(customer.get("/settings/")) for name in names)
    assert customer.post("/settings/server/", {names[0]: "1", names[1]: "1"}).status_code == 403


def test_health_is_for_the_administrator_and_shows_what_is_late_first(alice: Account, log_in: LogIn) -> None:
    assert log_in("alice").get("/health/").status_code == 403
    client = log_in("admin")
    assert "All is well" in text_of(client.get("/health/"))
    Job.objects.create(
        task="innkeeper.jobs.usage.refresh", created_at=timezone.now(), due_at=timezone.now() - timedelta(minutes=5)
    )
    page = text_of(client.get("/health/"))
    assert "1 thing needs you" in page
    assert page.index("Needs you") < page.index("Well</span>")
