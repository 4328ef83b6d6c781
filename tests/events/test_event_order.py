"""The outbox's order is the order in which an object changed, however many change it at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from django.db import connection
from handler_world import ADMINISTRATOR

from innkeeper.accounts.operations import CustomerChanges, update_customer
from innkeeper.accounts.preferences import set_color_scheme
from innkeeper.core.models import OutboxEvent
from innkeeper.hosting.operations import (
    create_ftp_account,
    create_site,
    create_web_user,
    create_webspace,
    update_ftp_account,
    update_site,
    update_web_user,
    update_webspace,
)
from innkeeper.hosting.requests import (
    Entitlements,
    FTPAccountChanges,
    HostingSettings,
    NewFTPAccount,
    NewSite,
    NewWebspace,
    NewWebUser,
    SiteChanges,
    WebspaceChanges,
    WebUserChanges,
)
from innkeeper.mail.operations import create_accounts, update_accounts
from innkeeper.mail.requests import AccountChange, CreateAccounts, Mode, NewAccount, UpdateAccounts
from innkeeper.network.models import IPAddress
from innkeeper.network.operations import AddressChanges, update_address
from tests.people import PASSWORD, make_account, make_site

pytestmark = pytest.mark.django_db(transaction=True)
WRITERS, CHANGES = 4, 5


def at_once(change: Callable[[int], object]) -> None:
    failures: list[BaseException] = []

    def work(writer: int) -> None:
        try:
            for number in range(CHANGES):
                change(writer * CHANGES + number)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[writer]) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def chain(event: str, *parameters: str, each: int = 1) -> None:
    """Each event begins where the one before ended, and none is missing: a change raises one, or up to `each`."""
    rows = [json.loads(row.parameters) for row in OutboxEvent.objects.filter(event=event).order_by("pk")]
    assert WRITERS * CHANGES <= len(rows) <= WRITERS * CHANGES * each
    for before, after in pairwise(rows):
        for name in parameters:
            assert after[f"old_{name}"] == before[f"new_{name}"]


def test_each_event_of_an_object_begins_where_the_one_before_ended() -> None:
    actor = replace(ADMINISTRATOR, account_id=make_account("admin", kind="admin").pk)
    ines = make_account("ines")
    at_once(lambda n: update_customer(actor, ines.pk, CustomerChanges(contact={"company_name": f"Firm {n}"})))
    chain("client_update", "company_name")

    site = make_site(ines, "example.com")
    at_once(lambda n: update_site(actor, site.pk, SiteChanges(name=f"n{n}.example.com")))
    chain("domain_update", "domain_name")

    IPAddress.objects.create(address="192.0.2.7", netmask="255.255.255.0", interface="lo", type="shared")
    at_once(lambda n: update_address(actor, "192.0.2.7", AddressChanges(type=("shared", "exclusive")[n % 2])))
    chain("ip_address_update", "ip_type")


def test_so_do_those_of_hosting_and_mail() -> None:
    actor = replace(ADMINISTRATOR, account_id=make_account("admin", kind="admin").pk)
    login = HostingSettings("vrt_hst", {"ftp_login": "bakery", "ftp_password": PASSWORD})
    space = create_webspace(actor, NewWebspace("bakery.example", hosting=login)).pk

    def limited(n: int) -> WebspaceChanges:
        return WebspaceChanges(entitlements=Entitlements(limits={"max_box": str(n)}))

    def hosted(n: int) -> WebspaceChanges:
        return WebspaceChanges(hosting=HostingSettings("vrt_hst", {"ftp_quota": str(n * 2**20)}))

    at_once(lambda n: update_webspace(actor, space, limited(n + 1)))
    chain("domain_limits_update", "maximum_mailboxes")
    at_once(lambda n: update_webspace(actor, space, hosted(n + 1)))
    chain("phys_hosting_update", "hard_disk_quota")

    user = create_web_user(actor, NewWebUser(space, "petr")).pk
    at_once(lambda n: update_web_user(actor, user, WebUserChanges(quota_bytes=n * 2**20)))
    chain("webuser_update", "hard_disk_quota")
    team = create_ftp_account(actor, NewFTPAccount(space, "team", PASSWORD)).pk
    at_once(lambda n: update_ftp_account(actor, team, FTPAccountChanges(name=f"team{n}")))
    chain("ftpuser_update", "system_user")

    create_accounts(actor, CreateAccounts(space, (NewAccount("info"),)))

    def quota(n: int) -> UpdateAccounts:
        return UpdateAccounts(space, Mode.SET, (AccountChange("info", quota=(n + 1) * 2**20),))

    at_once(lambda n: update_accounts(actor, quota(n)))
    chain("mailname_update", "mailbox_quota")


def test_so_do_those_of_subdomains_forwarding_identifiers_and_preferences() -> None:
    actor = replace(ADMINISTRATOR, account_id=make_account("admin", kind="admin").pk)
    login = HostingSettings("vrt_hst", {"ftp_login": "bakery", "ftp_password": PASSWORD})
    space = create_webspace(actor, NewWebspace("bakery.example", hosting=login)).pk
    shop = create_site(actor, NewSite("shop", parent_id=space)).pk
    elsewhere = HostingSettings("std_fwd", url="http://first.example/")
    moved = create_site(actor, NewSite("moved.example", space, hosting=elsewhere)).pk

    at_once(lambda n: update_site(actor, shop, SiteChanges(name=f"n{n}.bakery.example")))
    chain("subdomain_update", "subdomain_name")
    at_once(lambda n: update_site(actor, moved, SiteChanges(hosting=replace(elsewhere, url=f"http://n{n}.example/"))))
    chain("forwarding_update", "url")

    at_once(lambda _: update_webspace(actor, space, WebspaceChanges(new_guid=True)))
    chain("domain_guid", "guid")
    OutboxEvent.objects.filter(event="domain_guid").delete()
    at_once(lambda _: update_site(actor, moved, SiteChanges(new_guid=True)))
    chain("domain_guid", "guid")
    ines = make_account("ines")
    at_once(lambda _: update_customer(actor, ines.pk, CustomerChanges(new_guid=True)))
    chain("client_guid", "guid")

    def prefer(n: int) -> None:
        """By two operations on one object."""
        update_customer(actor, ines.pk, CustomerChanges(contact={"locale": f"{chr(ord('a') + n)}z"}))
        set_color_scheme(replace(ADMINISTRATOR, account_id=ines.pk, login="ines"), ("light", "dark")[n % 2])

    at_once(prefer)
    chain("client_preferences_update", "interface_language", "interface_skin", each=2)
