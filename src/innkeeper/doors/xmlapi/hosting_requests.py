"""Reads the blocks that webspaces and sites share in requests."""

from __future__ import annotations

import math

from lxml import etree

from innkeeper.core.errors import InvalidValue, NotFound, NotSupported, WrongStatus
from innkeeper.doors.xmlapi.call import boolean_of, number_of, raw_text_of, text_of
from innkeeper.doors.xmlapi.mail_requests import preferences
from innkeeper.hosting.requests import Entitlements, HostingSettings, Preferences
from innkeeper.mail.requests import Preferences as MailPreferences

Element = etree._Element

# Of the limits of outgoing mail a webspace has one of its own, for all its domains.
UNSERVED_LIMITS = (
    "outgoing-messages-mbox-limit",
    "outgoing-messages-subscription-limit",
    "outgoing-messages-enable-sendmail",
    "outgoing-messages-overlimit-percent",
)


def hosting_of(operation: Element, type_: str | None) -> HostingSettings | None:
    """`hosting`, whose child names the type; without it there is none, whatever `htype` says: so mail alone is ordered.

    Raises InvalidValue where both are there and disagree.
    """
    hosting = operation.find("hosting")
    if hosting is None or len(hosting) == 0:
        return None
    block = hosting[0]
    if type_ not in (None, "", block.tag):
        raise InvalidValue(f"htype: it is {type_}, and hosting holds {block.tag}. Give the same.", field="htype")
    return HostingSettings(
        type=str(block.tag),
        properties=pairs_of(block, "property"),
        url=text_of(block, "dest_url") or "",
        code=number_of(block, "http_code"),
        ip_addresses=tuple(" ".join((each.text or "").split()) for each in block.findall("ip_address")),
    )


def pairs_of(block: Element | None, tag: str) -> dict[str, str]:
    """The `name` and `value` of each element `tag` in a block; of a name given twice, the last value."""
    if block is None:
        return {}
    return {text_of(each, "name") or "": raw_text_of(each, "value") or "" for each in block.findall(tag)}


def preferences_of(operation: Element, description: str | None) -> Preferences:
    """`prefs`, `performance` and the description."""
    prefs, performance = operation.find("prefs"), operation.find("performance")
    if prefs is not None and (boolean_of(prefs, "icp-status") or text_of(prefs, "icp-permit")):
        raise NotSupported("icp-status, icp-permit: this server keeps no such licences. Leave them out.")
    months = None if prefs is None else text_of(prefs, "stat_ttl")
    bandwidth = None if performance is None else text_of(performance, "bandwidth")
    return Preferences(
        www=None if prefs is None else boolean_of(prefs, "www"),
        # Empty is how clients send that statistics are kept for ever.
        statistics_months=None if months is None else int(months or 0),
        outgoing_limit=_outgoing_limit(operation),
        bandwidth=_whole(bandwidth) if bandwidth else None,
        max_connections=None if performance is None else number_of(performance, "max_connections"),
        description=description,
    )


def _whole(text: str) -> int:
    """A double of the schema, which may be infinite, as a whole number."""
    value = float(text)
    if not math.isfinite(value):
        raise InvalidValue(
            f"bandwidth: {text!r} is no number of kB/s. Give one, or -1 for no limit.", field="bandwidth"
        )
    return int(value)


def _outgoing_limit(operation: Element) -> str | None:
    """The limit stands in `mail` or in `prefs`; that in `mail` wins."""
    for tag in ("mail", "prefs"):
        block = operation.find(tag)
        if block is not None and (text := text_of(block, "outgoing-messages-domain-limit")):
            return text
    return None


def entitlements_of(operation: Element) -> Entitlements:
    """`limits`, `permissions` and `php-settings`."""
    limits, permissions = operation.find("limits"), operation.find("permissions")
    return Entitlements(
        overuse=None if limits is None else text_of(limits, "overuse"),
        limits=pairs_of(limits, "limit"),
        limits_to_zero=limits is not None and limits.find("all-to-zero") is not None,
        permissions=pairs_of(permissions, "permission"),
        revoke_permissions=permissions is not None and permissions.find("revoke-all") is not None,
        php_settings=pairs_of(operation.find("php-settings"), "setting"),
    )


def mail_of(operation: Element) -> MailPreferences:
    """`mail` of a webspace: the preferences of its main site. `none` leaves them as they are."""
    mail = operation.find("mail")
    if mail is None:
        return MailPreferences()
    for tag in UNSERVED_LIMITS:
        if text_of(mail, tag) not in (None, "", "default"):
            raise NotSupported(f"{tag}: this limit is the server's. Leave it out, or set it by server/set/prefs.")
    return preferences(mail)


def status_of(text: str | None) -> int:
    """A status that came as text; 0 if there is none. Raises WrongStatus."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise WrongStatus(f"status: {text!r} cannot be set. Use 0, 16, 32 or 64.")
    return int(text[:9])


def refuse_plans(operation: Element) -> None:
    """There is no service plan on this server yet, so none that a request names exists. Raises NotFound."""
    for tag in ("plan-id", "plan-name", "plan-guid", "plan-external-id"):
        text = text_of(operation, tag)
        if text is not None:
            raise NotFound(f"Service plan {text} does not exist")
