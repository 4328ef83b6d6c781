"""People and their webspaces: the administrator provides, Alice owns a bakery, Charlie is a stranger."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from hosting_records import MakeCustomer, MakeWebspace

from innkeeper.accounts.models import Account
from innkeeper.accounts.operations import NewCustomer, create_customer
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.hosting.models import Webspace
from innkeeper.hosting.operations import create_webspace
from innkeeper.hosting.requests import NewWebspace


@pytest.fixture
def admin(db: None) -> Actor:
    account = Account.objects.create(kind="admin", login="admin", contact_name="Admin", created_at=timezone.now())
    return Actor(ActorKind.ADMINISTRATOR, account.pk, "admin")


@pytest.fixture
def rita(admin: Actor) -> Actor:
    account = Account.objects.create(
        kind="reseller", login="rita", contact_name="Rita", owner_id=admin.account_id, created_at=timezone.now()
    )
    return Actor(ActorKind.RESELLER, account.pk, "rita")


@pytest.fixture
def customer() -> MakeCustomer:
    def make(actor: Actor, login: str, **changes: Any) -> Actor:
        values = {"login": login, "password": "Bread-4-All", "contact": {"contact_name": login}} | changes
        return Actor(ActorKind.CUSTOMER, create_customer(actor, NewCustomer(**values)).pk, login)

    return make


@pytest.fixture
def webspace() -> MakeWebspace:
    def make(actor: Actor, owner: Actor, name: str = "bakery.example", **changes: Any) -> Webspace:
        return create_webspace(actor, NewWebspace(name=name, owner_id=owner.account_id, **changes))

    return make


@pytest.fixture
def alice(admin: Actor, customer: MakeCustomer) -> Actor:
    return customer(admin, "alice")


@pytest.fixture
def charlie(admin: Actor, customer: MakeCustomer) -> Actor:
    return customer(admin, "charlie")
