"""Secret keys of the XML API."""

from __future__ import annotations

import ipaddress
import uuid
from dataclasses import dataclass

from django.utils import timezone

from innkeeper.accounts.authentication import key_hash
from innkeeper.accounts.models import Account, SecretKey
from innkeeper.accounts.queries import find_key, named
from innkeeper.core.actor import Actor
from innkeeper.core.errors import InvalidValue, NotAllowed, NotFound
from innkeeper.core.operation import Operation

DESCRIPTION_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to create: addresses joined by commas, empty for the caller's; an empty login is the caller itself."""

    address: str = ""
    description: str = ""
    login: str = ""


def create_key(actor: Actor, request: NewKey) -> str:
    """Create a secret key bound to client addresses and return its text, which is stored nowhere.

    Raises NotAllowed, NotFound, InvalidValue.
    """
    if not actor.is_administrator:
        raise NotAllowed("Permission denied: only the administrator creates secret keys.")
    address = _addresses(request.address.strip() or actor.address)
    if len(request.description) > DESCRIPTION_LENGTH:
        raise InvalidValue(f"description: use at most {DESCRIPTION_LENGTH} characters.", field="description")
    if request.login:
        account = named(Account.objects.all(), login=request.login).first()
    else:
        account = Account.objects.filter(pk=actor.account_id).first()
    if account is None:
        raise NotFound("client does not exist")
    if account.status:
        raise InvalidValue(f"login: {account.login} is suspended. Activate the account first.", field="login")
    key = str(uuid.uuid4())
    with Operation(actor, "secret_key.create") as operation:
        row = SecretKey.objects.create(
            key_hash=key_hash(key),
            account=account,
            addresses=address,
            description=request.description,
            created_at=timezone.now(),
        )
        operation.audit("secret_key", row.pk, account.login, address)
    return key


def _addresses(text: str) -> str:
    """Addresses joined by commas, each in its usual form. Raises InvalidValue."""
    try:
        return ",".join(str(ipaddress.ip_address(part.strip())) for part in text.split(","))
    except ValueError:
        raise InvalidValue(
            f"ip_address: {text!r} is not an IP address. Give the address that the key is used from.",
            field="ip_address",
        ) from None


def remove_key(actor: Actor, key: str) -> None:
    """Remove a secret key, named by its text or by its id. It stops working with the commit.

    Raises NotAllowed, NotFound.
    """
    if not actor.is_administrator:
        raise NotAllowed("Permission denied: only the administrator removes secret keys.")
    with Operation(actor, "secret_key.remove") as operation:
        row = find_key(actor, key)
        operation.audit("secret_key", row.pk, row.account.login, row.addresses)
        row.delete()
