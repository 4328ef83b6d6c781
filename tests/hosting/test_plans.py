"""A plan says exactly what the operation then does, and does nothing itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.apps import apps
from hosting_records import MakeWebspace

from innkeeper.accounts.models import Account, SecretKey
from innkeeper.accounts.operations import (
    AdministratorChanges,
    CustomerChanges,
    NewCustomer,
    NewKey,
    create_customer,
    create_key,
    remove_customer,
    remove_key,
    update_administrator,
    update_customer,
)
from innkeeper.core import passwords
from innkeeper.core.actor import Actor
from innkeeper.core.models import AuditEntry
from innkeeper.core.operation import planning
from innkeeper.hosting.models import Site
from innkeeper.hosting.operations import (
    create_site,
    create_webspace,
    remove_site,
    remove_webspace,
    update_site,
    update_webspace,
)
from innkeeper.hosting.requests import (
    Entitlements,
    HostingSettings,
    NewSite,
    NewWebspace,
    SiteChanges,
    WebspaceChanges,
)
from innkeeper.mail.requests import Preferences as MailPreferences
from innkeeper.network.operations import (
    AddressChanges,
    NewAddress,
    create_address,
    remove_address,
    update_address,
)

HOSTING = HostingSettings("vrt_hst", {"ftp_login": "bakery", "ftp_password": "Crumb-9-Tray"})


def number(name: str) -> int:
    return Site.objects.get(name=name).pk


# Each after what those before it left.
OPERATIONS: list[Callable[[Actor], object]] = [
    lambda admin: create_customer(
        admin, NewCustomer(login="bob", password="Bread-4-All", contact={"contact_name": "Bob"})
    ),
    lambda admin: create_webspace(
        admin,
        NewWebspace(
            "bob.example",
            owner_id=Account.objects.get(login="bob").pk,
            hosting=HOSTING,
            entitlements=Entitlements(limits={"max_box": "5"}),
            mail=MailPreferences(enabled=False),
        ),
    ),
    lambda admin: create_site(admin, NewSite("cakes.example", webspace_id=number("bob.example"))),
    lambda admin: create_site(admin, NewSite("shop", parent_id=number("cakes.example"))),
    lambda admin: update_site(admin, number("cakes.example"), SiteChanges(name="tarts.example", status=64)),
    lambda admin: update_webspace(
        admin, number("bob.example"), WebspaceChanges(status=16, hosting=HostingSettings("none"), external_id="x")
    ),
    lambda admin: update_customer(
        admin, Account.objects.get(login="bob").pk, CustomerChanges(login="rob", password="Other-4-All", status=16)
    ),
    lambda admin: remove_site(admin, number("tarts.example")),
    lambda admin: remove_webspace(admin, number("bob.example")),
    lambda admin: remove_customer(admin, Account.objects.get(login="rob").pk),
    lambda admin: update_administrator(
        admin, AdministratorChanges(contact={"city": "Porto"}, password="Third-4-All"), {"stat_ttl": "5"}
    ),
    lambda admin: update_administrator(admin, AdministratorChanges(), {"login_timeout": "10"}),
    lambda admin: create_key(admin, NewKey(address="192.0.2.7")),
    lambda admin: remove_key(admin, str(SecretKey.objects.get().pk)),
    lambda admin: create_address(admin, NewAddress("192.0.2.11", "24", "shared", "lo")),
    lambda admin: create_address(admin, NewAddress("192.0.2.12", "24", "shared", "lo")),
    lambda admin: update_address(admin, "192.0.2.12", AddressChanges(type="exclusive")),
    lambda admin: remove_address(admin, "192.0.2.12"),
]


def rows() -> dict[str, list[dict[str, object]]]:
    """Every row of every table."""
    models = [model for model in apps.get_models() if model._meta.managed]
    return {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in models}


@pytest.mark.django_db
def test_every_operation_does_what_its_plan_says(
    admin: Actor, alice: Actor, webspace: MakeWebspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    webspace(admin, alice)
    for operation in OPERATIONS:
        before, last = rows(), AuditEntry.objects.order_by("pk").last()
        with monkeypatch.context() as patch, planning() as plan:
            for name in ("hash_login", "hash_mail"):
                patch.setattr(passwords, name, lambda *_: pytest.fail("a plan hashed"))
            operation(admin)
        assert rows() == before
        operation(admin)
        assert last is not None
        recorded = AuditEntry.objects.filter(pk__gt=last.pk)
        done = [(row.operation, row.object_type, row.object_name, row.detail) for row in recorded]
        planned = [(c.operation, c.object_type, c.object_name, c.detail) for c in plan.changes]
        assert sorted(planned) == sorted(done) != []
