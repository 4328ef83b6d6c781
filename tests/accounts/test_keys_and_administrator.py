from __future__ import annotations

import json

import pytest
from django.utils import timezone

from innkeeper.accounts.authentication import authenticate_key, authenticate_password
from innkeeper.accounts.models import Account, SecretKey
from innkeeper.accounts.operations import (
    AdministratorChanges,
    NewKey,
    create_administrator,
    create_key,
    remove_key,
    update_administrator,
)
from innkeeper.accounts.queries import find_key, visible_keys
from innkeeper.core.actor import Actor, ActorKind, Door
from innkeeper.core.errors import InvalidValue, KeyRefused, NotAllowed, NotFound, NotSupported
from innkeeper.core.models import AuditEntry, OutboxEvent
from innkeeper.core.serversettings import read_setting, session_idle_minutes

pytestmark = pytest.mark.django_db
HOME = "127.0.0.1"


@pytest.fixture
def admin() -> Actor:
    create_administrator("first-Secret")
    return authenticate_password("admin", "first-Secret", HOME, Door.XML)


@pytest.fixture
def alice(admin: Actor) -> Actor:
    account = Account.objects.create(kind="customer", login="alice", contact_name="Alice", created_at=timezone.now())
    return Actor(ActorKind.CUSTOMER, account.pk, "alice")


def test_a_key_is_shown_once_and_stored_nowhere(admin: Actor) -> None:
    key = create_key(admin, NewKey(description="billing"))
    assert authenticate_key(key, HOME).account_id == admin.account_id
    row = SecretKey.objects.get()
    assert key not in repr(row.__dict__) and key not in repr(list(AuditEntry.objects.values()))
    assert find_key(admin, key) == find_key(admin, str(row.pk)) == row
    remove_key(admin, key)
    with pytest.raises(KeyRefused):
        authenticate_key(key, HOME)
    with pytest.raises(NotFound):
        remove_key(admin, key)


def test_a_key_acts_for_its_login_from_its_address(admin: Actor, alice: Actor) -> None:
    key = create_key(admin, NewKey(address="192.0.2.77", login="ALICE"))
    assert authenticate_key(key, "192.0.2.77").login == "alice"
    with pytest.raises(KeyRefused):
        authenticate_key(key, HOME)


def test_keys_are_the_administrator_s_alone(admin: Actor, alice: Actor) -> None:
    key = create_key(admin, NewKey(login="alice"))
    assert not visible_keys(alice).exists()
    for refused in (lambda: create_key(alice, NewKey(address=HOME)), lambda: remove_key(alice, key)):
        with pytest.raises(NotAllowed):
            refused()


def test_bad_keys_are_refused(admin: Actor, alice: Actor) -> None:
    Account.objects.filter(pk=alice.account_id).update(status=16)
    with pytest.raises(InvalidValue):
        create_key(admin, NewKey(address="home"))
    with pytest.raises(InvalidValue):
        create_key(admin, NewKey(login="alice"))
    with pytest.raises(NotFound):
        create_key(admin, NewKey(login="nobody"))


def test_the_administrator_changes_contact_and_password(admin: Actor, alice: Actor) -> None:
    update_administrator(admin, AdministratorChanges(contact={"contact_name": "Ada"}, password="second-Secret"))
    authenticate_password("admin", "second-Secret", HOME, Door.XML)
    event = OutboxEvent.objects.get(event="admin_update")
    values = json.loads(event.parameters)
    assert (values["old_contact_name"], values["new_contact_name"]) == ("Administrator", "Ada")
    assert "Secret" not in event.parameters + repr(list(AuditEntry.objects.values()))
    with pytest.raises(InvalidValue):
        update_administrator(admin, AdministratorChanges(contact={"country": "XX"}))
    with pytest.raises(NotAllowed):
        update_administrator(alice, AdministratorChanges(password="third-Secret"))


def test_settings_of_the_server_have_bounds_and_an_event(admin: Actor, alice: Actor) -> None:
    assert session_idle_minutes() == 30
    update_administrator(admin, AdministratorChanges(), {"login_timeout": "15", "stat_ttl": "6"})
    assert (session_idle_minutes(), read_setting("stat_ttl")) == (15, "6")
    event = OutboxEvent.objects.get()
    assert (event.event, json.loads(event.parameters)) == (
        "session_preferences_update", {"old_session_idle_time": "30", "new_session_idle_time": "15"},
    )  # fmt: skip
    for name, value in (("login_timeout", "0"), ("traffic_accounting", "9"), ("smtp_tls", "maybe")):
        with pytest.raises(InvalidValue) as refused:
            update_administrator(admin, AdministratorChanges(), {name: value})
        assert refused.value.field == name
    with pytest.raises(NotSupported):
        update_administrator(admin, AdministratorChanges(), {"smtp_password": "hidden"})
    with pytest.raises(NotAllowed):
        update_administrator(alice, AdministratorChanges(), {"login_timeout": "15"})
