"""The page of files of removed sites, subdomains and web users."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from innkeeper.accounts.models import Account
from innkeeper.hostd.hosting_accounts import Kind, Spec
from innkeeper.hosting.models import Site, WebUser
from innkeeper.hosting.operations import trees
from innkeeper.jobs.models import Job
from tests.jobs.test_hosting_jobs import Machine

LogIn = Callable[..., Client]
PAGE = "/files/removed/"
OLD = Spec("domain", 900, 900, 900, "example.test")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Where an earlier example.test was removed with a subdomain and two web users, and two other domains too."""
    machine = Machine(tmp_path / "vhosts")
    monkeypatch.setattr(trees, "services", lambda: machine)
    names: tuple[tuple[Kind, str], ...] = (("subdomain", "shop"), ("webuser", "petr"), ("webuser", "olga"))
    within = [Spec(kind, 901 + number, 900, 900, OLD.domain, name) for number, (kind, name) in enumerate(names)]
    gone = [*within, OLD, Spec("domain", 7, 7, 7, "other.test"), Spec("domain", 8, 8, 8, "xn--bcher-kva.test")]
    machine.ensure_trees(gone[::-1])
    assert machine.bury_trees(gone) == {}
    return machine


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def test_files_come_back_to_what_has_the_place_now(machine: Machine, site: Site, log_in: LogIn) -> None:
    client = log_in("admin")
    Site.objects.filter(pk=site.pk).update(hosting_type=Site.Hosting.VIRTUAL)
    WebUser.objects.create(site=site, login="petr", created_at=timezone.now())
    text = text_of(client.get(PAGE))
    assert all(name in text for name in ("shop.example.test", "petr@example.test", "olga@example.test", "other.test"))
    assert text.count('name="grave"') == 2 and text.count("Create it again") == 4
    assert text_of(client.get(PAGE, {"q": "Other"})).count("plain-row") == 1
    assert '<th scope="row">bücher.test</th>' in text_of(client.get(PAGE, {"q": "BÜCHER"}))
    assert "Nothing removed matches" in text_of(client.get(PAGE, {"q": "nobody"}))
    grave = next(each.name for each in machine.graves() if each.account["id"] == 900)
    done = text_of(client.post(f"{PAGE}restore/", {"grave": grave}, follow=True))
    assert "The files of example.test, petr@example.test come back in a moment." in done
    assert "Not those of shop.example.test, olga@example.test: create them first" in done
    jobs = [json.loads(job.arguments)[0] for job in Job.objects.filter(task__endswith="restore_tree_task")]
    assert [key for _, key, _ in jobs] == [f"s{site.pk}", f"u{WebUser.objects.get().pk}"]
    for wrong in ("", "../x", next(each.name for each in machine.graves() if each.account["id"] == 7)):
        assert "nothing has their place" in text_of(client.post(f"{PAGE}restore/", {"grave": wrong}, follow=True))
    assert Job.objects.filter(task__endswith="restore_tree_task").count() == 2


def test_the_page_is_the_administrators(machine: Machine, alice: Account, log_in: LogIn) -> None:
    client = log_in("alice")
    assert (client.get(PAGE).status_code, client.post(f"{PAGE}restore/").status_code) == (403, 403)
    assert PAGE not in text_of(client.get("/settings/"))
    assert PAGE in text_of(log_in("admin").get("/settings/"))


def test_a_server_that_is_away_is_said_so(admin: Account, log_in: LogIn) -> None:
    assert "Try again in a moment" in text_of(log_in("admin").get(PAGE))
