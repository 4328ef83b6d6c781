"""Additional write permissions of a site, switched on the page of its files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from innkeeper.doors.panel.views.file_places import account_name
from innkeeper.hosting.models import Site
from innkeeper.hosting.queries import properties_of
from tests.hosted import Hosted, hosting_machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes a system user: run as root")


@pytest.fixture(scope="module")
def machine() -> Iterator[Hosted]:
    with hosting_machine() as machine:
        yield machine
    account_name.cache_clear()  # the next machine's user may have the same number


def test_write_permissions_are_switched_by_who_may_manage_hosting(
    machine: Hosted, site: Site, log_in: Callable[..., Client]
) -> None:
    Site.objects.filter(pk=site.pk).update(hosting_type=Site.Hosting.VIRTUAL)
    machine.tree(site.ascii_name)
    address = f"/files/{site.pk}/"
    admin, alice = log_in("admin"), log_in("alice")
    assert b"Additional write and modify permissions" in admin.get(address).content
    for value, wanted in (("1", "true"), ("", "false")):
        answer = admin.post(f"{address}hosting/", {"write_modify": value}, follow=True)
        assert answer.status_code == 200
        assert properties_of([site])[site.pk]["write_modify"] == wanted
        assert (b"checked" in answer.content.split(b'id="write-modify"')[1][:60]) == (wanted == "true")
    page = alice.get(address).content
    answer = alice.post(f"{address}hosting/", {"write_modify": "1"})
    may = b"Additional write and modify permissions" in page
    assert answer.status_code == (302 if may else 422)
    assert admin.get(f"{address}hosting/").status_code == 405
    assert admin.post("/files/999999/hosting/", {}).status_code == 404
