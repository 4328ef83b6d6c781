from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from innkeeper.accounts.authentication import (
    FAILURE_MEMORY,
    FAILURES_BEFORE_LOCK,
    authenticate_key,
    authenticate_password,
    count_failure,
    key_hash,
)
from innkeeper.accounts.models import Account, LoginFailure, SecretKey
from innkeeper.accounts.operations import create_administrator
from innkeeper.core.actor import ActorKind, Door
from innkeeper.core.errors import AccountDisabled, AuthenticationFailed, KeyRefused, LoginLocked, NotAllowed
from innkeeper.core.passwords import hash_login

pytestmark = pytest.mark.django_db
HOME = "127.0.0.1"


@pytest.fixture
def alice() -> Account:
    return Account.objects.create(
        kind="customer", login="Alice", password=hash_login("Bread-4-All"), contact_name="Alice",
        created_at=timezone.now(),
    )  # fmt: skip


def test_the_administrator_is_created_once() -> None:
    assert create_administrator("first-Secret")
    assert not create_administrator("second-Secret")
    actor = authenticate_password("admin", "first-Secret", HOME, Door.XML)
    assert actor.kind is ActorKind.ADMINISTRATOR


def test_login_is_compared_without_case(alice: Account) -> None:
    assert authenticate_password("aLICE", "Bread-4-All", HOME, Door.XML).account_id == alice.pk


def test_unknown_login_and_wrong_password_answer_alike(alice: Account) -> None:
    with pytest.raises(AuthenticationFailed) as unknown:
        authenticate_password("nobody", "Bread-4-All", HOME, Door.XML)
    with pytest.raises(AuthenticationFailed) as wrong:
        authenticate_password("alice", "Bread-5-All", HOME, Door.XML)
    assert unknown.value.message == wrong.value.message


def test_a_changed_password_forgets_the_remembered_one(alice: Account) -> None:
    authenticate_password("alice", "Bread-4-All", HOME, Door.XML)
    alice.password = hash_login("Other-4-All")
    alice.save()
    with pytest.raises(AuthenticationFailed):
        authenticate_password("alice", "Bread-4-All", HOME, Door.XML)


def test_a_lock_never_reaches_another_address(alice: Account) -> None:
    for _ in range(FAILURES_BEFORE_LOCK):
        with pytest.raises(AuthenticationFailed):
            authenticate_password("alice", "wrong-Guess", "127.0.0.9", Door.XML)
    with pytest.raises(LoginLocked):
        authenticate_password("alice", "Bread-4-All", "127.0.0.9", Door.XML)
    authenticate_password("alice", "Bread-4-All", HOME, Door.XML)


def test_failures_count_for_half_an_hour_and_a_lock_ends_with_them() -> None:
    def fail(times: int) -> bool:
        """Whether the login is locked after so many failures more."""
        for _ in range(times):
            count_failure("alice", HOME)
        return LoginFailure.objects.filter(locked_until__gt=timezone.now()).exists()

    assert not fail(FAILURES_BEFORE_LOCK - 1)
    LoginFailure.objects.update(last_at=timezone.now() - FAILURE_MEMORY - timedelta(seconds=1))
    assert not fail(FAILURES_BEFORE_LOCK - 1)
    assert fail(1)
    LoginFailure.objects.update(locked_until=timezone.now())
    assert not fail(FAILURES_BEFORE_LOCK - 1), "it begins anew"
    assert fail(1)


def test_a_suspended_account_is_told_so_only_with_its_password(alice: Account) -> None:
    Account.objects.update(status=16)
    with pytest.raises(AccountDisabled):
        authenticate_password("alice", "Bread-4-All", HOME, Door.XML)
    with pytest.raises(AuthenticationFailed):
        authenticate_password("alice", "wrong-Guess", HOME, Door.XML)


def test_api_access_binds_the_xml_door_alone(alice: Account) -> None:
    Account.objects.update(may_use_api=False)
    with pytest.raises(NotAllowed):
        authenticate_password("alice", "Bread-4-All", HOME, Door.XML)
    authenticate_password("alice", "Bread-4-All", HOME, Door.PANEL)


def test_a_key_works_from_its_addresses_only(alice: Account) -> None:
    SecretKey.objects.create(
        key_hash=key_hash("k" * 36), account=alice, addresses="127.0.0.2,::1", created_at=timezone.now()
    )
    assert authenticate_key("k" * 36, "127.0.0.2").account_id == alice.pk
    assert authenticate_key("k" * 36, "0:0:0:0:0:0:0:1").account_id == alice.pk
    for key, address in (("k" * 36, HOME), ("j" * 36, "127.0.0.2"), ("k" * 36, "")):
        with pytest.raises(KeyRefused):
            authenticate_key(key, address)
