"""Which folder and which system users a hosting account has."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from innkeeper.hostd.hosting_accounts import BIGGEST_ID, Spec, describe, group_name, user_id, user_name
from innkeeper.instance.config import HOSTING_IDS, Instance, InstanceError


@pytest.fixture
def instance() -> Instance:
    new = Instance.new(Path("/srv/inn"), environment=Path("/opt/innkeeper/env-x"))
    return dataclasses.replace(new, first_id=1_900_000_000)


def test_a_domain_is_its_webspaces_and_has_a_visitor_of_its_own(instance: Instance) -> None:
    account = describe(instance, Spec("domain", 19, 17, 19, "second.example"))
    assert account.root == instance.vhosts / "second.example"
    assert account.metadata == account.root / ".security"
    name = instance.name
    assert account.users == {
        "DomainUser": f"{name}-s17",
        "AnonymousDomainUser": f"{name}-s19-web",
        "FtpSubaccounts": f"{instance.group}-ftpsub",
        "PsaAdmin": instance.users.panel,
        "psaServer": f"{instance.group}-serv",
    }


def test_what_lies_in_a_domain_knows_its_parent(instance: Instance) -> None:
    web_user = describe(instance, Spec("webuser", 5, 17, 17, "first.example", "anna"))
    assert web_user.root == instance.vhosts / "first.example" / "web_users" / "anna"
    assert web_user.metadata == instance.vhosts / "first.example" / ".Web.anna.security"
    assert web_user.users["DomainUser"] == f"{instance.name}-u5"
    assert web_user.users["ParentUser"] == f"{instance.name}-s17"
    shared = describe(instance, Spec("subdomain", 20, 17, 17, "first.example", "shop"))
    assert shared.root == instance.vhosts / "first.example" / "subdomains" / "shop"
    assert shared.users["DomainUser"] == shared.users["ParentUser"] == f"{instance.name}-s17"
    native = describe(instance, Spec("subdomain", 20, 17, 17, "first.example", "shop", native=True))
    assert native.users["DomainUser"] == f"{instance.name}-d20"
    assert native.users["AnonymousDomainUser"] == f"{instance.name}-d20-web"
    assert native.users["AnonymousParentUser"] == f"{instance.name}-s17-web"


def test_every_user_has_a_number_of_its_own_in_the_range(instance: Instance) -> None:
    keys = [f"{kind}{number}" for kind in ("s", "u", "f") for number in (1, 2, 17, BIGGEST_ID)]
    keys += [f"s{number}-web" for number in (1, 2, 17, BIGGEST_ID)]
    numbers = [user_id(instance, key) for key in keys]
    assert len(set(numbers)) == len(keys)
    assert all(instance.first_id < number < instance.first_id + HOSTING_IDS for number in numbers)
    assert all(len(user_name(instance, key)) <= 32 for key in keys)
    assert group_name(instance, "f3") != group_name(instance, "u3") == group_name(instance, "s3-web")


@pytest.mark.parametrize("key", ["s0", "s01", "u5-web", "x1", "s1-webx", "s1\n", "root", "", f"s{BIGGEST_ID + 1}"])
def test_what_is_no_key_has_no_number(instance: Instance, key: str) -> None:
    with pytest.raises((ValueError, InstanceError)):
        user_id(instance, key)
