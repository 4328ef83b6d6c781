"""Hosting accounts on the machine: their system users, then their trees, then their rules."""

from __future__ import annotations

import dataclasses
import grp
import logging
import os
import pwd
import threading
import time
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from innkeeper.hostd import requests, security, trees
from innkeeper.hostd.hosting_accounts import HostingAccount, Spec, describe, group_name, user_id, user_name
from innkeeper.hostd.lanes import Lanes, Step, StillRunningError
from innkeeper.instance import passwd, users
from innkeeper.instance.config import Instance, InstanceError
from innkeeper.permissions.journal import JournalError
from innkeeper.permissions.rules.finding import RuleError
from innkeeper.permissions.server.history import MetadataError

PATIENCE_S, SHORTEST_S = 5.0, 0.1
"""How long a request waits for the rules of its trees, and at least for each: a tree of usual size takes less."""

FAILURES = (
    trees.TreeError,
    security.NotAppliedError,
    MetadataError,
    RuleError,
    JournalError,
    InstanceError,
    LookupError,
    OSError,
)
"""What goes wrong with one account, and keeps no other from what it needs."""

log = logging.getLogger("innkeeper.hostd")


class Accounts:
    """The hosting accounts of one instance. One request at a time changes them."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._lock = threading.Lock()
        self._lanes = Lanes(PATIENCE_S)

    def do(self, request: requests.HostingRequest) -> Any:
        """Do what was asked. Of trees, the answer tells what failed, by their keys: one never keeps the others."""
        vhosts = self._instance.vhosts
        failed: dict[str, str] = {}
        reached: list[Spec] = []
        with self._lock:
            match request:
                case requests.EnsureUsers(keys):
                    return self._ensure_users(keys)
                case requests.RemoveUsers(keys):
                    return self._remove_users(keys)
                case requests.EnsureTrees(accounts):
                    reached = [spec for spec in accounts if self._try(failed, spec, self._ensure_tree)]
                case requests.MoveTrees(moves):
                    return trees.move(vhosts, moves)
                case requests.BuryTrees(accounts):
                    reached = [spec for spec in accounts if self._try(failed, spec, self._bury_tree)]
        # What may take its time is done without the lock.
        match request:
            case requests.EnsureTrees():
                return self._apply_rules(reached, failed)
            case requests.BuryTrees():
                return self._forget_rules(reached, failed)
            case requests.EmptyTreeGrave(keep_s):
                return trees.empty_grave(vhosts, keep_s)
            case requests.Graves():
                return [dataclasses.asdict(grave) for grave in trees.graves_of(vhosts)]
            case requests.RestoreTree(account, grave):
                return self._restore(account, grave)

    def _ensure_users(self, keys: Iterable[str]) -> int:
        groups = {name: grp.getgrnam(name).gr_gid for name in self._instance.hosting_groups.values()}
        comment = users.comment_of(self._instance)
        return passwd.add(
            passwd.User(
                name=user_name(self._instance, key),
                uid=user_id(self._instance, key),
                gid=groups[group_name(self._instance, key)],
                comment=comment,
            )
            for key in keys
        )

    def _remove_users(self, keys: Iterable[str]) -> int:
        names = {user_name(self._instance, key) for key in keys}
        return passwd.remove(lambda *user: user[0] in names and users.is_hosting_user(self._instance, *user))

    def _apply_rules(self, specs: Iterable[Spec], failed: dict[str, str]) -> dict[str, Any]:
        """The rules of trees that are there; those of a domain's accounts together, which costs hardly more.

        Those of a large tree are still being applied when the answer is given, which tells how far they are.
        """
        running: dict[str, int] = {}
        until = time.monotonic() + PATIENCE_S
        for domain, group in groupby(specs, lambda spec: spec.domain):
            own = tuple(group)
            accounts = [describe(self._instance, spec) for spec in own]

            def apply(step: Step, accounts: list[HostingAccount] = accounts) -> None:
                security.instantiate(self._instance, *accounts, progress=step)

            try:
                self._lanes.do(domain, own, apply, max(SHORTEST_S, until - time.monotonic()))
            except StillRunningError as still:
                running |= dict.fromkeys((spec.key for spec in own), still.done)
            except FAILURES as error:
                log.error("the rules of %s were not applied", domain, exc_info=error)
                failed |= dict.fromkeys((spec.key for spec in own), f"{type(error).__name__}: {error}")
        self._sync()
        return {"failed": failed, "running": running}

    def _ensure_tree(self, spec: Spec) -> None:
        account = describe(self._instance, spec)
        groups = self._instance.hosting_groups
        owners = trees.Owners(
            user=pwd.getpwnam(account.users["DomainUser"]).pw_uid,
            servers=grp.getgrnam(groups["psaserv"]).gr_gid,
            customers=grp.getgrnam(groups["psacln"]).gr_gid,
        )
        trees.ensure(self._instance.vhosts, spec, owners)

    def _restore(self, spec: Spec, name: str) -> int | None:
        """Put back what lies in a grave, and apply the account's rules to it; how far that is while it goes on."""
        grave = next((one for one in trees.graves_of(self._instance.vhosts) if one.name == name), None)
        users = {}
        if grave is not None:
            old = Spec(**grave.account).user_keys
            users = {
                user_id(self._instance, old[tag]): user_id(self._instance, key)
                for tag, key in spec.user_keys.items()
                if tag in old
            }

        def work(step: Step) -> None:
            trees.restore(self._instance.vhosts, spec, name, users)
            security.instantiate(self._instance, describe(self._instance, spec), progress=step)

        try:
            self._lanes.do(spec.domain, ("restore", spec, name), work, PATIENCE_S)
        except StillRunningError as still:
            return still.done
        return None

    def _bury_tree(self, spec: Spec) -> None:
        trees.bury(self._instance.vhosts, spec)

    def _forget_rules(self, specs: Iterable[Spec], failed: dict[str, str]) -> dict[str, str]:
        """The rules of trees that are buried. While some are being applied to a domain, what lies in it waits."""
        until = time.monotonic() + PATIENCE_S
        for spec in specs:

            def forget(_step: Step, spec: Spec = spec) -> None:
                if trees.holder(self._instance.vhosts, spec) is None:  # else the rules there are a namesake's by now
                    security.remove_instance(self._instance, describe(self._instance, spec))

            try:
                self._lanes.do(spec.domain, ("gone", spec), forget, max(SHORTEST_S, until - time.monotonic()))
            except (StillRunningError, *FAILURES) as error:
                log.error("the rules of %s were not forgotten", spec.key, exc_info=error)
                failed[spec.key] = f"{type(error).__name__}: {error}"
        self._sync()
        return failed

    def _try(self, failed: dict[str, str], spec: Spec, action: Callable[[Spec], None]) -> bool:
        """Do it for one account, and note what went wrong."""
        try:
            action(spec)
        except FAILURES as error:
            log.exception("%s of %s failed", action.__name__.strip("_"), spec.key)
            failed[spec.key] = f"{type(error).__name__}: {error}"
        return spec.key not in failed

    def _sync(self) -> None:
        """The one who asked notes what is done: it must be there after a power cut too."""
        with trees.opened(self._instance.vhosts) as folder:
            os.fsync(folder)
