"""A webspace's last day."""

from __future__ import annotations

import time

from hosting_records import MakeWebspace, column, events

from innkeeper.core.actor import Actor
from innkeeper.hosting.models import Site, Webspace, WebspaceLimit
from innkeeper.hosting.operations import create_site, expire_webspaces, update_webspace
from innkeeper.hosting.requests import Entitlements, NewSite, WebspaceChanges

DAY = 86_400


def until(admin: Actor, space: Webspace, moment: int) -> None:
    changes = WebspaceChanges(entitlements=Entitlements(limits={"expiration": str(moment)}))
    update_webspace(admin, space.pk, changes)


def statuses() -> dict[str, int]:
    return dict(Site.objects.values_list("name", "status"))


def test_a_webspace_is_suspended_at_its_date_with_its_sites_and_comes_back_when_the_date_moves(
    admin: Actor, alice: Actor, webspace: MakeWebspace
) -> None:
    bakery, other = webspace(admin, alice), webspace(admin, alice, "other.example")
    create_site(alice, NewSite(name="cakes.example", webspace_id=bakery.pk))
    now = int(time.time())
    for space in (bakery, other):
        until(admin, space, now + DAY)
    assert expire_webspaces(admin) == 0
    WebspaceLimit.objects.filter(webspace=bakery).update(value=now - 1)
    assert expire_webspaces(admin) == 1
    assert statuses() == {"bakery.example": 256, "cakes.example": 2, "other.example": 0}
    assert column("svc_mail_domain", "name") == ["other.example"]
    name, parameters = events()[-1]
    assert name == "domain_status_update"
    assert (parameters["old_domain_name"], parameters["new_status"]) == ("bakery.example", "256")
    assert expire_webspaces(admin) == 0, "once"
    until(admin, bakery, now + DAY)
    assert statuses() == {"bakery.example": 0, "cakes.example": 0, "other.example": 0}


def test_a_limit_in_the_past_acts_at_once_and_another_suspension_stays(
    admin: Actor, alice: Actor, webspace: MakeWebspace
) -> None:
    space = webspace(admin, alice)
    update_webspace(admin, space.pk, WebspaceChanges(status=16))
    until(admin, space, 1)
    assert statuses() == {"bakery.example": 256 | 16}
    update_webspace(admin, space.pk, WebspaceChanges(status=0))
    assert statuses() == {"bakery.example": 256}, "its time is still over"
    WebspaceLimit.objects.all().delete()
    assert expire_webspaces(admin) == 1
    assert statuses() == {"bakery.example": 0}


def test_no_date_and_all_limits_at_nothing_are_no_last_day(admin: Actor, alice: Actor, webspace: MakeWebspace) -> None:
    space = webspace(admin, alice)
    update_webspace(admin, space.pk, WebspaceChanges(entitlements=Entitlements(limits_to_zero=True)))
    until(admin, webspace(admin, alice, "other.example"), -1)
    assert expire_webspaces(admin) == 0
    assert set(statuses().values()) == {0}
