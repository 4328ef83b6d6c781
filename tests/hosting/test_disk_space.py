"""The event of a webspace that has used up its disk space."""

from __future__ import annotations

import pytest
from hosting_records import MakeWebspace, events

from innkeeper.core.actor import Actor
from innkeeper.hosting.models import Site, Webspace, WebspaceLimit
from innkeeper.hosting.operations import create_site, tell_reached_limits, update_webspace
from innkeeper.hosting.requests import Entitlements, NewSite, WebspaceChanges


def limited(admin: Actor, space: Webspace, to: int) -> None:
    changes = WebspaceChanges(entitlements=Entitlements(limits={"disk_space": str(to)}))
    update_webspace(admin, space.pk, changes)


def used(site: int, size: int) -> None:
    Site.objects.filter(pk=site).update(used_bytes=size)


def test_a_limit_is_told_once_when_the_sites_together_reach_it_and_again_after_they_fell_below_it(
    admin: Actor, alice: Actor, webspace: MakeWebspace
) -> None:
    bakery, other = webspace(admin, alice), webspace(admin, alice, "other.example")
    cakes = create_site(alice, NewSite(name="cakes.example", webspace_id=bakery.pk)).pk
    limited(admin, bakery, 1000)
    limited(admin, other, 1000)
    used(bakery.pk, 600)
    used(cakes, 399)
    assert tell_reached_limits(admin) == 0
    used(cakes, 400)
    assert tell_reached_limits(admin) == 1
    limit = {"maximum_disk_space": "1000", "maximum_traffic": "1000", "domain_name": "bakery.example"}
    both = {f"{side}_{name}": value for side in ("old", "new") for name, value in limit.items()}
    assert events()[-1] == ("domain_limit_size_reached", both)
    used(cakes, 5000)
    assert tell_reached_limits(admin) == 0, "once"
    used(cakes, 0)
    assert tell_reached_limits(admin) == 0
    used(cakes, 400)
    assert tell_reached_limits(admin) == 1, "again"


def test_a_limit_that_is_another_is_told_anew(admin: Actor, alice: Actor, webspace: MakeWebspace) -> None:
    bakery = webspace(admin, alice)
    used(bakery.pk, 500)
    limited(admin, bakery, 400)
    assert tell_reached_limits(admin) == 1
    limited(admin, bakery, 400)
    assert tell_reached_limits(admin) == 0
    limited(admin, bakery, 500)
    assert tell_reached_limits(admin) == 1
    assert events()[-1][1]["new_maximum_disk_space"] == "500"
    limited(admin, bakery, -1)
    assert tell_reached_limits(admin) == 0
    assert WebspaceLimit.objects.get(webspace=bakery, name="disk_space").told is None
    limited(admin, bakery, 500)
    assert tell_reached_limits(admin) == 1


@pytest.mark.parametrize(("limit", "size"), [(-1, 10**12), (0, 0), (None, 10**12)])
def test_no_limit_and_no_use_are_nothing_to_tell(
    admin: Actor, alice: Actor, webspace: MakeWebspace, limit: int | None, size: int
) -> None:
    bakery = webspace(admin, alice)
    used(bakery.pk, size)
    if limit is not None:
        limited(admin, bakery, limit)
    assert tell_reached_limits(admin) == 0


def test_other_limits_are_none_of_disk_space(admin: Actor, alice: Actor, webspace: MakeWebspace) -> None:
    bakery = webspace(admin, alice)
    used(bakery.pk, 10**6)
    update_webspace(admin, bakery.pk, WebspaceChanges(entitlements=Entitlements(limits={"max_box": "1"})))
    assert tell_reached_limits(admin) == 0
