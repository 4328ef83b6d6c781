"""Alice and Bob are customers with a site each, Rita is Alice's reseller, Charlie is a stranger without any."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.utils import timezone

from innkeeper.accounts.models import Account
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.hosting.models import Site, Webspace, WebspaceLimit
from innkeeper.mail.models import MailService


@dataclass(frozen=True)
class World:
    """Two sites, their owners, and everybody who might act on them."""

    admin: Actor
    rita: Actor
    alice: Actor
    bob: Actor
    charlie: Actor
    alice_site: int
    bob_site: int

    def limit(self, name: str, value: int) -> None:
        """Give Alice's webspace a limit."""
        WebspaceLimit.objects.create(webspace_id=self.alice_site, name=name, value=value)


def make_account(login: str, kind: str, owner: Account | None = None) -> Account:
    return Account.objects.create(
        login=login, kind=kind, owner=owner, contact_name=login, password="!", created_at=timezone.now()
    )


def actor(account: Account) -> Actor:
    return Actor(ActorKind(account.kind), account.pk, account.login, "192.0.2.1")


def make_site(name: str, owner: Account) -> int:
    site = Site.objects.create(name=name, ascii_name=name.encode("idna").decode(), created_at=timezone.now())
    Webspace.objects.create(site=site, owner=owner)
    Site.objects.filter(pk=site.pk).update(webspace_id=site.pk)
    MailService.objects.create(
        site=site, domain_key=f"@{site.ascii_name}", bounce_address=f"site-{site.pk}@bounce.invalid"
    )
    return site.pk


def make_world() -> World:
    admin = make_account("admin", "admin")
    rita = make_account("rita", "reseller", admin)
    alice = make_account("alice", "customer", rita)
    bob = make_account("bob", "customer", admin)
    charlie = make_account("charlie", "customer", admin)
    return World(
        actor(admin), actor(rita), actor(alice), actor(bob), actor(charlie),
        make_site("alice.example", alice), make_site("bob.example", bob),
    )  # fmt: skip


@pytest.fixture
def world(db: None) -> World:
    return make_world()


def mail_user(account_id: int) -> Actor:
    return Actor(ActorKind.MAIL_USER, account_id, "sales@alice.example", "192.0.2.1")
