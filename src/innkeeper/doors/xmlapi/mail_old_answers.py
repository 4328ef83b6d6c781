"""Writes mail accounts and preferences in the old dialect."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence

from innkeeper.core import files
from innkeeper.doors.xmlapi.call import Call
from innkeeper.doors.xmlapi.mail_old_requests import OPTIONS
from innkeeper.doors.xmlapi.writer import Writer
from innkeeper.mail import queries
from innkeeper.mail.queries import AccountInfo, Part, ReplyInfo, SitePreferences

# The names under which clients of that age ask for a part, and the part.
FLAGS = {
    "cp_access": "cp_access",
    "mailbox": "mailbox",
    "mailbox-usage": "usage",
    "redirect": "redirect",
    "forwarding": "redirect",
    "mailgroup": "mailgroup",
    "group": "group",
    "groups": "group",
    "alias": "alias",
    "aliases": "alias",
    "autoresponders": "autoresponders",
    "autoresponder": "autoresponders",
    "repository": "repository",
    "attachments": "repository",
    "permissions": "permissions",
}
PARTS = {
    "redirect": Part.RECIPIENTS,
    "mailgroup": Part.RECIPIENTS,
    "group": Part.GROUPS,
    "alias": Part.ALIASES,
    "autoresponders": Part.REPLIES,
    "repository": Part.FILES,
}


def write_infos(call: Call, site_id: int, names: Sequence[str] | None, flags: frozenset[str]) -> None:
    """A result for each account, or one bare result for a site without any. Raises NotFound for the site."""
    asked = frozenset(FLAGS[flag] for flag in flags)
    wanted = Part.NOTHING
    for part in asked:
        wanted |= PARTS.get(part, Part.NOTHING)
    found = False
    for info in queries.account_infos(call.actor, site_id, names, wanted):
        found = True
        if isinstance(info, AccountInfo):
            with call.result() as writer, writer.element("mailname"):
                write_account(writer, info, asked)
        else:
            name, error = info
            with call.result(error) as writer, writer.element("mailname"):
                writer.leaf("name", name)
    if not found:
        with call.result():
            pass


def write_account(writer: Writer, info: AccountInfo, asked: frozenset[str]) -> None:
    """The children of `mailname`, in the schema's order."""
    writer.leaf("id", info.id)
    writer.leaf("name", info.name)
    if "cp_access" in asked:
        write_panel_access(writer, info)
    if asked & {"mailbox", "usage"}:
        with writer.element("mailbox"):
            if "mailbox" in asked:
                writer.leaf("enabled", bool(info.mailbox_enabled))
                writer.leaf("quota", info.quota)
            if "usage" in asked:
                writer.leaf("usage", info.used_bytes)
    redirect, redirect_enabled = info.redirect, bool(info.redirect_enabled)
    group, group_enabled = info.group, bool(info.group_enabled)
    if len(redirect) > 1:
        # The new dialect's list of several: a redirect holds one address here, a group any number.
        group, group_enabled = list(dict.fromkeys(redirect + group)), redirect_enabled or group_enabled
        redirect, redirect_enabled = [], False
    if "redirect" in asked:
        write_addresses(writer, "redirect", redirect, enabled=redirect_enabled)
    if "mailgroup" in asked:
        write_addresses(writer, "mailgroup", group, enabled=group_enabled)
    for name in info.groups:
        writer.leaf("group", name)
    for alias in info.aliases:
        writer.leaf("alias", alias)
    if "autoresponders" in asked:
        with writer.element("autoresponders"):
            writer.leaf("enabled", bool(info.autoresponders_enabled))
            for reply in info.replies:
                with writer.element("autoresponder"):
                    write_reply(writer, reply)
    if "repository" in asked:
        with writer.element("repository"):
            for file in info.files:
                with writer.element("file"):
                    writer.leaf("name", file.name)
                    writer.leaf("content", base64.b64encode(files.get(file.sha256)).decode())
    writer.leaf("antivir", info.antivir)
    if "permissions" in asked:
        with writer.element("permissions"):
            for name, value in (json.loads(info.permissions) | {"cp_access": bool(info.cp_access)}).items():
                with writer.element("permission"):
                    writer.leaf("name", name)
                    writer.leaf("value", bool(value))


def write_panel_access(writer: Writer, info: AccountInfo) -> None:
    """`cp_access` with the options that were stored."""
    options = json.loads(info.cp_options)
    with writer.element("cp_access"):
        writer.leaf("enabled", bool(info.cp_access))
        if options:
            with writer.element("access"):
                for name in OPTIONS:
                    if name in options:
                        writer.leaf(name, options[name])


def write_addresses(writer: Writer, tag: str, addresses: Sequence[str], *, enabled: bool) -> None:
    """A switch and its addresses."""
    with writer.element(tag):
        writer.leaf("enabled", enabled)
        for address in addresses:
            writer.leaf("address", address)


def write_reply(writer: Writer, reply: ReplyInfo) -> None:
    """The children of `autoresponder`, in the schema's order."""
    writer.leaf("name", reply.name)
    writer.leaf("enabled", bool(reply.enabled))
    writer.leaf("keystr", reply.key)
    writer.leaf("key_where", reply.key_where)
    writer.leaf("subject", reply.subject)
    writer.leaf("reply_to", reply.reply_to)
    writer.leaf("content_type", reply.content_type)
    writer.leaf("charset", reply.charset)
    writer.leaf("text", reply.text)
    if reply.answers_per_day is not None:
        writer.leaf("ans_freq", reply.answers_per_day)
    if reply.remembered_senders is not None:
        writer.leaf("mem_limit", reply.remembered_senders)
    for name in reply.attachments:
        writer.leaf("attachment", name)
    writer.leaf("forward", reply.forward)


def write_preferences(call: Call, site_ids: Sequence[int] | None, shown: Iterator[str]) -> None:
    """A result for each site: the preferences that this dialect knows, the webmail product as a boolean."""
    found = False
    for info in queries.preferences(call.actor, site_ids):
        found = True
        if not isinstance(info, SitePreferences):
            site_id, error = info
            with call.result(error) as writer:
                writer.leaf("domain_id", next(shown, site_id))
            continue
        with call.result() as writer:
            writer.leaf("domain_id", next(shown, info.site_id))
            with writer.element("prefs"):
                with writer.element("nonexistent-user"):
                    writer.leaf(info.unknown_action, info.unknown_value)
                writer.leaf("webmail", info.webmail != "none")
                writer.leaf("spam-protect-sign", bool(info.sign_outgoing))
    if not found:
        with call.result():
            pass
