"""Mail accounts by their addresses."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, replace
from datetime import date
from typing import Any

from django.db import transaction

from innkeeper.core import names
from innkeeper.core.actor import Actor
from innkeeper.core.errors import InvalidValue, Malformed
from innkeeper.core.serversettings import read_setting
from innkeeper.doors.cli.handlers import Handler, Request, Result
from innkeeper.hosting.models import Site
from innkeeper.hosting.queries import find_site, visible_sites
from innkeeper.mail import operations as mail
from innkeeper.mail.operations import UNSET, Mode
from innkeeper.mail.queries import AccountInfo, Part, account_infos
from innkeeper.mail.queries import preferences as site_preferences

EVERYTHING = Part.ALIASES | Part.RECIPIENTS | Part.GROUPS | Part.REPLIES | Part.FILES
LISTS = ("aliases", "redirect", "group", "groups", "files", "attachments")


def named_site(actor: Actor, text: str) -> Site:
    """The site of a name or an id."""
    if text.isascii() and text.isdigit():
        return find_site(actor, id=int(text))
    return find_site(actor, name=text)


def named_account(request: Request, argument: str = "address") -> tuple[Site, str]:
    """The site and the name of an address."""
    text = request.text(argument)
    name, at, domain = text.rpartition("@")
    if not at or not name or not domain:
        raise InvalidValue(f"{argument}: {text!r} is not an address. Write NAME@SITE.", field=argument)
    return named_site(request.actor, domain), name.lower()


def address(site: Site, name: str) -> str:
    """An account's address for people."""
    return f"{name}@{site.name}"


# ---- changes


def create(request: Request) -> Result:
    """Create one account."""
    site, name = named_account(request)
    steps = Asked(request, site, name).steps()
    account = steps.pop(Mode.ADD)
    if steps:
        raise Malformed("A new account has nothing to remove or to replace; give what to add.")
    (outcome,) = mail.create_accounts(request.actor, mail.CreateAccounts(site.pk, (account,)))
    if outcome.error:
        raise outcome.error
    return {"address": address(site, outcome.value.name), "id": outcome.value.id}


def update(request: Request) -> Result:
    """Change one account, everything or nothing."""
    site, name = named_account(request)
    steps = Asked(request, site, name).steps()
    if len(steps) > 1:
        steps = {mode: _hashed(request.actor, site, change, mode) for mode, change in steps.items()}
    # What one mode of the operation cannot say takes several, and one transaction makes them one change.
    with transaction.atomic() if len(steps) > 1 else nullcontext():
        for mode, change in steps.items():
            (outcome,) = mail.update_accounts(request.actor, mail.UpdateAccounts(site.pk, mode, (change,)))
            if outcome.error:
                raise outcome.error
    return {"address": address(site, name)}


def _hashed(actor: Actor, site: Site, change: mail.AccountChange, mode: Mode) -> mail.AccountChange:
    """The change with its password hashed now: the operation must not do it inside a transaction that is open."""
    hashes = mail.hash_ahead(actor, site.pk, [change], mode)
    if not hashes or change.password is UNSET:
        return change
    return replace(change, password=replace(change.password, hashed=hashes[0]))


def remove(request: Request) -> Result:
    """Remove one account."""
    site, name = named_account(request)
    (outcome,) = mail.remove_accounts(request.actor, mail.RemoveAccounts(site.pk, (name,)))
    if outcome.error:
        raise outcome.error
    return {"address": address(site, name)}


def restore(request: Request) -> Result:
    """Bring back the account of that address that was removed last."""
    site, name = named_account(request)
    restored = mail.restore_account(request.actor, mail.RestoreAccount(site.pk, name))
    account = restored.account
    return {"address": address(site, account.name), "id": account.id, "lost_aliases": list(restored.lost_aliases)}


def rename(request: Request) -> Result:
    """Give an account another name on its site."""
    site, name = named_account(request)
    new = request.text("new_name")
    local, at, domain = new.rpartition("@")
    if at:
        if named_site(request.actor, domain).pk != site.pk:
            raise InvalidValue(
                f"new_name: {new} is on another site. An account stays on its site: create one there.", field="new_name"
            )
        new = local
    mail.rename_account(request.actor, mail.RenameAccount(site.pk, name, new))
    return {"old_address": address(site, name), "address": address(site, new.lower())}


def service(request: Request) -> Result:
    """Switch the mail service of a site on or off."""
    site = named_site(request.actor, request.text("site"))
    enabled = request.optional_bool("enabled")
    if enabled is None:
        raise Malformed("enabled: it is missing.", field="enabled")
    mail.set_service_enabled(request.actor, site.pk, enabled)
    return {"site": site.name, "enabled": enabled}


def preferences(request: Request) -> Result:
    """Show or change what a site does with its mail."""
    site = named_site(request.actor, request.text("site"))
    unknown = request.optional_text("unknown")
    asked: dict[str, Any] = {
        "unknown_action": unknown,
        "unknown_value": None if unknown is None else request.optional_text("unknown_value"),
        "webmail": request.optional_text("webmail"),
        "sign_outgoing": request.optional_bool("sign_outgoing"),
        "greylisting": request.optional_bool("greylisting"),
        "enabled": request.optional_bool("enabled"),
    }
    given = {name: value for name, value in asked.items() if value is not None}
    if given:
        (outcome,) = mail.set_preferences(request.actor, [site.pk], mail.Preferences(**given))
        if outcome.error:
            raise outcome.error
    (found,) = site_preferences(request.actor, [site.pk])
    if isinstance(found, tuple):
        raise found[1]
    return {
        "site": site.name,
        "enabled": bool(found.enabled),
        "unknown": found.unknown_action,
        "unknown_value": found.unknown_value,
        "webmail": found.webmail,
        "sign_outgoing": bool(found.sign_outgoing),
        "greylisting": bool(found.greylisting),
    }


class Asked:
    """The settings that a request mentions, as changes in the modes of the operation.

    A list comes as `{"add": [...]}`, `{"remove": [...]}` or `{"set": [...]}`, or as several of these at once, with
    `enabled` where it has a switch.
    """

    def __init__(self, request: Request, site: Site, name: str) -> None:
        self._request, self._site, self._name = request, site, name
        self._lists = {name: request.optional_dict(name) or {} for name in LISTS}

    def steps(self) -> dict[Mode, mail.AccountChange]:
        """What to do, in this order: replace lists, take from lists, then everything else."""
        steps = {mode: self._list_changes(mode) for mode in (Mode.SET, Mode.REMOVE)}
        found = {mode: mail.AccountChange(self._name, **lists) for mode, lists in steps.items() if lists}
        rest = self._list_changes(Mode.ADD) | self._settings()
        if rest or not found:
            found[Mode.ADD] = mail.AccountChange(self._name, **rest)
        return found

    def _settings(self) -> dict[str, Any]:
        request = self._request
        found = {
            "mailbox_enabled": request.optional_bool("mailbox"),
            "quota": request.optional_int("quota"),
            "password": self._password(),
            "cp_access": request.optional_bool("panel_access"),
            "cp_options": request.optional_dict("panel_options"),
            "antivir": request.optional_text("antivirus"),
            "outgoing_limit": request.optional_text("outgoing_limit"),
            "description": request.optional_text("description"),
            "autoresponder": self._reply(),
            "autoresponders": self._replies(),
        }
        return {name: setting for name, setting in found.items() if setting is not None}

    def _list_changes(self, mode: Mode) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in ("aliases", "groups"):
            if mode.value in self._lists[name]:
                found[name] = tuple(self._local(member) for member in self._members(name, mode))
        for name in ("redirect", "group"):
            enabled = self._lists[name].get("enabled") if mode is Mode.ADD else None
            if mode.value in self._lists[name] or enabled is not None:
                found[name] = mail.Addresses(
                    UNSET if enabled is None else bool(enabled), tuple(self._members(name, mode))
                )
        if mode is Mode.ADD and "add" in self._lists["files"]:
            found["files"] = tuple(self._new_files())
        elif mode.value in self._lists["files"]:
            found["files"] = tuple(mail.NewFile(name) for name in self._members("files", mode))
        if mode is Mode.REMOVE and "remove" in self._lists["attachments"]:
            found["autoresponder"] = mail.ReplyChange(attachments=self._attachments(mode))
        return found

    def _attachments(self, mode: Mode) -> tuple[mail.Attachment, ...]:
        return tuple(mail.Attachment(name) for name in self._members("attachments", mode))

    def _members(self, name: str, mode: Mode) -> list[str]:
        members = self._lists[name].get(mode.value, [])
        if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
            raise Malformed(f"{name}: not a list of texts.", field=name)
        return members

    def _local(self, member: str) -> str:
        """A name of the site; its whole address is taken too."""
        local, at, domain = member.rpartition("@")
        return local if at and names.fold_domain(domain) == self._site.ascii_name else member

    def _new_files(self) -> Iterator[mail.NewFile]:
        for file in self._lists["files"]["add"]:
            try:
                yield mail.NewFile(str(file["name"]), base64.b64decode(file["content"], validate=True))
            except (TypeError, KeyError, binascii.Error):
                raise Malformed("files: a file needs a name and its content.", field="files") from None

    def _password(self) -> mail.Password | None:
        given = self._request.optional_dict("password")
        if given is None:
            return None
        return mail.Password(str(given.get("value", "")), str(given.get("kind", "plain")))

    def _reply(self) -> mail.ReplyChange | None:
        """The one automatic reply of commands that know only one."""
        given = self._request.optional_dict("autoreply") or {}
        attachments = self._attachments(Mode.ADD)
        return _reply_change(given, attachments) if given or attachments else None

    def _replies(self) -> mail.Replies | None:
        """The switch of all automatic replies, and one of them by its name."""
        given = self._request.optional_dict("autoreplies")
        if given is None:
            return None
        given = dict(given)
        switch = given.pop("all_enabled", UNSET)
        attachments = tuple(mail.Attachment(str(name)) for name in given.pop("attachments", []))
        detached = tuple(str(name) for name in given.pop("detached", []))
        if not given:
            return mail.Replies(switch)
        return mail.Replies(switch, (replace(_reply_change(given, attachments), detached=detached),))


REPLY_SETTINGS: dict[str, type] = {
    "name": str, "enabled": bool, "key": str, "key_where": str, "subject": str, "reply_to": str, "content_type": str,
    "charset": str, "text": str, "answers_per_day": int, "remembered_senders": int, "forward": str, "end_date": str,
}  # fmt: skip


def _reply_change(given: dict[str, Any], attachments: tuple[mail.Attachment, ...]) -> mail.ReplyChange:
    for key, setting in given.items():
        if not isinstance(setting, REPLY_SETTINGS.get(key, type(None))):
            raise Malformed(f"autoreply/{key}: no such setting of an automatic reply.", field=f"autoreply/{key}")
    if end := given.get("end_date"):
        try:
            given = given | {"end_date": date.fromisoformat(end)}
        except ValueError:
            raise InvalidValue(f"end_date: {end!r} is not a day. Write YYYY-MM-DD.", field="end_date") from None
    elif end is not None:
        given = given | {"end_date": None}
    return mail.ReplyChange(**given, attachments=attachments)


def retention(request: Request) -> Result:
    """Show or set for how many days the mail of removed accounts is kept."""
    days = request.optional_text("days")
    if days is not None:
        mail.set_retention(request.actor, days)
    return {"days": int(read_setting(mail.RETENTION))}


# ---- reads


def info(request: Request) -> Result:
    """Everything about one account but its password."""
    site, name = named_account(request)
    (found,) = account_infos(request.actor, site.pk, [name], EVERYTHING)
    if isinstance(found, tuple):
        raise found[1]
    return {
        "address": address(site, found.name),
        "id": found.id,
        "site_id": site.pk,
        "mailbox": bool(found.mailbox_enabled),
        "quota": found.quota,
        "used_bytes": found.used_bytes,
        "has_password": bool(found.has_password),
        "aliases": found.aliases,
        "redirect": {"enabled": bool(found.redirect_enabled), "addresses": found.redirect},
        "group": {"enabled": bool(found.group_enabled), "addresses": found.group},
        "groups": found.groups,
        "autoreplies": {
            "enabled": bool(found.autoresponders_enabled),
            "replies": [asdict(reply) | {"enabled": bool(reply.enabled)} for reply in found.replies],
        },
        "files": [{"name": file.name, "size": file.size} for file in found.files],
        "panel_access": bool(found.cp_access),
        "antivirus": found.antivir,
        "outgoing_limit": found.outgoing_limit,
        "description": found.description,
    }


def listing(request: Request) -> Result:
    """The accounts of one site, or of all sites by name, as rows."""
    text = request.optional_text("site")
    if text is not None:
        request.send_rows(_rows(request.actor, named_site(request.actor, text)))
        return {}
    sites = visible_sites(request.actor).filter(mail_accounts__isnull=False).distinct().order_by("ascii_name")
    for site in sites.iterator(chunk_size=500):
        request.send_rows(_rows(request.actor, site))
    return {}


def _rows(actor: Actor, site: Site) -> Iterator[dict[str, Any]]:
    for found in account_infos(actor, site.pk):
        if isinstance(found, AccountInfo):
            yield {
                "address": address(site, found.name),
                "id": found.id,
                "mailbox": bool(found.mailbox_enabled),
                "quota": found.quota,
                "used_bytes": found.used_bytes,
                "redirect": bool(found.redirect_enabled),
                "group": bool(found.group_enabled),
                "autoreplies": bool(found.autoresponders_enabled),
            }


HANDLERS: dict[str, Handler] = {
    "mail.create": create,
    "mail.update": update,
    "mail.remove": remove,
    "mail.restore": restore,
    "mail.rename": rename,
    "mail.service": service,
    "mail.preferences": preferences,
    "mail.info": info,
    "mail.list": listing,
    "mail.retention": retention,
}
