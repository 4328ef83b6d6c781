from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from hosting_records import MakeCustomer, MakeWebspace, column, events

from innkeeper.accounts.models import Account
from innkeeper.accounts.operations import CustomerChanges, remove_customer, update_customer
from innkeeper.core.actor import Actor
from innkeeper.core.errors import AlreadyExists, Failed, InvalidValue, IPAddressNotFound, NotAllowed, NotFound
from innkeeper.hosting.models import HostingProperty, Site, Webspace, WebspaceLimit
from innkeeper.hosting.operations import (
    create_site,
    remove_site,
    remove_webspace,
    update_site,
    update_webspace,
)
from innkeeper.hosting.requests import (
    Entitlements,
    HostingSettings,
    NewSite,
    Preferences,
    SiteChanges,
    WebspaceChanges,
)
from innkeeper.mail.models import Grave, MailAccount, MailName, MailService, Recipient
from innkeeper.network.models import IPAddress


def mailbox(site: Site, name: str) -> MailAccount:
    account = MailAccount.objects.create(
        guid=f"{site.pk}-{name}", site=site, mailbox_enabled=True, password="{X}y", created_at=timezone.now()
    )
    MailName.objects.create(
        site=site, local_part=name, address=f"{name}@{site.ascii_name}", kind="account", account=account
    )
    return account


def statuses() -> dict[str, int]:
    return dict(Site.objects.values_list("name", "status"))


@pytest.fixture
def bakery(admin: Actor, alice: Actor, webspace: MakeWebspace) -> Webspace:
    made = webspace(admin, alice)
    cakes = create_site(admin, NewSite("cakes.example", webspace_id=made.pk))
    create_site(admin, NewSite("shop", parent_id=cakes.pk))
    return made


def site_id(name: str) -> int:
    return Site.objects.get(name=name).pk


def test_suspending_a_webspace_stops_all_its_mail_and_lifting_it_brings_all_back(
    admin: Actor, bakery: Webspace
) -> None:
    mailbox(Site.objects.get(name="shop.cakes.example"), "joe")
    update_webspace(admin, bakery.pk, WebspaceChanges(status=16))
    assert statuses() == {"bakery.example": 16, "cakes.example": 2, "shop.cakes.example": 2}
    assert column("svc_mail_domain", "name") == [] == column("svc_mail_login", "username")
    update_webspace(admin, bakery.pk, WebspaceChanges(status=0))
    assert set(statuses().values()) == {0}
    assert column("svc_mail_login", "username") == ["joe@shop.cakes.example"]


def test_suspending_an_owner_reaches_everything_below(
    admin: Actor, rita: Actor, customer: MakeCustomer, webspace: MakeWebspace
) -> None:
    bob = customer(rita, "bob")
    made = webspace(rita, bob, "bob.example")
    create_site(bob, NewSite("more.example", webspace_id=made.pk))
    update_customer(rita, bob.account_id, CustomerChanges(status=16))
    assert Account.objects.get(pk=bob.account_id).status == 32
    assert statuses() == {"bob.example": 2, "more.example": 2}
    assert events()[-1] == (
        "client_status_update",
        {
            "old_contact_name": "bob", "new_contact_name": "bob", "old_login_name": "bob", "new_login_name": "bob",
            "old_status": "0", "new_status": "32",
        },
    )  # fmt: skip
    update_customer(admin, bob.account_id, CustomerChanges(status=0))
    assert statuses() == {"bob.example": 0, "more.example": 0}


def test_a_weaker_caller_never_undoes_a_stronger_one_s_suspension(admin: Actor, alice: Actor, bakery: Webspace) -> None:
    update_webspace(alice, bakery.pk, WebspaceChanges(status=16))
    assert statuses()["bakery.example"] == 64
    update_webspace(admin, bakery.pk, WebspaceChanges(status=16))
    assert statuses()["bakery.example"] == 16
    update_webspace(alice, bakery.pk, WebspaceChanges(status=0))
    assert statuses()["bakery.example"] == 16


def test_a_site_with_its_web_service_off_keeps_its_mail(admin: Actor, bakery: Webspace) -> None:
    update_site(admin, site_id("cakes.example"), SiteChanges(status=8))
    assert statuses() == {"bakery.example": 0, "cakes.example": 8, "shop.cakes.example": 0}
    assert "cakes.example" in column("svc_mail_domain", "name")


def test_a_suspended_site_suspends_its_subdomains_alone(alice: Actor, bakery: Webspace) -> None:
    update_site(alice, site_id("cakes.example"), SiteChanges(status=64, turn_off_action="suspend"))
    assert statuses() == {"bakery.example": 0, "cakes.example": 64, "shop.cakes.example": 2}
    assert column("svc_mail_domain", "name") == ["bakery.example"]
    assert events()[-1] == (
        "domain_status_update",
        {
            "old_domain_name": "cakes.example", "new_domain_name": "cakes.example", "old_status": "0",
            "new_status": "64",
        },
    )  # fmt: skip


def test_suspension_asks_for_the_end_of_open_sessions(admin: Actor, bakery: Webspace, monkeypatch: Any) -> None:
    ended: list[int] = []
    monkeypatch.setattr("innkeeper.hosting.operations.status.end_site_sessions", ended.extend)
    update_webspace(admin, bakery.pk, WebspaceChanges(status=16))
    assert set(ended) == set(Site.objects.values_list("pk", flat=True))
    ended.clear()
    update_webspace(admin, bakery.pk, WebspaceChanges(status=0))
    assert ended == []


def test_a_renamed_site_takes_all_its_addresses_along(admin: Actor, bakery: Webspace) -> None:
    cakes = Site.objects.get(name="cakes.example")
    joe, ann = mailbox(cakes, "joe"), mailbox(bakery.site, "ann")
    Recipient.objects.create(account=ann, kind="group", address="joe@cakes.example")
    Recipient.objects.create(account=ann, kind="group", address="joe@elsewhere.example")
    Recipient.objects.create(account=joe, kind="redirect", address="ann@bakery.example")
    MailService.objects.filter(site=bakery.pk).update(unknown_action="forward", forward_address="joe@cakes.example")
    update_site(admin, cakes.pk, SiteChanges(name="Törtchen.example"))
    assert set(statuses()) == {"bakery.example", "törtchen.example", "shop.törtchen.example"}
    assert column("svc_mail_login", "username") == ["ann@bakery.example", "joe@xn--trtchen-90a.example"]
    assert sorted(Recipient.objects.values_list("address", flat=True)) == [
        "ann@bakery.example", "joe@elsewhere.example", "joe@xn--trtchen-90a.example",
    ]  # fmt: skip
    assert column("svc_mail_catchall", "target") == ["joe@xn--trtchen-90a.example"]
    assert MailService.objects.get(site=cakes).domain_key == "@xn--trtchen-90a.example"
    assert events()[-1] == (
        "domain_update",
        {"old_domain_name": "cakes.example", "new_domain_name": "törtchen.example"},
    )
    with pytest.raises(AlreadyExists):
        update_site(admin, cakes.pk, SiteChanges(name="bakery.example"))


def test_a_new_name_closes_no_ring(admin: Actor, bakery: Webspace) -> None:
    cakes = Site.objects.get(name="cakes.example")
    joe, ann = mailbox(cakes, "joe"), mailbox(bakery.site, "ann")
    MailAccount.objects.update(redirect_enabled=True)
    Recipient.objects.create(account=joe, kind="redirect", address="ann@bakery.example")
    Recipient.objects.create(account=ann, kind="redirect", address="joe@tarts.example")
    with pytest.raises(InvalidValue, match=r"ann@bakery\.example"):
        update_site(admin, cakes.pk, SiteChanges(name="tarts.example"))
    assert "cakes.example" in statuses()
    update_site(admin, cakes.pk, SiteChanges(name="pies.example"))
    assert column("svc_mail_login", "username") == ["ann@bakery.example", "joe@pies.example"]


def test_a_catchall_closes_no_ring_under_a_new_name(admin: Actor, bakery: Webspace) -> None:
    cakes = Site.objects.get(name="cakes.example")
    ann = mailbox(bakery.site, "ann")
    MailAccount.objects.update(redirect_enabled=True)
    MailService.objects.filter(site=cakes).update(unknown_action="forward", forward_address="ann@bakery.example")
    Recipient.objects.create(account=ann, kind="redirect", address="anybody@tarts.example")
    with pytest.raises(InvalidValue):
        update_site(admin, cakes.pk, SiteChanges(name="tarts.example"))


def test_a_removed_webspace_leaves_graves_and_nothing_else(admin: Actor, alice: Actor, bakery: Webspace) -> None:
    account = mailbox(bakery.site, "joe")
    with pytest.raises(NotAllowed):
        remove_webspace(alice, bakery.pk)
    remove_webspace(admin, bakery.pk)
    assert not Site.objects.exists() and not Webspace.objects.exists() and not MailName.objects.exists()
    assert list(Grave.objects.values_list("storage", "address")) == [(account.storage, "joe@bakery.example")]
    assert [name for name, _ in events()[-4:]] == [
        "mailname_delete", "subdomain_delete", "domain_delete", "domain_delete",
    ]  # fmt: skip
    assert events()[-1] == ("domain_delete", {"old_domain_name": "bakery.example"})


def test_a_site_goes_with_its_subdomains_and_a_main_site_never_alone(alice: Actor, bakery: Webspace) -> None:
    with pytest.raises(Failed):
        remove_site(alice, bakery.pk)
    remove_site(alice, site_id("cakes.example"))
    assert set(statuses()) == {"bakery.example"}


def test_a_removed_customer_takes_everything_along(
    admin: Actor, alice: Actor, charlie: Actor, bakery: Webspace
) -> None:
    mailbox(bakery.site, "joe")
    with pytest.raises(NotFound):
        remove_customer(charlie, alice.account_id)
    remove_customer(admin, alice.account_id)
    assert not Site.objects.exists() and Grave.objects.count() == 1
    assert events()[-1] == ("client_delete", {"old_login_name": "alice", "old_contact_name": "alice"})


def test_a_new_owner_sees_the_webspace_and_the_old_one_does_not(
    admin: Actor, alice: Actor, charlie: Actor, bakery: Webspace
) -> None:
    Account.objects.filter(pk=charlie.account_id).update(status=16)
    update_webspace(admin, bakery.pk, WebspaceChanges(owner_id=charlie.account_id))
    assert set(statuses().values()) == {2}
    with pytest.raises(NotFound):
        update_webspace(alice, bakery.pk, WebspaceChanges(status=0))
    with pytest.raises(NotAllowed):
        update_webspace(charlie, bakery.pk, WebspaceChanges(owner_id=charlie.account_id))


def test_a_customer_never_raises_its_own_limits(admin: Actor, alice: Actor, bakery: Webspace) -> None:
    with pytest.raises(NotAllowed):
        update_webspace(alice, bakery.pk, WebspaceChanges(entitlements=Entitlements(limits={"max_box": "-1"})))
    update_webspace(admin, bakery.pk, WebspaceChanges(entitlements=Entitlements(limits={"max_box": "5"})))
    update_webspace(admin, bakery.pk, WebspaceChanges(entitlements=Entitlements(limits={"max_box": "7"})))
    assert list(WebspaceLimit.objects.values_list("name", "value")) == [("max_box", 7)]


def test_hosting_is_patched_and_taken_away(admin: Actor, bakery: Webspace) -> None:
    def change(hosting: HostingSettings) -> Site:
        return update_webspace(admin, bakery.pk, WebspaceChanges(hosting=hosting)).site

    with pytest.raises(InvalidValue):
        change(HostingSettings("vrt_hst", {"php": "true"}))
    change(HostingSettings("vrt_hst", {"ftp_login": "bakery", "ftp_password": "Crumb-9-Tray", "ssi": "1"}))
    stored = Webspace.objects.get().ftp_password
    change(HostingSettings("vrt_hst", {"php": "true"}))
    assert dict(HostingProperty.objects.values_list("name", "value")) == {"ssi": "true", "php": "true"}
    assert Webspace.objects.get().ftp_password == stored
    assert change(HostingSettings("std_fwd", url="https://example.org/")).forwarding_code == 301
    assert not HostingProperty.objects.exists()
    assert Webspace.objects.get().ftp_login is None
    assert [name for name, _ in events() if name.startswith("phys")] == [
        "phys_hosting_create", "phys_hosting_update", "phys_hosting_delete",
    ]  # fmt: skip


def test_addresses_come_from_the_server_and_exclusive_ones_from_one_owner(
    admin: Actor, alice: Actor, charlie: Actor, webspace: MakeWebspace
) -> None:
    shared = IPAddress.objects.create(address="192.0.2.10", netmask="255.255.255.0", type="shared", interface="eth0")
    own = IPAddress.objects.create(address="192.0.2.11", netmask="255.255.255.0", type="exclusive", interface="eth0")
    made = webspace(admin, alice)
    assert (made.ipv4, made.ipv6) == (shared, None)
    update_webspace(admin, made.pk, WebspaceChanges(ip_addresses=("192.0.2.11",)))
    assert Webspace.objects.get().ipv4 == own
    for address in ("192.0.2.11", "192.0.2.99"):
        with pytest.raises(IPAddressNotFound):
            webspace(admin, charlie, "charlie.example", ip_addresses=(address,))


def test_small_settings_are_stored_and_checked(alice: Actor, admin: Actor, bakery: Webspace) -> None:
    update_site(alice, bakery.pk, SiteChanges(preferences=Preferences(www=False, description="Bread")))
    site = Site.objects.get(pk=bakery.pk)
    assert (site.www, site.description) == (False, "Bread")
    with pytest.raises(NotAllowed):
        update_site(alice, bakery.pk, SiteChanges(preferences=Preferences(bandwidth=5)))
    with pytest.raises(InvalidValue):
        update_webspace(admin, bakery.pk, WebspaceChanges(preferences=Preferences(outgoing_limit="many")))
