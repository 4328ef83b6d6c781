"""The machine follows the rows, whatever was done before and wherever a run was cut short."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from innkeeper.accounts.models import Account
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import NotFound
from innkeeper.core.models import AuditEntry
from innkeeper.hostd import trees
from innkeeper.hostd.client import Made
from innkeeper.hostd.hosting_accounts import Spec
from innkeeper.hosting.models import PlacedTree, PlacedUser, Site, WebUser
from innkeeper.hosting.operations import (
    create_ftp_account,
    create_site,
    create_web_user,
    create_webspace,
    remove_site,
    remove_web_user,
    remove_webspace,
    restore_files,
    update_site,
    update_webspace,
)
from innkeeper.hosting.operations import trees as operations_on_trees
from innkeeper.hosting.requests import (
    HostingSettings,
    NewFTPAccount,
    NewSite,
    NewWebspace,
    NewWebUser,
    SiteChanges,
    WebspaceChanges,
)
from innkeeper.jobs import hosting
from innkeeper.jobs.hosting import converge, place_all_hosting, place_hosting_task
from innkeeper.jobs.models import Job

VIRTUAL = HostingSettings("vrt_hst")


class CutShortError(Exception):
    """The run ends here, as by a kill."""


class Machine:
    """hostd's client without the process: real trees, users as a set. It can die before or after any of its steps."""

    def __init__(self, vhosts: Path) -> None:
        self.vhosts = vhosts
        self.users: set[str] = set()
        self.steps = 0
        self.dies_at: int | None = None
        self.refuses: set[str] = set()
        self.large: set[str] = set()
        for folder in (vhosts, vhosts / trees.MOVING, vhosts / trees.GRAVES):
            folder.mkdir()

    def _step(self, action: Callable[[], Any]) -> Any:
        self._point()
        result = action()
        self._point()
        return result

    def _point(self) -> None:
        if self.steps == self.dies_at:
            raise CutShortError
        self.steps += 1

    def ensure_users(self, keys: Sequence[str]) -> None:
        self._step(lambda: self.users.update(keys))

    def remove_users(self, keys: Sequence[str]) -> None:
        self._step(lambda: self.users.difference_update(keys))

    def _each(self, action: Callable[[Spec], Any], specs: Sequence[Spec]) -> dict[str, str]:
        failed = {}
        for spec in specs:
            try:
                if spec.key in self.refuses:
                    raise OSError("no space left")
                self._step(lambda: action(spec))  # noqa: B023 - called at once
            except (trees.TreeError, OSError) as error:
                failed[spec.key] = str(error)
        return failed

    def ensure_trees(self, accounts: Sequence[Spec]) -> Made:
        owners = trees.Owners(os.geteuid(), os.getegid(), os.getegid())
        failed = self._each(lambda spec: trees.ensure(self.vhosts, spec, owners), accounts)
        running = {spec.key: 1_024 for spec in accounts if spec.key in self.large and spec.key not in failed}
        return Made(failed, running)

    def bury_trees(self, accounts: Sequence[Spec]) -> dict[str, str]:
        return self._each(lambda spec: trees.bury(self.vhosts, spec), accounts)

    def move_trees(self, moves: Sequence[tuple[Spec, Spec]]) -> dict[str, str]:
        if not moves:
            return {}
        result: dict[str, str] = self._step(lambda: trees.move(self.vhosts, [trees.Move(*pair) for pair in moves]))
        return result

    def empty_tree_grave(self, keep_s: int) -> int:
        return trees.empty_grave(self.vhosts, keep_s)

    @property
    def accounts(self) -> dict[str, str]:
        """The key of each tree, by its folder; what is on its way included."""
        found = {}
        for mark in sorted(self.vhosts.rglob(".*account")):
            folder = mark.parent if mark.name == ".account" else mark.parent / mark.name[1 : -len(".account")]
            if trees.GRAVES not in folder.parts:
                found[str(folder.relative_to(self.vhosts))] = mark.read_text().strip()
        return found

    def graves(self) -> list[trees.Grave]:
        return trees.graves_of(self.vhosts)

    def restore_tree(self, account: Spec, grave: str) -> None:
        self._step(lambda: trees.restore(self.vhosts, account, grave, {}))

    @property
    def buried(self) -> list[str]:
        return sorted(path.name.partition("-")[0] for path in (self.vhosts / trees.GRAVES).iterdir() if path.is_dir())


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine(tmp_path / "vhosts")
    monkeypatch.setattr(hosting, "services", lambda: found)
    monkeypatch.setattr(operations_on_trees, "services", lambda: found)
    return found


@pytest.fixture
def admin(db: None) -> Actor:
    account = Account.objects.create(kind="admin", login="admin", contact_name="Admin", created_at=timezone.now())
    return Actor(ActorKind.ADMINISTRATOR, account.pk, "admin")


def webspace(admin: Actor, name: str, login: str) -> int:
    settings = HostingSettings("vrt_hst", {"ftp_login": login, "ftp_password": "Crumb-9-Tray"})
    return int(create_webspace(admin, NewWebspace(name, hosting=settings)).pk)


def test_a_webspace_is_placed_and_leaves_nothing_behind(admin: Actor, machine: Machine) -> None:
    pk = webspace(admin, "bakery.example", "bakery")
    petr = create_web_user(admin, NewWebUser(pk, "petr")).pk
    team = create_ftp_account(admin, NewFTPAccount(pk, "team", "Crumb-9-Tray")).pk
    shop = create_site(admin, NewSite("shop", parent_id=pk, hosting=VIRTUAL)).pk
    place_hosting_task.call([pk, pk])
    assert machine.accounts == {
        "bakery.example": f"s{pk}",
        "bakery.example/subdomains/shop": f"d{shop}",
        "bakery.example/web_users/petr": f"u{petr}",
    }
    assert machine.users == {f"s{pk}", f"s{pk}-web", f"u{petr}", f"f{team}"}
    steps = machine.steps
    place_hosting_task.call([pk])
    place_all_hosting.call()
    assert machine.steps == steps  # nothing is asked for twice

    update_webspace(admin, pk, WebspaceChanges(name="rolls.example"))
    place_hosting_task.call([pk])
    assert set(machine.accounts.values()) == {f"s{pk}", f"d{shop}", f"u{petr}"}
    assert "rolls.example/subdomains/shop" in machine.accounts
    remove_web_user(admin, petr)
    remove_site(admin, shop)
    place_hosting_task.call([pk])
    assert machine.accounts == {"rolls.example": f"s{pk}"}
    assert machine.buried == [f"d{shop}", f"u{petr}"]
    assert machine.users == {f"s{pk}", f"s{pk}-web", f"f{team}"}
    remove_webspace(admin, pk)
    place_all_hosting.call()
    assert machine.accounts == {} and machine.users == set()
    assert not PlacedTree.objects.exists() and not PlacedUser.objects.exists()
    hosting.empty_tree_graves.call()
    assert len(machine.buried) == 3  # they are kept for some days


def test_what_was_removed_with_a_domain_comes_back_with_it(
    admin: Actor, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(*users: str) -> int:
        pk = webspace(admin, "bakery.example", "bakery")
        for login in users:
            create_web_user(admin, NewWebUser(pk, login))
        for name in ("shop", "blog"):
            create_site(admin, NewSite(name, parent_id=pk, hosting=VIRTUAL))
        place_hosting_task.call([pk])
        return pk

    def pages() -> dict[str, str]:
        return {str(path.parent.relative_to(top)): path.read_text() for path in sorted(top.rglob("page"))}

    top = machine.vhosts / "bakery.example"
    old = make("petr", "olga", "anna")
    remove_web_user(admin, WebUser.objects.get(login="anna").pk)
    with monkeypatch.context() as patched:
        patched.setattr(time, "time_ns", lambda: 1_000_000_000 * 10**9)
        place_hosting_task.call([old])
    for folder in (
        "httpdocs",
        "subdomains/shop/httpdocs",
        "subdomains/blog/httpdocs",
        "web_users/petr",
        "web_users/olga",
    ):
        (top / folder / "page").write_text("old")
    remove_webspace(admin, old)
    place_hosting_task.call([old])
    new = make("petr", "anna")
    (top / "web_users/petr/page").write_text("new")
    remove_site(admin, Site.objects.get(name="blog.bakery.example").pk)
    place_hosting_task.call([new])
    Job.objects.all().delete()
    done = restore_files(admin, new, [f"s{new}"])
    assert done.tree.account.id == old
    assert [tree.folder for tree in done.along] == ["bakery.example/subdomains/shop", "bakery.example/web_users/petr"]
    assert [tree.folder for tree in done.waiting] == ["bakery.example/subdomains/blog", "bakery.example/web_users/olga"]
    assert AuditEntry.objects.filter(operation="site.restore").count() == 3
    for job in Job.objects.filter(task__endswith="restore_tree_task"):
        hosting.restore_tree_task.call(*json.loads(job.arguments)[0])
    # Anna's files went before the domain did, on purpose.
    assert pages() == {"httpdocs": "old", "subdomains/shop/httpdocs": "old", "web_users/petr": "old"}
    anna = WebUser.objects.get(login="anna").pk
    with pytest.raises(NotFound, match="No files of no-such"):
        restore_files(admin, new, [f"u{anna}"], "no-such")
    assert not restore_files(admin, new, [f"u{anna}"]).along


def test_a_domain_stays_until_what_lies_in_it_has_graves_of_its_own(admin: Actor, machine: Machine) -> None:
    pk = webspace(admin, "bakery.example", "bakery")
    shop = create_site(admin, NewSite("shop", parent_id=pk, hosting=VIRTUAL)).pk
    other = webspace(admin, "other.example", "other")
    place_hosting_task.call([pk, other])
    page = machine.vhosts / "bakery.example/subdomains/shop/httpdocs/page"
    page.write_text("old")
    machine.refuses = {f"d{shop}"}
    remove_webspace(admin, pk)
    remove_webspace(admin, other)
    with pytest.raises(RuntimeError, match="no space left"):
        place_hosting_task.call([pk, other])
    assert page.read_text() == "old"
    assert machine.buried == [f"s{other}"]
    machine.refuses = set()
    place_hosting_task.call([pk, other])
    assert machine.buried == sorted([f"d{shop}", f"s{other}", f"s{pk}"])
    assert not PlacedTree.objects.exists()


def test_hosting_that_ends_and_begins_again_begins_empty(admin: Actor, machine: Machine) -> None:
    pk = webspace(admin, "bakery.example", "bakery")
    place_hosting_task.call([pk])
    page = machine.vhosts / "bakery.example" / "httpdocs" / "index.html"
    page.write_text("rolls")
    update_webspace(admin, pk, WebspaceChanges(hosting=HostingSettings("std_fwd", url="http://a.example")))
    place_hosting_task.call([pk])
    assert (machine.accounts, machine.users) == ({}, set())
    settings = HostingSettings("vrt_hst", {"ftp_login": "bakery", "ftp_password": "Crumb-9-Tray"})
    update_webspace(admin, pk, WebspaceChanges(hosting=settings))
    place_hosting_task.call([pk])
    assert page.parent.exists() and not page.exists()


def test_what_fails_keeps_nobody_else_and_is_tried_again(admin: Actor, machine: Machine) -> None:
    first, second = webspace(admin, "a.example", "a-user"), webspace(admin, "b.example", "b-user")
    machine.refuses = {f"s{first}"}
    with pytest.raises(RuntimeError, match=f"s{first}: no space left"):
        place_hosting_task.call([first, second])
    assert machine.accounts == {"b.example": f"s{second}"}
    remove_webspace(admin, second)
    machine.refuses = {f"s{second}"}
    with pytest.raises(RuntimeError, match=f"s{second}: no space left"):
        place_all_hosting.call()
    assert f"s{second}" in machine.users  # whose tree is still there
    machine.refuses = set()
    place_all_hosting.call()
    assert machine.accounts == {"a.example": f"s{first}"}
    assert machine.users == {f"s{first}", f"s{first}-web"}


def test_what_takes_long_is_asked_for_again_and_keeps_nobody(admin: Actor, machine: Machine) -> None:
    first, second = webspace(admin, "a.example", "a-user"), webspace(admin, "b.example", "b-user")
    Job.objects.all().delete()
    machine.large = {f"s{first}"}
    place_hosting_task.call([first, second])
    assert set(PlacedTree.objects.filter(is_done=True).values_list("key", flat=True)) == {f"s{second}"}
    job = Job.objects.get()
    assert json.loads(job.arguments) == [[[first]], {}]
    assert job.due_at > timezone.now()
    job.delete()
    machine.large = set()
    place_hosting_task.call([first])
    assert PlacedTree.objects.filter(is_done=True).count() == 2
    assert not Job.objects.exists()


def test_a_run_that_was_cut_short_anywhere_is_finished_by_the_next(admin: Actor, machine: Machine) -> None:
    """Two domains swap their names while subdomains and web users come, go and are renamed, and the run dies on."""
    first, second = webspace(admin, "a.example", "a-user"), webspace(admin, "b.example", "b-user")
    for number in range(6):
        # Where the trees are is told by what is in them.
        old = [create_site(admin, NewSite(f"old{number}", parent_id=pk, hosting=VIRTUAL)).pk for pk in (first, second)]
        kept = create_site(admin, NewSite(f"kept{number}", parent_id=first, hosting=VIRTUAL)).pk
        petr = create_web_user(admin, NewWebUser(first, f"petr{number}")).pk
        machine.dies_at = None
        converge(machine, [first, second])  # type: ignore[arg-type]
        for pk in old:
            remove_site(admin, pk)
        remove_web_user(admin, petr)
        names = ("b.example", "a.example") if number % 2 == 0 else ("a.example", "b.example")
        update_webspace(admin, first, WebspaceChanges(name="on-its-way.example"))
        update_webspace(admin, second, WebspaceChanges(name=names[1]))
        update_webspace(admin, first, WebspaceChanges(name=names[0]))
        update_site(admin, kept, SiteChanges(name=f"new{number}.{names[0]}"))
        namesake = create_web_user(admin, NewWebUser(first, f"petr{number}")).pk
        machine.steps, machine.dies_at = 0, number * 3
        runs = 0
        while True:
            runs += 1
            try:
                converge(machine, [first, second])  # type: ignore[arg-type]
                break
            except CutShortError:
                machine.steps = 0
                machine.dies_at = (machine.dies_at or 0) + 1 + number
        assert runs > 1
        found = machine.accounts
        assert found[names[0]] == f"s{first}" and found[names[1]] == f"s{second}"
        assert found[f"{names[0]}/subdomains/new{number}"] == f"d{kept}"
        assert found[f"{names[0]}/web_users/petr{number}"] == f"u{namesake}"
        assert not {f"d{pk}" for pk in old} & set(found.values())
        assert f"u{petr}" not in found.values()
        assert {row.key for row in PlacedTree.objects.all()} == set(found.values())
        assert {row.key for row in PlacedUser.objects.all()} == machine.users
        assert not list((machine.vhosts / trees.MOVING).iterdir())
