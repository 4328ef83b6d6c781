"""Brings users and trees of hosting accounts on the machine in line with the rows, however far somebody came before.

A row that says what was asked for is written before hostd is asked, and marked or removed after it did it: whatever a
crash leaves is asked for again. Each step by hostd can be repeated.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django_tasks import task

from innkeeper.core.serversettings import read_setting
from innkeeper.hostd.client import Client
from innkeeper.hostd.file_client import FileRefusedError, Files
from innkeeper.hostd.file_requests import HostingOf
from innkeeper.hostd.hosting_accounts import Spec
from innkeeper.hosting.models import PlacedTree, PlacedUser, Site, Webspace
from innkeeper.hosting.placement import RETENTION, hosting_accounts, system_users
from innkeeper.jobs.backend import HOSTING
from innkeeper.jobs.services import services

logger = logging.getLogger("innkeeper.jobs")

WEBSPACES_BATCH = 200
ASK_AGAIN = timedelta(seconds=5)


@task(queue_name=HOSTING, lease_s=1_800, tries=12, joined=WEBSPACES_BATCH)
def place_hosting_task(webspace_ids: list[int]) -> None:
    """Converge these webspaces. Raises RuntimeError where something could not be done; the rest is done."""
    converge(services(), sorted(set(webspace_ids)))


@task(queue_name=HOSTING, lease_s=3_600)
def place_all_hosting() -> None:
    """Converge every webspace where the machine was asked for something else than the rows mean."""
    hostd = services()
    failed = []
    for ids in _all_webspaces():
        try:
            converge(hostd, ids)
        except RuntimeError as error:
            failed.append(str(error))
    if failed:
        raise RuntimeError("; ".join(failed))


@task(queue_name=HOSTING, lease_s=60, tries=12)
def make_home_task(webspace_id: int, home: str) -> None:
    """Make the folder of an FTP account, as the owner of the webspace: what the kernel refuses him is not made.

    It is tried again while the webspace's tree is not there yet. Raises FileRefusedError.
    """
    site = Site.objects.filter(pk=webspace_id).first()
    if site is None:
        return
    files = Files(services(), HostingOf(webspace_id, site.ascii_name))
    names = home.split("/")
    for depth in range(1, len(names) + 1):
        try:
            files.make_folder(tuple(names[:depth]))
        except FileRefusedError as refusal:
            if refusal.code != "exists":
                raise


@task(queue_name=HOSTING, lease_s=1_800, tries=12)
def restore_tree_task(webspace_id: int, key: str, grave: str) -> None:
    """Put what lies in a grave in the place of what an account has."""
    spec = next((spec for spec in hosting_accounts([webspace_id]) if spec.key == key), None)
    if spec is not None and services().restore_tree(spec, grave) is not None:
        restore_tree_task.using(run_after=timezone.now() + ASK_AGAIN).enqueue(webspace_id, key, grave)


@task(queue_name=HOSTING, lease_s=3_600)
def empty_tree_graves() -> None:
    """Delete the trees of accounts that were removed some days ago."""
    hostd = services()
    while hostd.empty_tree_grave(int(read_setting(RETENTION)) * 86_400):
        pass


def _all_webspaces() -> Iterator[list[int]]:
    """The ids of all webspaces, and of those that are gone and left something."""
    ids = set(Webspace.objects.values_list("pk", flat=True))
    for model in (PlacedUser, PlacedTree):
        ids.update(model.objects.values_list("webspace_id", flat=True).distinct())
    ordered = sorted(ids)
    for start in range(0, len(ordered), WEBSPACES_BATCH):
        yield ordered[start : start + WEBSPACES_BATCH]


@dataclass(slots=True)
class _State:
    """What is wanted of some webspaces, and what was asked for before."""

    specs: dict[str, Spec]
    users: dict[str, int]
    placed: dict[str, tuple[Spec, bool]]
    placed_users: dict[str, bool]


def converge(hostd: Client, webspace_ids: list[int]) -> None:
    """Make, move and remove what differs. Raises RuntimeError that names what could not be done; the rest is done."""
    state = _note(webspace_ids)
    waiting = [key for key in state.users if not state.placed_users.get(key)]
    if waiting:
        hostd.ensure_users(waiting)
        PlacedUser.objects.filter(key__in=waiting).update(is_done=True)
    failed = _bury(hostd, state)
    made, running = _move_and_make(hostd, state)
    failed |= made
    if running:
        logger.info(
            "rules are still being applied: %s", ", ".join(f"{key} ({n} objects)" for key, n in running.items())
        )
        again = sorted({state.specs[key].webspace for key in running})
        place_hosting_task.using(run_after=timezone.now() + ASK_AGAIN).enqueue(again)
    # A user whose tree is still there keeps his name until that is buried.
    kept = {key for gone in failed if gone in state.placed for key in state.placed[gone][0].user_keys.values()}
    unused = [key for key in state.placed_users if key not in state.users and key not in kept]
    if unused:
        hostd.remove_users(unused)
        PlacedUser.objects.filter(key__in=unused).delete()
    if failed:
        raise RuntimeError("; ".join(f"{key}: {text}" for key, text in sorted(failed.items())))


def _note(webspace_ids: list[int]) -> _State:
    """Write down what will be asked for, and read what was before."""
    with transaction.atomic():
        specs = {spec.key: spec for spec in hosting_accounts(webspace_ids)}
        users = system_users(specs.values(), webspace_ids)
        placed = {
            row.key: (Spec(**json.loads(row.wanted_as)), row.is_done)
            for row in PlacedTree.objects.filter(webspace_id__in=webspace_ids)
        }
        placed_users = dict(PlacedUser.objects.filter(webspace_id__in=webspace_ids).values_list("key", "is_done"))
        PlacedUser.objects.bulk_create(
            [PlacedUser(key=key, webspace_id=owner) for key, owner in users.items() if key not in placed_users]
        )
        PlacedTree.objects.bulk_create(
            [
                PlacedTree(key=key, webspace_id=spec.webspace, wanted_as=_text(spec))
                for key, spec in specs.items()
                if key not in placed
            ]
        )
    return _State(specs, users, placed, placed_users)


def _bury(hostd: Client, state: _State) -> dict[str, str]:
    """Take away what is gone: domains last, so that what lies in them has graves of its own and can be restored."""
    gone = [spec for key, (spec, _) in state.placed.items() if key not in state.specs]
    if not gone:
        return {}
    places = []
    for spec in gone:
        if spec.kind == "domain":
            continue
        places.append(spec)
        # Its domain may have been moved since, by a run that did not come to its end.
        domain = state.specs.get(f"s{spec.site}")
        if domain is not None and domain.domain != spec.domain:
            places.append(dataclasses.replace(spec, domain=domain.domain))
    failed = hostd.bury_trees(places) if places else {}
    kept = {spec.site for spec in gone if spec.key in failed}
    domains = [spec for spec in gone if spec.kind == "domain"]
    failed |= {spec.key: "Something in it could not be taken away." for spec in domains if spec.site in kept}
    if going := [spec for spec in domains if spec.site not in kept]:
        failed |= hostd.bury_trees(going)
    PlacedTree.objects.filter(key__in=[spec.key for spec in gone if spec.key not in failed]).delete()
    return failed


def _move_and_make(hostd: Client, state: _State) -> tuple[dict[str, str], dict[str, int]]:
    """What failed, and what goes on."""
    moved = [(spec, state.placed[key][0]) for key, spec in state.specs.items() if _has_moved(state, spec)]
    failed = hostd.move_trees([pair for pair in moved if pair[0].kind == "domain"])
    # What lies in a domain has come along with it.
    below = [(new, dataclasses.replace(old, domain=new.domain)) for new, old in moved if new.kind == "subdomain"]
    failed |= hostd.move_trees([(new, old) for new, old in below if new.folder != old.folder])
    changed = [spec for key, spec in state.specs.items() if state.placed.get(key) != (spec, True)]
    made = [spec for spec in changed if spec.key not in failed]
    answer = hostd.ensure_trees(made)
    failed |= answer.failed
    done = [spec for spec in made if spec.key not in failed and spec.key not in answer.running]
    rows = [PlacedTree(key=spec.key, wanted_as=_text(spec), is_done=True) for spec in done]
    PlacedTree.objects.bulk_update(rows, ["wanted_as", "is_done"], batch_size=200)
    return failed, answer.running


def _has_moved(state: _State, spec: Spec) -> bool:
    return spec.key in state.placed and state.placed[spec.key][0].folder != spec.folder


def _text(spec: Spec) -> str:
    return json.dumps(dataclasses.asdict(spec), separators=(",", ":"))
