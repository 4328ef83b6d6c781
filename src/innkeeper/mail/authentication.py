"""Who a mail user is: the owner of a mail account, logging in to the panel with its address and password."""

from __future__ import annotations

import json
import os
import threading
from functools import cache

from innkeeper.accounts.authentication import count_failure, refuse_locked
from innkeeper.core import names
from innkeeper.core.actor import Actor, ActorKind, Door
from innkeeper.core.errors import AccountDisabled, AuthenticationFailed, NotAllowed, Refused
from innkeeper.core.passwords import hash_mail, verify_mail
from innkeeper.mail.models import MailAccount, MailName

WEB_SERVICE_ONLY = 8

# Each takes a core for some 60 ms: more at once would starve everybody else.
_verifications = threading.BoundedSemaphore(2)


@cache
def _decoy() -> str:
    """A hash that nothing matches, so that an unknown address takes as long as a wrong password."""
    return hash_mail(os.urandom(16).hex())


def mail_user(account_id: int) -> tuple[MailAccount, str] | None:
    """A mail account that may use the panel now, and its address; None if it is gone, suspended or not admitted."""
    name = (
        MailName.objects.select_related("account", "site")
        .filter(account_id=account_id, kind=MailName.Kind.ACCOUNT, account__cp_access=True)
        .first()
    )
    if name is None or name.site.status & ~WEB_SERVICE_ONLY or not name.account.password:
        return None
    return name.account, f"{name.local_part}@{name.site.name}"


def allows_several_sessions(account: MailAccount) -> bool:
    """Whether the owner may be logged in to the panel more than once at a time."""
    return bool(json.loads(account.cp_options).get("multiply_login", "true") not in ("false", "0"))


def authenticate_mail_user(address: str, password: str, client: str, door: Door) -> Actor:
    """The actor that a mail address and its mail password name.

    Raises LoginLocked, AuthenticationFailed, AccountDisabled, and NotAllowed without access to the panel and at any
    other door. What is wrong with an account is told only to whoever knows its password.
    """
    try:
        folded = names.address(address)
    except Refused:
        folded = address.strip().lower()
    refuse_locked(folded, client)
    name = MailName.objects.select_related("account", "site").filter(address=folded, kind=MailName.Kind.ACCOUNT).first()
    stored = name.account.password if name else ""
    with _verifications:
        matches = verify_mail(password, stored or _decoy())
    if name is None or not stored or not matches:
        count_failure(folded, client)
        raise AuthenticationFailed("Wrong user name or password.")
    if name.site.status & ~WEB_SERVICE_ONLY:
        raise AccountDisabled("This account is suspended.")
    if not name.account.cp_access:
        raise NotAllowed("This mail account has no access to the panel. Ask whoever looks after it.")
    if door is not Door.PANEL:
        raise NotAllowed("Permission denied: the owner of a mail account uses the panel and no API.")
    return Actor(ActorKind.MAIL_USER, name.account_id, folded, client, door)
