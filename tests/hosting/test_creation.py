from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from hosting_records import MakeCustomer, MakeWebspace, events

from innkeeper.accounts.models import Account
from innkeeper.accounts.operations import CustomerChanges, update_customer
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import (
    AlreadyExists,
    InvalidValue,
    LimitReached,
    NotAllowed,
    NotFound,
    OwnerNotFound,
    WrongStatus,
)
from innkeeper.core.models import AuditEntry, OutboxEvent
from innkeeper.core.operation import planning
from innkeeper.hosting.models import HostingProperty, Site, Webspace
from innkeeper.hosting.operations import create_site, remove_site, update_site
from innkeeper.hosting.queries import find_site, find_webspace, limits_of, permissions_of, visible_sites
from innkeeper.hosting.requests import Entitlements, HostingSettings, NewSite, SiteChanges
from innkeeper.mail.models import MailService


def test_a_webspace_shares_its_id_with_its_main_site_and_has_mail(
    admin: Actor, alice: Actor, webspace: MakeWebspace
) -> None:
    made = webspace(admin, alice, "Bäckerei.example")
    site = Site.objects.get()
    assert made.pk == site.pk == site.webspace_id
    assert (site.name, site.ascii_name) == ("bäckerei.example", "xn--bckerei-5wa.example")
    mail = MailService.objects.get(site=site)
    assert (mail.domain_key, mail.bounce_address) == ("@xn--bckerei-5wa.example", f"site-{site.pk}@bounce.invalid")
    assert (mail.enabled, mail.unknown_action) == (True, "reject")


def test_events_carry_the_catalogue_s_parameters_and_no_password(
    admin: Actor, alice: Actor, webspace: MakeWebspace
) -> None:
    hosting = HostingSettings("vrt_hst", {"ftp_login": "bakery", "ftp_password": "Crumb-9-Tray", "php": "1"})
    webspace(admin, alice, hosting=hosting)
    assert events() == [
        ("client_create", {"new_login_name": "alice", "new_contact_name": "alice"}),
        ("domain_create", {"new_domain_name": "bakery.example"}),
        (
            "phys_hosting_create",
            {
                "new_domain_name": "bakery.example", "new_system_user": "bakery", "new_system_shell": "/bin/false",
                "new_ssi_support": "false", "new_php_support": "true", "new_cgi_support": "false",
                "new_perl_support": "false", "new_python_support": "false", "new_ssl_support": "false",
                "new_custom_error_documents": "false", "new_web_statistics": "none", "new_hard_disk_quota": "-1",
                "new_fp_support": "false", "new_fpssl_support": "false", "new_fp_authoring": "false",
                "new_coldfusion_support": "false", "new_asp_support": "false",
            },
        ),
    ]  # fmt: skip
    stored = [*OutboxEvent.objects.values_list("parameters", flat=True), *AuditEntry.objects.values_list("detail")]
    assert "Crumb" not in repr(stored) and "Bread" not in repr(stored)
    assert Webspace.objects.get().ftp_password.startswith("{BLF-CRYPT}")
    assert dict(HostingProperty.objects.values_list("name", "value")) == {"php": "true"}


def test_names_are_found_in_any_case_and_in_punycode(admin: Actor, alice: Actor, webspace: MakeWebspace) -> None:
    made = webspace(admin, alice, "Bäckerei.example")
    for name in ("BÄCKEREI.example", "XN--bckerei-5wa.Example", "bäckerei.example."):
        assert find_site(alice, name=name).pk == made.pk


def test_a_stranger_s_object_is_a_missing_one(
    admin: Actor, alice: Actor, charlie: Actor, webspace: MakeWebspace
) -> None:
    made = webspace(admin, alice)
    refusals = []
    for key in ({"id": made.pk}, {"name": "bakery.example"}, {"guid": made.site.guid}, {"id": 10**30}, {"name": "-"}):
        with pytest.raises(NotFound) as refused:
            find_site(charlie, **key)
        refusals.append(refused.value.message)
        with pytest.raises(NotFound):
            find_webspace(charlie, **key)
    assert set(refusals) == {"Site does not exist"}
    assert not visible_sites(charlie).exists()
    with pytest.raises(NotFound):
        create_site(charlie, NewSite("cakes.example", webspace_id=made.pk))


def test_a_reseller_reaches_its_customers_and_nobody_else(
    admin: Actor, alice: Actor, webspace: MakeWebspace, customer: MakeCustomer
) -> None:
    account = Account.objects.create(kind="reseller", login="rita", contact_name="Rita", created_at=timezone.now())
    rita = Actor(ActorKind.RESELLER, account.pk, "rita")
    bob = customer(rita, "bob")
    made = webspace(rita, bob, "bob.example")
    webspace(admin, alice)
    assert [site.pk for site in visible_sites(rita)] == [made.pk]
    with pytest.raises(OwnerNotFound):
        webspace(rita, alice, "alice.example")
    with pytest.raises(OwnerNotFound):
        customer(rita, "eve", owner_id=admin.account_id)
    with pytest.raises(NotAllowed):
        customer(alice, "eve")
    with pytest.raises(NotAllowed):
        webspace(alice, alice, "more.example")


def test_taken_names_are_refused(admin: Actor, alice: Actor, webspace: MakeWebspace, customer: MakeCustomer) -> None:
    made = webspace(admin, alice, external_id="crm-1")
    with pytest.raises(AlreadyExists):
        webspace(admin, alice, "BAKERY.example")
    with pytest.raises(AlreadyExists):
        webspace(admin, alice, "other.example", external_id="crm-1")
    with pytest.raises(AlreadyExists):
        create_site(alice, NewSite("bakery.example", webspace_id=made.pk))
    with pytest.raises(AlreadyExists, match="User account ALICE already exists"):
        customer(admin, "ALICE")
    assert Site.objects.count() == 1


def test_a_subdomain_completes_its_name_and_belongs_to_its_parent_s_webspace(
    admin: Actor, alice: Actor, webspace: MakeWebspace
) -> None:
    made = webspace(admin, alice)
    shop = create_site(alice, NewSite("shop", parent_id=made.pk))
    assert (shop.name, shop.webspace_id, shop.parent_id) == ("shop.bakery.example", made.pk, made.pk)


def test_a_subdomain_has_events_of_its_own(admin: Actor, alice: Actor, webspace: MakeWebspace) -> None:
    made = webspace(admin, alice)
    shop = create_site(alice, NewSite("shop", parent_id=made.pk, hosting=HostingSettings("vrt_hst", {"php": "true"})))
    update_site(alice, shop.pk, SiteChanges(name="store.bakery.example"))
    remove_site(alice, shop.pk)
    supports = {
        "ssi_support": "false", "php_support": "true", "cgi_support": "false", "perl_support": "false",
        "python_support": "false", "coldfusion_support": "false", "asp_support": "false",
    }  # fmt: skip
    shop_values, store_values = (
        {"subdomain_name": name, "domain_name": "bakery.example", "system_user_type": "main"} | supports
        for name in ("shop", "store")
    )

    def side(which: str, values: dict[str, str]) -> dict[str, str]:
        return {f"{which}_{key}": value for key, value in values.items()}

    assert events()[-3:] == [
        ("subdomain_create", side("new", shop_values)),
        ("subdomain_update", side("old", shop_values) | side("new", store_values)),
        ("subdomain_delete", side("old", store_values)),
    ]


def test_names_below_a_domain_belong_to_its_owner(
    admin: Actor, alice: Actor, charlie: Actor, webspace: MakeWebspace
) -> None:
    webspace(admin, alice)
    own = webspace(admin, charlie, "charlie.example")
    for name in ("shop.bakery.example", "deep.shop.BAKERY.example"):
        with pytest.raises(AlreadyExists):
            create_site(charlie, NewSite(name, webspace_id=own.pk))
    with pytest.raises(AlreadyExists):
        update_site(charlie, own.pk, SiteChanges(name="shop.bakery.example"))
    create_site(charlie, NewSite("notbakery.example", webspace_id=own.pk))
    create_site(admin, NewSite("given.bakery.example", webspace_id=own.pk))


def test_limits_bind(admin: Actor, alice: Actor, webspace: MakeWebspace) -> None:
    made = webspace(admin, alice, entitlements=Entitlements(limits={"max_site": "1", "max_unity_mobile_sites": "0"}))
    with pytest.raises(LimitReached, match="max_site"):
        create_site(alice, NewSite("cakes.example", webspace_id=made.pk))
    assert limits_of([made.pk])[made.pk]["max_site"] == 1
    assert limits_of([made.pk])[made.pk]["max_box"] == -1


def test_permissions_bind_the_customer_alone(admin: Actor, alice: Actor, webspace: MakeWebspace) -> None:
    made = webspace(admin, alice, entitlements=Entitlements(revoke_permissions=True, permissions={"manage_dns": "on"}))
    with pytest.raises(NotAllowed):
        create_site(alice, NewSite("cakes.example", webspace_id=made.pk))
    create_site(admin, NewSite("cakes.example", webspace_id=made.pk))
    held = permissions_of([made.pk])[made.pk]
    assert [name for name, value in held.items() if value] == ["manage_dns"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "no-dot"}, "name"),
        ({"entitlements": Entitlements(limits={"max_cows": "3"})}, "max_cows"),
        ({"entitlements": Entitlements(limits={"max_box": "-2"})}, "max_box"),
        ({"entitlements": Entitlements(permissions={"fly": "true"})}, "fly"),
        ({"hosting": HostingSettings("vrt_hst", {"php": "true"})}, "ftp_login"),
        ({"hosting": HostingSettings("vrt_hst", {"ftp_login": "root", "ftp_password": "Crumb-9-Tray"})}, "ftp_login"),
        ({"hosting": HostingSettings("std_fwd", url="javascript:alert(1)")}, "dest_url"),
        ({"hosting": HostingSettings("std_fwd", url="example.com", code=307)}, "http_code"),
        ({"ip_addresses": ("300.1.1.1",)}, "ip_address"),
        ({"external_id": "x" * 256}, "external-id"),
        ({"admin_description": "a\0b"}, "description"),
    ],
)
def test_bad_values_name_their_field(
    admin: Actor, alice: Actor, changes: dict[str, Any], field: str, webspace: MakeWebspace
) -> None:
    with pytest.raises(InvalidValue) as refused:
        webspace(admin, alice, **({"name": "bakery.example"} | changes))
    assert refused.value.field == field
    assert not Site.objects.exists()


def test_a_plan_leaves_nothing_behind(admin: Actor, alice: Actor, webspace: MakeWebspace) -> None:
    before = (AuditEntry.objects.count(), OutboxEvent.objects.count())
    with planning() as plan:
        webspace(admin, alice)
    assert [change.object_name for change in plan.changes] == ["bakery.example"]
    assert not Site.objects.exists()
    assert before == (AuditEntry.objects.count(), OutboxEvent.objects.count())


def test_a_suspended_owner_suspends_what_is_created_below(admin: Actor, alice: Actor, webspace: MakeWebspace) -> None:
    Account.objects.filter(pk=alice.account_id).update(status=16)
    made = webspace(admin, alice)
    assert made.site.status == 2
    assert create_site(admin, NewSite("cakes.example", webspace_id=made.pk)).status == 2


def test_odd_status_is_refused(admin: Actor, alice: Actor, webspace: MakeWebspace) -> None:
    for value in (1, 2, 8, 256, 272, 48):
        with pytest.raises(WrongStatus):
            webspace(admin, alice, status=value)


def test_a_customer_changes_its_own_data_alone(admin: Actor, alice: Actor, charlie: Actor) -> None:
    update_customer(alice, alice.account_id, CustomerChanges(contact={"city": "Porto"}, password="Other-4-All"))
    assert Account.objects.get(pk=alice.account_id).city == "Porto"
    with pytest.raises(NotAllowed):
        update_customer(alice, alice.account_id, CustomerChanges(contact={"external_id": "x"}))
    with pytest.raises(NotFound):
        update_customer(charlie, alice.account_id, CustomerChanges(contact={"city": "Porto"}))
    assert events()[-1] == (
        "client_update",
        {
            "old_login_name": "alice", "new_login_name": "alice", "old_contact_name": "alice",
            "new_contact_name": "alice", "new_city": "Porto",
        },
    )  # fmt: skip
