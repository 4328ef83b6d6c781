"""Alice and Bob are customers with a site each, Rita is Alice's reseller, Charlie is a stranger without any."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from innkeeper.accounts.models import Account
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.hosting.models import WebspaceLimit
from tests.people import make_account, make_site


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


def actor(account: Account) -> Actor:
    return Actor(ActorKind(account.kind), account.pk, account.login, "192.0.2.1")


def make_world() -> World:
    admin = make_account("admin", "admin")
    rita = make_account("rita", "reseller", owner=admin)
    alice = make_account("alice", owner=rita)
    bob = make_account("bob", owner=admin)
    charlie = make_account("charlie", owner=admin)
    return World(
        actor(admin), actor(rita), actor(alice), actor(bob), actor(charlie),
        make_site(alice, "alice.example").pk, make_site(bob, "bob.example").pk,
    )  # fmt: skip


@pytest.fixture
def world(db: None) -> World:
    return make_world()


def mail_user(account_id: int) -> Actor:
    return Actor(ActorKind.MAIL_USER, account_id, "sales@alice.example", "192.0.2.1")
