"""Hosting accounts on the machine: their system users, then their trees, then their rules."""

from __future__ import annotations

import grp
import logging
import os
import pwd
import threading
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from innkeeper.hostd import requests, security, trees
from innkeeper.hostd.hosting_accounts import Spec, describe, group_name, user_id, user_name
from innkeeper.instance import passwd, users
from innkeeper.instance.config import Instance, InstanceError
from innkeeper.permissions.journal import JournalError
from innkeeper.permissions.rules.finding import RuleError
from innkeeper.permissions.server.history import MetadataError

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

    def do(self, request: requests.HostingRequest) -> Any:
        """Do what was asked. Of trees, the answer tells what failed, by their keys: one never keeps the others."""
        vhosts = self._instance.vhosts
        with self._lock:
            match request:
                case requests.EnsureUsers(keys):
                    return self._ensure_users(keys)
                case requests.RemoveUsers(keys):
                    return self._remove_users(keys)
                case requests.EnsureTrees(accounts):
                    return self._ensure_trees(accounts)
                case requests.MoveTrees(moves):
                    return trees.move(vhosts, moves)
                case requests.BuryTrees(accounts):
                    return self._bury_trees(accounts)
                case requests.EmptyTreeGrave(keep_s):
                    pass
        return trees.empty_grave(vhosts, keep_s)  # takes its time, and nobody else looks into graves

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

    def _ensure_trees(self, specs: Iterable[Spec]) -> dict[str, str]:
        """Each account's tree, then its rules; those of a domain's accounts together, which costs hardly more."""
        failed: dict[str, str] = {}
        for domain, group in groupby(specs, lambda spec: spec.domain):
            made = [spec for spec in group if self._try(failed, spec, self._ensure_tree)]
            accounts = [describe(self._instance, spec) for spec in made]
            try:
                security.instantiate(self._instance, *accounts)
            except FAILURES as error:
                log.exception("the rules of %s were not applied", domain)
                failed |= dict.fromkeys((spec.key for spec in made), f"{type(error).__name__}: {error}")
        self._sync()
        return failed

    def _ensure_tree(self, spec: Spec) -> None:
        account = describe(self._instance, spec)
        groups = self._instance.hosting_groups
        owners = trees.Owners(
            user=pwd.getpwnam(account.users["DomainUser"]).pw_uid,
            servers=grp.getgrnam(groups["psaserv"]).gr_gid,
            customers=grp.getgrnam(groups["psacln"]).gr_gid,
        )
        trees.ensure(self._instance.vhosts, spec, owners)

    def _bury_trees(self, specs: Iterable[Spec]) -> dict[str, str]:
        failed: dict[str, str] = {}
        for spec in specs:
            self._try(failed, spec, self._bury_tree)
        self._sync()
        return failed

    def _bury_tree(self, spec: Spec) -> None:
        trees.bury(self._instance.vhosts, spec)
        if trees.holder(self._instance.vhosts, spec) is None:  # else the rules there are a namesake's by now
            security.remove_instance(self._instance, describe(self._instance, spec))

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
