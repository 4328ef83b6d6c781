"""One mail account: create, edit, rename, remove and undo, its packet."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from innkeeper.accounts.models import Account
from innkeeper.core.models import AuditEntry, OutboxEvent
from innkeeper.core.passwords import verify_mail
from innkeeper.hosting.models import Site, WebspaceLimit, WebspacePermission
from innkeeper.mail.models import Autoresponder, MailAccount, MailName, Recipient
from tests.people import make_mailbox, make_many_mailboxes, make_site

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Client]
SECRET = "Kx4!paper-Moon"


def form(**changes: Any) -> dict[str, Any]:
    """What a browser sends of an untouched form for a new account `ann`."""
    values = {
        "name": "ann", "site": "example.test", "password": SECRET, "mailbox_enabled": "on", "quota": "unlimited",
        "quota_amount": "", "quota_unit": "GB", "aliases": "", "redirect": "", "members": "", "reply_subject": "",
        "reply_text": "", "reply_until": "", "antivir": "off", "outgoing_limit": "", "description": "",
    }  # fmt: skip
    return {name: value for name, value in (values | changes).items() if value is not None}


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def test_a_new_account_is_what_the_form_says(site: Site, log_in: LogIn) -> None:
    client = log_in("alice")
    response = client.post(
        "/mail/new/",
        form(
            quota="limited", quota_amount="1.5", aliases="orders\nshop", redirect_enabled="on",
            redirect="crm@example.net, x@example.org", reply_enabled="on", reply_subject="Away",
            reply_text="Back soon.",
            reply_until="2027-01-31", cp_access="on", outgoing_limit="50", description="Shop inbox",
        ),
    )  # fmt: skip
    assert response.status_code == 302, text_of(response)
    account = MailAccount.objects.get()
    assert response.headers["Location"] == f"/mail/{account.pk}/"
    assert account.quota == 3 * 1024**3 // 2
    assert account.mailbox_enabled and account.cp_access and account.autoresponders_enabled
    assert account.outgoing_limit == 50 and account.description == "Shop inbox"
    assert verify_mail(SECRET, account.password)
    assert set(MailName.objects.values_list("address", "kind")) == {
        ("ann@example.test", "account"), ("orders@example.test", "alias"), ("shop@example.test", "alias"),
    }  # fmt: skip
    assert set(Recipient.objects.values_list("kind", "address")) == {
        ("redirect", "crm@example.net"), ("redirect", "x@example.org"),
    }  # fmt: skip
    reply = Autoresponder.objects.get()
    assert (reply.enabled, reply.subject, reply.text, str(reply.end_date)) == (True, "Away", "Back soon.", "2027-01-31")
    page = text_of(client.get(response.headers["Location"]))
    for shown in (
        "ann@example.test was created.",
        "Shop inbox",
        "crm@example.net\nx@example.org",
        "Back soon.",
        'value="1536"',
    ):
        assert shown in page
    assert SECRET not in page and "BLF-CRYPT" not in page


def test_the_audit_names_the_door_and_the_visitor(site: Site, log_in: LogIn) -> None:
    log_in("alice").post("/mail/new/", form())
    entry = AuditEntry.objects.get(operation="mail.create")
    assert (entry.login, entry.door, entry.object_name) == ("alice", "panel", "ann@example.test")
    assert SECRET not in str(list(AuditEntry.objects.values())) + str(list(OutboxEvent.objects.values()))


def test_the_plans_quota_is_an_option_of_its_own(site: Site, log_in: LogIn) -> None:
    WebspaceLimit.objects.create(webspace_id=site.pk, name="mbox_quota", value=2 * 1024**3)
    client = log_in("alice")
    assert "Plan default: 2 GB" in text_of(client.get("/mail/new/"))
    client.post("/mail/new/", form(quota="default"))
    assert MailAccount.objects.get().quota == 2 * 1024**3


REFUSED = [
    ({"name": "an n"}, "name", "is not a mail name"),
    ({"name": "bob"}, "name", "already exists"),
    ({"name": "a+b"}, "name", "plus sign"),
    ({"name": ""}, "name", "This field is required."),
    ({"site": "charlie.test"}, "site", "valid choice"),
    ({"aliases": "bob"}, "aliases", "already exists"),
    ({"quota": "limited"}, "quota_amount", "Give a size above 0"),
    ({"quota": "limited", "quota_amount": "two"}, "quota_amount", "Enter a number."),
    ({"redirect_enabled": "on"}, "redirect", "has no address"),
    ({"redirect": "nobody"}, "redirect", "is not a mail address"),
    ({"redirect_enabled": "on", "redirect": "ann@example.test"}, "redirect", "ann@example.test"),
    ({"password": "ab"}, "password", "5 to 255 characters"),
    ({"password": "xxannxx12"}, "password", "must not contain the name"),
    ({"outgoing_limit": "many"}, "outgoing_limit", "is not a limit"),
    ({"reply_until": "soon"}, "reply_until", "Enter a valid date."),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "field", "words"), REFUSED)
def test_a_refusal_stands_beside_its_field_and_nothing_is_lost(
    changes: dict[str, Any], field: str, words: str, bob: MailAccount, charlie: Account, log_in: LogIn
) -> None:
    make_site(charlie, "charlie.test")
    response = log_in("alice").post("/mail/new/", form(description="Kept text", **changes))
    page = text_of(response)
    assert response.status_code == 422
    error = re.search(rf'id="id_{field}_error">.*?<span>(.*?)</span>', page, re.S)
    assert error is not None and words in error[1], page
    assert f'<a href="#id_{field}">' in page
    assert "Kept text" in page
    assert SECRET not in page and "xxannxx12" not in page
    assert not MailAccount.objects.exclude(pk=bob.pk).exists()


def test_a_field_is_judged_when_it_is_left_and_nothing_is_created(bob: MailAccount, log_in: LogIn) -> None:
    client = log_in("alice")

    def check(field: str, **changes: Any) -> tuple[int, str]:
        response = client.post(f"/mail/new/check/{field}/", form(**changes), headers={"HX-Request": "true"})
        return response.status_code, text_of(response)

    status, fragment = check("name", name="bob")
    assert status == 422 and "already exists" in fragment and "<html" not in fragment
    assert fragment.count('class="field"') == 1
    assert 'hx-post="/mail/new/check/name/"' in fragment
    assert check("name", name="ann", password="")[0] == 200
    assert check("redirect", name="", redirect="nobody")[0] == 422
    assert check("aliases", name="", aliases="fine")[0] == 200
    assert check("outgoing_limit", outgoing_limit="many")[0] == 422
    for hidden in ("password", "nonsense"):
        assert client.post(f"/mail/new/check/{hidden}/", form()).status_code == 404
    assert client.post("/mail/new/check/name/").status_code == 422
    assert MailAccount.objects.count() == 1
    assert not AuditEntry.objects.filter(operation="mail.create").exists()


def test_a_field_of_a_stored_account_is_judged_and_nothing_is_changed(
    site: Site, bob: MailAccount, charlie: Account, log_in: LogIn
) -> None:
    make_mailbox(site, "ann")
    client = log_in("alice")
    page = text_of(client.get(f"/mail/{bob.pk}/"))
    assert f'hx-post="/mail/{bob.pk}/check/aliases/"' in page
    response = client.post(f"/mail/{bob.pk}/check/aliases/", edit_form(aliases="ann"))
    assert response.status_code == 422 and "already exists" in text_of(response)
    assert client.post(f"/mail/{bob.pk}/check/aliases/", edit_form(aliases="robert")).status_code == 200
    assert client.post(f"/mail/{bob.pk}/check/redirect/", edit_form(redirect="bob@example.test")).status_code == 422
    assert MailName.objects.count() == 2
    assert log_in("charlie").post(f"/mail/{bob.pk}/check/aliases/", edit_form()).status_code == 404


def test_htmx_is_led_on_by_a_header(site: Site, log_in: LogIn) -> None:
    response = log_in("alice").post("/mail/new/", form(), headers={"HX-Request": "true"})
    assert response.status_code == 204
    assert response.headers["HX-Redirect"] == f"/mail/{MailAccount.objects.get().pk}/"


def edit_form(**changes: Any) -> dict[str, Any]:
    return form(name=None, site=None, password="") | changes


def test_saving_untouched_changes_nothing(bob: MailAccount, log_in: LogIn) -> None:
    before = MailAccount.objects.values().get()
    response = log_in("alice").post(f"/mail/{bob.pk}/", edit_form(cp_access="on"))
    assert response.status_code == 302, text_of(response)
    assert MailAccount.objects.values().get() == before


def test_what_is_emptied_in_the_form_is_empty_afterwards(bob: MailAccount, log_in: LogIn) -> None:
    client = log_in("alice")
    client.post(
        f"/mail/{bob.pk}/",
        edit_form(redirect_enabled="on", redirect="x@example.net", members="y@example.net", aliases="robert"),
    )
    assert Recipient.objects.count() == 2 and MailName.objects.count() == 2
    assert client.post(f"/mail/{bob.pk}/", edit_form()).status_code == 302
    assert not Recipient.objects.exists() and MailName.objects.count() == 1


def test_a_new_password_replaces_the_old_one(bob: MailAccount, log_in: LogIn) -> None:
    log_in("alice").post(f"/mail/{bob.pk}/", edit_form(password=SECRET))
    assert verify_mail(SECRET, MailAccount.objects.get().password)


def test_renaming_keeps_the_account(bob: MailAccount, log_in: LogIn) -> None:
    client = log_in("alice")
    response = client.post(f"/mail/{bob.pk}/rename/", {"new_name": "robert"})
    assert response.status_code == 302
    name = MailName.objects.get()
    assert (name.address, name.account_id) == ("robert@example.test", bob.pk)
    response = client.post(f"/mail/{bob.pk}/rename/", {"new_name": "not a name"})
    assert response.status_code == 422
    assert "is not a mail name" in text_of(response) and 'value="not a name"' in text_of(response)


def test_removing_can_be_undone(bob: MailAccount, log_in: LogIn) -> None:
    client = log_in("alice")
    page = text_of(client.post(f"/mail/{bob.pk}/remove/", follow=True))
    assert "bob@example.test was removed." in page and 'action="/mail/undo/"' in page
    assert not MailAccount.objects.exists()
    page = text_of(client.post("/mail/undo/", follow=True))
    assert "1 account is back." in page
    restored = MailAccount.objects.get()
    assert restored.storage == bob.storage and restored.password == bob.password
    assert "There is nothing to undo." in text_of(client.post("/mail/undo/", follow=True))


def test_a_removed_account_can_be_restored_later(bob: MailAccount, site: Site, log_in: LogIn) -> None:
    client = log_in("alice")
    client.post(f"/mail/{bob.pk}/remove/")
    assert "bob@example.test" in text_of(client.get("/mail/removed/"))
    page = text_of(client.post("/mail/removed/restore/", {"site": site.pk, "name": "bob"}, follow=True))
    assert "bob is back" in page
    assert "Nothing was removed lately" in page


@pytest.mark.parametrize(("do", "enabled"), [("suspend", False), ("resume", True)])
def test_many_are_suspended_and_resumed_at_once(do: str, enabled: bool, site: Site, log_in: LogIn) -> None:
    accounts = [make_mailbox(site, name, mailbox_enabled=not enabled) for name in ("a", "b", "c")]
    client = log_in("alice")
    response = client.post(
        "/mail/bulk/", {"do": do, "id": [accounts[0].pk, accounts[2].pk], "back": "/mail/?sort=-used"}
    )
    assert response.headers["Location"] == "/mail/?sort=-used"
    assert list(MailAccount.objects.order_by("pk").values_list("mailbox_enabled", flat=True)) == [
        enabled, not enabled, enabled,
    ]  # fmt: skip


def test_many_are_removed_at_once_and_come_back_at_once(alice: Account, site: Site, log_in: LogIn) -> None:
    other = make_site(alice, "other.test")
    ids = [make_mailbox(place, name).pk for place in (site, other) for name in ("a", "b")]
    client = log_in("alice")
    page = text_of(client.post("/mail/bulk/", {"do": "remove", "id": ids}, follow=True))
    assert "4 accounts were removed." in page
    assert not MailAccount.objects.exists()
    client.post("/mail/undo/")
    assert MailAccount.objects.count() == 4


def test_all_that_match_are_reviewed_before_they_are_removed(site: Site, log_in: LogIn) -> None:
    make_many_mailboxes(site, 120)
    keep = make_mailbox(site, "zoe")
    client = log_in("alice")
    ask = {"do": "remove", "all": "1", "back": "/mail/?q=user"}
    page = text_of(client.post("/mail/bulk/", ask))
    assert "Remove 120 accounts?" in page and MailAccount.objects.count() == 121
    make_mailbox(site, "user-latecomer")
    page = text_of(client.post("/mail/bulk/", ask | {"confirmed": "120"}))
    assert "Remove 121 accounts?" in page and MailAccount.objects.count() == 122
    page = text_of(client.post("/mail/bulk/", ask | {"confirmed": "121"}, follow=True))
    assert "121 accounts were removed." in page
    assert MailAccount.objects.get() == keep
    client.post("/mail/undo/")
    assert MailAccount.objects.count() == 122


def test_all_of_a_customer_are_its_own(alice: Account, charlie: Account, bob: MailAccount, log_in: LogIn) -> None:
    carl = make_mailbox(make_site(charlie, "charlie.test"), "carl")
    client = log_in("charlie")
    page = text_of(client.post("/mail/bulk/", {"do": "suspend", "all": "1", "back": "/mail/"}))
    assert "Suspend 1 mailbox?" in page and "carl@charlie.test" in page and "bob" not in page
    client.post("/mail/bulk/", {"do": "suspend", "all": "1", "back": "/mail/", "confirmed": "1"})
    assert not MailAccount.objects.get(pk=carl.pk).mailbox_enabled
    assert MailAccount.objects.get(pk=bob.pk).mailbox_enabled


def test_more_than_one_request_can_do_is_refused_with_the_way_out(site: Site, log_in: LogIn) -> None:
    make_many_mailboxes(site, 5_001)
    page = text_of(log_in("alice").post("/mail/bulk/", {"do": "remove", "all": "1", "back": "/mail/"}, follow=True))
    assert "More than 5,000 accounts match." in page
    assert MailAccount.objects.count() == 5_001


def test_nothing_picked_is_said(bob: MailAccount, log_in: LogIn) -> None:
    assert "No account was selected." in text_of(log_in("alice").post("/mail/bulk/", {"do": "remove"}, follow=True))


def test_foreign_accounts_answer_like_missing_ones_on_every_page(
    alice: Account, charlie: Account, site: Site, bob: MailAccount, log_in: LogIn
) -> None:
    client = log_in("charlie")
    make_mailbox(make_site(charlie, "charlie.test"), "carl")
    secret = re.compile(r'name="csrfmiddlewaretoken" value="\w+"')

    def answers(number: int) -> list[tuple[int, str]]:
        pages = [
            client.get(f"/mail/{number}/"),
            client.post(f"/mail/{number}/", edit_form()),
            client.get(f"/mail/{number}/api/"),
            client.post(f"/mail/{number}/rename/", {"new_name": "x"}),
            client.post(f"/mail/{number}/remove/"),
            client.post("/mail/bulk/", {"do": "remove", "id": [number]}, follow=True),
            client.post("/mail/bulk/", {"do": "suspend", "id": [number]}, follow=True),
        ]
        return [(p.status_code, secret.sub("", p.content.decode())) for p in pages]

    assert answers(bob.pk) == answers(987_654_321)
    for foreign in (site.pk, 987_654_321):
        page = text_of(client.post("/mail/removed/restore/", {"site": foreign, "name": "bob"}, follow=True))
        assert "Site does not exist." in page
    page = text_of(client.post("/mail/new/", form()))
    assert "valid choice" in page
    assert MailAccount.objects.get(pk=bob.pk).mailbox_enabled


def test_the_drawer_shows_packet_and_command_without_a_password(bob: MailAccount, log_in: LogIn) -> None:
    client = log_in("alice")
    client.post(f"/mail/{bob.pk}/", edit_form(aliases="rob", description="<Bob & Co>"))
    page = text_of(client.get(f"/mail/{bob.pk}/api/"))
    assert "<name>bob</name>" in page and "<alias>rob</alias>" in page
    assert "<description>&lt;Bob &amp; Co&gt;</description>" in page
    assert "./innkeeper mail update bob@example.test --mailbox --quota unlimited --alias rob" in page
    assert "BLF-CRYPT" not in page and "<password" not in page
    fragment = text_of(client.get(f"/mail/{bob.pk}/api/", headers={"HX-Request": "true"}))
    assert "<html" not in fragment


def test_the_packet_of_the_drawer_is_valid_and_changes_nothing(bob: MailAccount, admin: Account, log_in: LogIn) -> None:
    from innkeeper.doors.xmlapi import endpoint

    client = log_in("alice")
    client.post(f"/mail/{bob.pk}/", edit_form(aliases="rob", redirect="x@example.net", outgoing_limit="7"))
    before = MailAccount.objects.values().get(), list(MailName.objects.values()), list(Recipient.objects.values())
    page = text_of(client.get(f"/mail/{bob.pk}/api/"))
    packets = [
        html.unescape(p)
        for p in re.findall(r"<code>(.*?)</code>", client.get(f"/mail/{bob.pk}/api/").content.decode(), re.S)
    ]
    assert page and len(packets) == 3
    for packet in packets[:2]:
        answer = send(endpoint, packet)
        assert "<status>ok</status>" in answer and "error" not in answer, answer
    assert before == (
        MailAccount.objects.values().get(),
        list(MailName.objects.values()),
        list(Recipient.objects.values()),
    )


def send(endpoint: Any, packet: str) -> str:
    """The packet door's answer to a packet of the administrator."""
    import io

    from tests.people import PASSWORD

    body = packet.encode()
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": endpoint.PATH, "CONTENT_TYPE": "text/xml", "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "HTTP_HTTP_AUTH_LOGIN": "admin",
        "HTTP_HTTP_AUTH_PASSWD": PASSWORD, "wsgi.errors": io.StringIO(), "wsgi.url_scheme": "https",
    }  # fmt: skip
    return b"".join(endpoint.application(environ, lambda status, headers, exc_info=None: lambda data: None)).decode()


def test_an_owner_without_the_permission_is_told_so_and_nothing_happens(
    site: Site, bob: MailAccount, log_in: LogIn
) -> None:
    client = log_in("alice")
    WebspacePermission.objects.create(webspace_id=site.pk, name="manage_mail_settings", value=False)
    before = MailAccount.objects.values().get()
    for response in (
        client.post("/mail/new/", form()),
        client.post(f"/mail/{bob.pk}/", edit_form(description="x")),
        client.post(f"/mail/{bob.pk}/rename/", {"new_name": "x"}),
        client.post(f"/mail/{bob.pk}/remove/", follow=True),
        client.post("/mail/bulk/", {"do": "suspend", "id": [bob.pk]}, follow=True),
        client.post("/mail/bulk/", {"do": "remove", "id": [bob.pk]}, follow=True),
    ):
        assert "Ask the provider for the permission." in text_of(response), text_of(response)
    assert MailAccount.objects.values().get() == before


def test_without_a_site_the_page_says_what_to_do(alice: Account, log_in: LogIn) -> None:
    assert "There is no site yet" in text_of(log_in("alice").get("/mail/new/"))
