"""Mail of a site as a whole: on or off, and its preferences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django.db import connection

from innkeeper.core import names
from innkeeper.core.actor import Actor
from innkeeper.core.db.sets import among
from innkeeper.core.errors import InvalidValue, NotFound, Refused, WebmailMissing
from innkeeper.core.operation import Operation, Outcome
from innkeeper.jobs import effects
from innkeeper.mail.models import MailService
from innkeeper.mail.operations.rings import Forwarding
from innkeeper.mail.operations.site import Site, lock_site, lock_sites, refuse_mail_user
from innkeeper.mail.requests import UNSET, Preferences
from innkeeper.mail.scope import site_not_found

BOUNCE_TEXT = "This address no longer accepts mail."
BOUNCE_TEXT_LENGTH = 500
WEBMAIL_PRODUCTS = ("roundcube", "horde")
"""Webmail products that a site may name; the first is the default."""


def set_service_enabled(actor: Actor, site_id: int, enabled: bool) -> None:
    """Switch the mail service of a site on or off. Off keeps accounts and mail; nobody is answered or logged in.

    Raises NotFound, NotAllowed, Failed.
    """
    refuse_mail_user(actor)
    with Operation(actor, "mail.enable" if enabled else "mail.disable") as operation:
        site = lock_site(actor, site_id)
        _write([site], {"enabled": enabled})
        operation.audit("site", site.id, site.domain)
        if not enabled:
            effects.end_site_sessions([site.id])


def set_preferences(actor: Actor, site_ids: Sequence[int] | None, wanted: Preferences) -> list[Outcome[int]]:
    """Change the preferences of sites, in one transaction: an outcome for each site id, in the order of the request.

    Without ids every site that the actor sees is changed, by ascending id. A value that breaks a rule is the refusal
    of each site. Raises Failed.
    """
    refuse_mail_user(actor)
    refusal: Refused | None = None
    values: dict[str, Any] = {}
    try:
        values = _checked(wanted)
    except Refused as refused:
        refusal = refused
    outcomes: list[Outcome[int]] = []
    changed: list[Site] = []
    with Operation(actor, "mail.preferences") as operation:
        found = lock_sites(actor, site_ids)
        target = str(values.get("forward_address", ""))
        forwarding = Forwarding(actor, [target] if target else [])
        for site_id in found if site_ids is None else site_ids:
            site = found.get(site_id)
            error: Refused | None = site_not_found()
            if site is not None:
                error = site if isinstance(site, Refused) else refusal or _ring(forwarding, site, target)
            if isinstance(site, Site) and error is None:
                changed.append(site)
            outcomes.append(Outcome(site_id, error))
        if values and changed:
            _write(changed, values)
            for site in changed:
                operation.audit("site", site.id, site.domain, ", ".join(sorted(values)))
            if values.get("enabled") is False:
                effects.end_site_sessions([site.id for site in changed])
    return outcomes


def _ring(forwarding: Forwarding, site: Site, target: str) -> Refused | None:
    if target:
        try:
            forwarding.check_catchall(site.domain, target)
        except Refused as refused:
            return refused
        forwarding.take_catchall(site.domain, target)
    return None


def _write(sites: Sequence[Site], values: dict[str, Any]) -> None:
    condition, parameter = among("site_id", [site.id for site in sites])
    assignments = ", ".join(f"{column} = %s" for column in values)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE mail_mailservice SET {assignments} WHERE {condition}", [*values.values(), parameter])


def _checked(wanted: Preferences) -> dict[str, Any]:
    """The columns to change. Raises a Refused for the first value that breaks a rule."""
    values: dict[str, Any] = {}
    if wanted.unknown_action is not UNSET:
        if wanted.unknown_action not in MailService.UnknownAction.values:
            raise InvalidValue(
                f"nonexistent-user: {wanted.unknown_action!r} is none of reject, bounce, forward.",
                field="nonexistent-user",
            )
        values["unknown_action"] = wanted.unknown_action
        if wanted.unknown_action == MailService.UnknownAction.FORWARD:
            values["forward_address"] = names.address(wanted.unknown_value, field="nonexistent-user/forward")
        elif wanted.unknown_action == MailService.UnknownAction.BOUNCE:
            values["bounce_text"] = _bounce_text(wanted.unknown_value)
    if wanted.webmail is not UNSET:
        values["webmail"] = _webmail(wanted.webmail)
    for column in ("sign_outgoing", "greylisting", "enabled"):
        if (value := getattr(wanted, column)) is not UNSET:
            values[column] = value
    if wanted.webmail_certificate is not UNSET:
        if wanted.webmail_certificate:
            raise NotFound(
                f"webmail-certificate: there is no certificate {wanted.webmail_certificate}.",
                field="webmail-certificate",
            )
        values["webmail_certificate"] = ""
    return values


def _bounce_text(value: str) -> str:
    # One line: it becomes the text of an SMTP status.
    text = re.sub(r"[\x00-\x20\x7f]+", " ", value).strip()
    if len(text) > BOUNCE_TEXT_LENGTH:
        raise InvalidValue(
            f"nonexistent-user/bounce: {len(text)} characters are too many. Use at most {BOUNCE_TEXT_LENGTH}.",
            field="nonexistent-user/bounce",
        )
    return text or BOUNCE_TEXT


def _webmail(value: str) -> str:
    product = value.strip().lower()
    if product in {"", "none", "false", "0"}:
        return "none"
    if product in {"true", "1"}:
        return WEBMAIL_PRODUCTS[0]
    if product not in WEBMAIL_PRODUCTS:
        raise WebmailMissing(
            f"webmail: {value!r} is not installed. Use none or one of {', '.join(WEBMAIL_PRODUCTS)}.", field="webmail"
        )
    return product
