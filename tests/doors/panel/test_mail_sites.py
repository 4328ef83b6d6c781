"""What a site does with its mail, on its page."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

from django.test import Client
from lxml import etree

from innkeeper.accounts.models import Account
from innkeeper.core.models import AuditEntry
from innkeeper.doors.xmlapi import schema
from innkeeper.doors.xmlapi.versions import NEWEST
from innkeeper.hosting.models import Site, WebspacePermission
from innkeeper.jobs.models import Job
from innkeeper.mail.models import MailService
from tests.people import make_mailbox, make_site

LogIn = Callable[..., Client]


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def service(site: Site) -> MailService:
    return MailService.objects.get(site=site)


def test_unknown_addresses_are_forwarded_bounced_or_refused_as_the_owner_chooses(site: Site, log_in: LogIn) -> None:
    client, page = log_in("alice"), f"/mail/sites/{site.pk}/"
    form = {"enabled": "on", "unknown_action": "forward", "forward": "catch@all.example", "bounce": ""}
    assert "Saved." in text_of(client.post(page, form, follow=True))
    assert (service(site).unknown_action, service(site).forward_address) == ("forward", "catch@all.example")
    assert "passed on to catch@all.example" in text_of(client.get("/mail/sites/"))
    assert 'value="catch@all.example"' in text_of(client.get(page))
    client.post(page, form | {"unknown_action": "bounce", "bounce": "Ask reception."})
    assert (service(site).unknown_action, service(site).bounce_text) == ("bounce", "Ask reception.")
    client.post(page, form | {"unknown_action": "reject"})
    assert service(site).unknown_action == "reject"
    assert service(site).enabled


def test_the_service_is_switched_off_and_sessions_end(site: Site, log_in: LogIn) -> None:
    make_mailbox(site, "bob")
    client = log_in("alice")
    client.post(f"/mail/sites/{site.pk}/", {"unknown_action": "reject"})
    assert not service(site).enabled
    assert Job.objects.filter(task__contains="session").exists()
    assert 'data-label="Mail service">Off</td>' in text_of(client.get("/mail/sites/"))
    assert AuditEntry.objects.filter(operation="mail.preferences", login="alice").exists()


def test_what_cannot_be_is_said_beside_its_field_and_changes_nothing(site: Site, log_in: LogIn) -> None:
    client, page = log_in("alice"), f"/mail/sites/{site.pk}/"
    for address, said in (("nobody", "is not a mail address"), ("x@example.test", "round for ever")):
        answer = client.post(page, {"enabled": "on", "unknown_action": "forward", "forward": address})
        assert answer.status_code == 422
        assert said in text_of(answer).split('id="id_forward_error"')[1]
    assert client.post(page, {"enabled": "on", "unknown_action": "swallow"}).status_code == 422
    assert service(site).unknown_action == "reject"


def test_a_customer_without_the_permission_changes_nothing(site: Site, log_in: LogIn) -> None:
    WebspacePermission.objects.create(webspace_id=site.pk, name="manage_mail_settings", value=False)
    answer = log_in("alice").post(f"/mail/sites/{site.pk}/", {"unknown_action": "reject"})
    assert answer.status_code == 422
    assert "Ask the provider for the permission." in text_of(answer)
    assert service(site).enabled


def test_the_list_shows_own_sites_alone_and_finds_them(alice: Account, charlie: Account, log_in: LogIn) -> None:
    for name in ("one.test", "two.test"):
        make_site(alice, name)
    make_site(charlie, "three.test")
    client = log_in("alice")
    everything, found = text_of(client.get("/mail/sites/")), text_of(client.get("/mail/sites/?q=TWO"))
    assert ("one.test" in everything, "two.test" in everything, "three.test" in everything) == (True, True, False)
    assert ("one.test" in found, "two.test" in found) == (False, True)
    assert "No site matches" in text_of(client.get("/mail/sites/?q=three"))


def test_the_packets_and_commands_of_a_site_do_what_they_say(site: Site, log_in: LogIn) -> None:
    MailService.objects.filter(site=site).update(unknown_action="bounce", bounce_text="Ask <reception>.")
    client, page = log_in("alice"), f"/mail/sites/{site.pk}/api/"
    written, asked, commands = re.findall(r"<code>(.*?)</code>", client.get(page).content.decode(), re.DOTALL)
    for packet in (written, asked):
        schema.validate(etree.fromstring(html.unescape(packet)), NEWEST)
    assert "&lt;bounce&gt;Ask &amp;lt;reception&amp;gt;.&lt;/bounce&gt;" in written
    preferences, service_on = html.unescape(commands).splitlines()
    assert preferences == "./innkeeper mail preferences example.test --unknown 'bounce:Ask <reception>.'"
    assert service_on == "./innkeeper mail on example.test"
    drawer = text_of(client.get(page, headers={"HX-Request": "true"}))
    assert "<html" not in drawer
    assert "set_prefs" in drawer
