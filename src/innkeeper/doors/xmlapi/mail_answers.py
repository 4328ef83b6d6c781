"""Writes mail accounts and preferences in the new dialect.

`get_info` is asked for whole sites: each account becomes text in one go, without elements in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from innkeeper.doors.xmlapi.call import Call
from innkeeper.doors.xmlapi.results import error_fragment
from innkeeper.doors.xmlapi.versions import Version
from innkeeper.doors.xmlapi.writer import Writer, escape
from innkeeper.mail import queries
from innkeeper.mail.queries import AccountInfo, Part, ReplyInfo, SettingsRow, SitePreferences
from innkeeper.mail.scope import account_not_found

FIRST_WITH_LIMIT = Version.parse("1.6.6.0")
FIRST_WITH_END_DATE = Version.parse("1.6.8.0")

PARTS = {"forwarding": Part.RECIPIENTS, "aliases": Part.ALIASES, "autoresponder": Part.REPLIES}
NO_REPLY = ReplyInfo("", False, "", "no", "", "", "text/plain", "UTF-8", "", None, None, "", None, None)
WORD = {False: "false", True: "true"}


def write_infos(call: Call, site_id: int, names: Sequence[str] | None, flags: frozenset[str]) -> None:
    """A result for each account, or one bare result for a site without any.

    Raises NotFound for the site before anything is written.
    """
    wanted = Part.NOTHING
    for flag in flags:
        wanted |= PARTS.get(flag, Part.NOTHING)
    writer = call.writer
    found = False
    if wanted is Part.NOTHING:
        row_text = _row_formatter(writer, flags, call.version)
        for rows in queries.settings_rows(call.actor, site_id, names):
            found = True
            writer.append("".join(map(row_text, rows)))
    else:
        text_of = _formatter(writer, flags, call.version)
        for info in queries.account_infos(call.actor, site_id, names, wanted):
            found = True
            writer.append(text_of(info) if isinstance(info, AccountInfo) else missing_text(writer, info[0]))
    if not found:
        with call.result():
            pass


def missing_text(writer: Writer, name: str) -> str:
    """The result of a name that has no account."""
    line, inner, innermost = writer.line(), writer.line(1), writer.line(2)
    return (
        f"{line}<result>{error_fragment(account_not_found(name), inner)}{inner}<mailname>{innermost}"
        f"<name>{escape(name)}</name>{inner}</mailname>{line}</result>"
    )


def _row_formatter(writer: Writer, flags: frozenset[str], version: Version) -> Callable[[SettingsRow | str], str]:
    """How a row becomes the text of its result, for requests that ask for settings alone.

    Names, GUIDs and words of our own need no escaping.
    """
    result, inside, line, deeper = (writer.line(depth) for depth in range(4))
    head = f"{result}<result>{inside}<status>ok</status>{inside}<mailname>{line}<id>%d</id>{line}<name>%s</name>"
    settings = f"{deeper}<enabled>%s</enabled>{deeper}<quota>%d</quota>"
    usage = f"{deeper}<usage>%d</usage>"
    limit = f"{line}<outgoing-messages-mbox-limit>%s</outgoing-messages-mbox-limit>"
    no_password, no_description = f"{line}<password/>", f"{line}<description/>"
    tail = f"{inside}</mailname>{result}</result>"
    with_settings, with_usage = "mailbox" in flags, "mailbox-usage" in flags
    with_limit = version >= FIRST_WITH_LIMIT
    # Nearly all accounts of most sites: no panel user, no description, the server's limit.
    common = (
        f"{head}{line}<mailbox>{settings}{line}</mailbox>{no_password}{line}<antivir>%s</antivir>"
        + (f"{limit % 'default'}{no_description}" if with_limit else "")
        + tail
    )
    is_common = with_settings and not with_usage

    def text_of(row: SettingsRow | str) -> str:
        if isinstance(row, str):
            return missing_text(writer, row)
        id_, name, enabled, quota, used, antivir, messages, guid, description = row
        if is_common and messages is None and not guid and not description:
            return common % (id_, name, "true" if enabled else "false", quota, antivir)
        mailbox = settings % ("true" if enabled else "false", quota) if with_settings else ""
        if with_usage:
            mailbox += usage % used
        if mailbox:
            mailbox = f"{line}<mailbox>{mailbox}{line}</mailbox>"
        password = f"{line}<user-guid>{guid}</user-guid>" if guid else no_password
        text = f"{head % (id_, name)}{mailbox}{password}{line}<antivir>{antivir}</antivir>"
        if not with_limit:
            return text + tail
        described = f"{line}<description>{escape(description)}</description>" if description else no_description
        return f"{text}{limit % ('default' if messages is None else messages)}{described}{tail}"

    return text_of


def _formatter(writer: Writer, flags: frozenset[str], version: Version) -> Callable[[AccountInfo], str]:
    """How one account becomes the text of its result, for this request."""
    result, inside, line, deeper, deepest = (writer.line(depth) for depth in range(5))
    head = f"{result}<result>{inside}<status>ok</status>{inside}<mailname>{line}<id>"
    tail = f"{inside}</mailname>{result}</result>"
    mailbox, usage, forwarding, aliases, autoresponder = (
        flag in flags for flag in ("mailbox", "mailbox-usage", "forwarding", "aliases", "autoresponder")
    )
    has_limit = version >= FIRST_WITH_LIMIT
    has_end_date = version >= FIRST_WITH_END_DATE

    def leaf(indent: str, tag: str, text: str) -> str:
        return f"{indent}<{tag}>{escape(text)}</{tag}>" if text else f"{indent}<{tag}/>"

    def forwarding_of(info: AccountInfo) -> str:
        addresses = "".join(leaf(deeper, "address", each) for each in dict.fromkeys(info.redirect + info.group))
        enabled = WORD[info.redirect_enabled or info.group_enabled]
        return f"{line}<forwarding>{deeper}<enabled>{enabled}</enabled>{addresses}{line}</forwarding>"

    def autoresponder_of(info: AccountInfo) -> str:
        reply = next((each for each in info.replies if each.enabled), info.replies[0] if info.replies else NO_REPLY)
        enabled = WORD[bool(info.autoresponders_enabled and reply.enabled)]
        attachments = "".join(
            f"{deeper}<attachment>{leaf(deepest, 'file-name', name)}{deeper}</attachment>" for name in reply.attachments
        )
        parts = [
            f"{line}<autoresponder>{deeper}<enabled>{enabled}</enabled>",
            leaf(deeper, "subject", reply.subject),
            leaf(deeper, "content_type", reply.content_type),
            leaf(deeper, "charset", reply.charset),
            leaf(deeper, "text", reply.text),
            attachments,
            leaf(deeper, "forward", reply.forward),
        ]
        if has_end_date and reply.end_date:
            parts.append(leaf(deeper, "end_date", reply.end_date))
        parts.append(f"{line}</autoresponder>")
        return "".join(parts)

    def mailbox_of(info: AccountInfo) -> str:
        enabled = WORD[info.mailbox_enabled]
        settings = f"{deeper}<enabled>{enabled}</enabled>{deeper}<quota>{info.quota}</quota>" if mailbox else ""
        used = f"{deeper}<usage>{info.used_bytes}</usage>" if usage else ""
        return f"{line}<mailbox>{settings}{used}{line}</mailbox>"

    def text_of(info: AccountInfo) -> str:
        asked = ""
        if mailbox or usage:
            asked = mailbox_of(info)
        if forwarding:
            asked += forwarding_of(info)
        if aliases and info.aliases:
            asked += "".join(leaf(line, "alias", alias) for alias in info.aliases)
        if autoresponder:
            asked += autoresponder_of(info)
        secret = leaf(line, "user-guid", info.user_guid) if info.user_guid else f"{line}<password/>"
        last = ""
        if has_limit:
            limit = "default" if info.outgoing_limit is None else info.outgoing_limit
            last = (
                f"{line}<outgoing-messages-mbox-limit>{limit}</outgoing-messages-mbox-limit>"
                f"{leaf(line, 'description', info.description)}"
            )
        return (
            f"{head}{info.id}</id>{line}<name>{escape(info.name)}</name>{asked}{secret}"
            f"{line}<antivir>{info.antivir}</antivir>{last}{tail}"
        )

    return text_of


def write_preferences(call: Call, site_ids: Sequence[int] | None) -> None:
    """A result for each site, in the schema's order; one bare result for a caller without any."""
    with_certificate = call.version >= FIRST_WITH_END_DATE
    found = False
    for info in queries.preferences(call.actor, site_ids):
        found = True
        if not isinstance(info, SitePreferences):
            site_id, error = info
            with call.result(error) as writer:
                writer.leaf("site-id", site_id)
            continue
        with call.result() as writer:
            writer.leaf("site-id", info.site_id)
            with writer.element("prefs"):
                with writer.element("nonexistent-user"):
                    writer.leaf(info.unknown_action, info.unknown_value)
                writer.leaf("webmail", info.webmail)
                writer.leaf("spam-protect-sign", bool(info.sign_outgoing))
                writer.leaf("greylisting", bool(info.greylisting))
                writer.leaf("mailservice", bool(info.enabled))
                if with_certificate and info.webmail_certificate:
                    writer.leaf("webmail-certificate", info.webmail_certificate)
    if not found:
        with call.result():
            pass
