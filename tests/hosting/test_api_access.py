"""The permission to use the XML API, which stands on webspaces, binds their owner."""

from __future__ import annotations

from importlib import import_module

from django.apps import apps
from hosting_records import MakeWebspace

from innkeeper.accounts.models import Account
from innkeeper.core.actor import Actor
from innkeeper.hosting.operations import remove_webspace, update_webspace
from innkeeper.hosting.requests import Entitlements, WebspaceChanges

CLOSED = Entitlements(permissions={"remote_access_interface": "false"})
OPEN = Entitlements(permissions={"remote_access_interface": "true"})


def may_use_api(actor: Actor) -> bool:
    return Account.objects.get(pk=actor.account_id).may_use_api


def test_the_permission_binds_the_owner_and_one_webspace_that_has_it_is_enough(
    admin: Actor, alice: Actor, webspace: MakeWebspace
) -> None:
    assert may_use_api(alice)
    closed = webspace(admin, alice, "closed.example", entitlements=CLOSED)
    assert not may_use_api(alice)
    second = webspace(admin, alice, "second.example")
    assert may_use_api(alice)
    update_webspace(admin, second.pk, WebspaceChanges(entitlements=Entitlements(revoke_permissions=True)))
    assert not may_use_api(alice)
    update_webspace(admin, closed.pk, WebspaceChanges(entitlements=OPEN))
    assert may_use_api(alice)


def test_access_moves_with_webspaces_and_stays_without_any(
    admin: Actor, alice: Actor, charlie: Actor, rita: Actor, webspace: MakeWebspace
) -> None:
    made = webspace(admin, alice, entitlements=CLOSED)
    update_webspace(admin, made.pk, WebspaceChanges(owner_id=charlie.account_id))
    assert [may_use_api(alice), may_use_api(charlie)] == [True, False]
    update_webspace(admin, made.pk, WebspaceChanges(owner_id=rita.account_id))
    assert [may_use_api(charlie), may_use_api(rita)] == [True, True]
    update_webspace(admin, made.pk, WebspaceChanges(owner_id=alice.account_id))
    remove_webspace(admin, made.pk)
    assert may_use_api(alice)


def test_an_upgrade_settles_what_was_stored_before(
    admin: Actor, alice: Actor, charlie: Actor, rita: Actor, webspace: MakeWebspace
) -> None:
    webspace(admin, alice, "a.example", entitlements=CLOSED)
    webspace(admin, charlie, "b.example", entitlements=CLOSED)
    webspace(admin, charlie, "c.example")
    webspace(admin, rita, "d.example", entitlements=CLOSED)
    Account.objects.update(may_use_api=True)
    import_module("innkeeper.hosting.migrations.0005_api_access").settle(apps, None)
    assert [may_use_api(each) for each in (admin, alice, charlie, rita)] == [True, False, True, True]
