"""How to reach a mail account or the mail of a site from outside the panel: by a packet, or by the command line.

A password never appears: the text shows where one would stand.
"""

from __future__ import annotations

import shlex
from xml.sax.saxutils import escape

from innkeeper.mail.listing import ListedAccount
from innkeeper.mail.queries import AccountInfo, SitePreferences

VERSION = "1.6.9.1"


def _element(name: str, value: object) -> str:
    text = ("true" if value else "false") if isinstance(value, bool) else escape(str(value))
    return f"<{name}>{text}</{name}>" if text else f"<{name}/>"


def _indented(lines: list[str]) -> str:
    """Lines of one element each, indented by their depth."""
    depth, result = 0, []
    for line in lines:
        closes = line.startswith("</")
        depth -= closes
        result.append("  " * depth + line)
        opens = not closes and not line.endswith("/>") and "</" not in line
        depth += opens
    return "\n".join(result)


def packet(site_id: int, info: AccountInfo) -> str:
    """An `update/set` packet that would make the account what it is now."""
    addresses = [*info.redirect, *info.group]
    lines = [
        f'<packet version="{VERSION}">',
        "<mail>", "<update>", "<set>", "<filter>",
        _element("site-id", site_id),
        "<mailname>",
        _element("name", info.name),
        _element("cp-access", info.cp_access),
        "<mailbox>", _element("enabled", info.mailbox_enabled), _element("quota", info.quota), "</mailbox>",
    ]  # fmt: skip
    if addresses:
        lines += [
            "<forwarding>",
            _element("enabled", info.redirect_enabled or info.group_enabled),
            *(_element("address", address) for address in addresses),
            "</forwarding>",
        ]
    lines += [_element("alias", alias) for alias in info.aliases]
    lines += [
        _element("antivir", info.antivir),
        _element(
            "outgoing-messages-mbox-limit", "default" if info.outgoing_limit is None else info.outgoing_limit
        ),
        _element("description", info.description),
        "</mailname>", "</filter>", "</set>", "</update>", "</mail>", "</packet>",
    ]  # fmt: skip
    return _indented(lines)


def read_packet(site_id: int, info: AccountInfo) -> str:
    """A packet that asks for the account."""
    return _indented(
        [
            f'<packet version="{VERSION}">',
            "<mail>",
            "<get_info>",
            "<filter>",
            _element("site-id", site_id),
            _element("name", info.name),
            "</filter>",
            "<mailbox/>",
            "<mailbox-usage/>",
            "<forwarding/>",
            "<aliases/>",
            "<autoresponder/>",
            "</get_info>",
            "</mail>",
            "</packet>",
        ]
    )


def command_line(row: ListedAccount, info: AccountInfo) -> str:
    """The command that would make the account what it is now. Its password would come by standard input."""
    words = ["./innkeeper", "mail", "update", row.address]
    words.append("--mailbox" if info.mailbox_enabled else "--no-mailbox")
    words += ["--quota", "unlimited" if info.quota < 0 else str(info.quota)]
    for alias in info.aliases:
        words += ["--alias", alias]
    for address in info.redirect:
        words += ["--redirect", address]
    return shlex.join(words)


def site_packet(info: SitePreferences) -> str:
    """A `set_prefs` packet that would make the mail of a site what it is now."""
    return _indented(
        [
            f'<packet version="{VERSION}">',
            "<mail>", "<set_prefs>",
            "<filter>", _element("site-id", info.site_id), "</filter>",
            "<prefs>",
            "<nonexistent-user>", _element(info.unknown_action, info.unknown_value), "</nonexistent-user>",
            _element("webmail", info.webmail),
            _element("spam-protect-sign", bool(info.sign_outgoing)),
            _element("greylisting", bool(info.greylisting)),
            _element("mailservice", bool(info.enabled)),
            "</prefs>",
            "</set_prefs>", "</mail>", "</packet>",
        ]
    )  # fmt: skip


def read_site_packet(site_id: int) -> str:
    """A packet that asks for the mail of a site."""
    return _indented(
        [
            f'<packet version="{VERSION}">',
            "<mail>", "<get_prefs>",
            "<filter>", _element("site-id", site_id), "</filter>",
            "</get_prefs>", "</mail>", "</packet>",
        ]
    )  # fmt: skip


def site_commands(site: str, info: SitePreferences) -> str:
    """The commands that would make the mail of a site what it is now."""
    unknown = {"reject": "reject", "bounce": f"bounce:{info.unknown_value}"}.get(
        info.unknown_action, info.unknown_value
    )
    return "\n".join(
        (
            shlex.join(["./innkeeper", "mail", "preferences", site, "--unknown", unknown]),
            shlex.join(["./innkeeper", "mail", "on" if info.enabled else "off", site]),
        )
    )
