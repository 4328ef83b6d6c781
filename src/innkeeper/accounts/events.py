"""Events of accounts, with the parameters of the control panel's catalogue."""

from __future__ import annotations

from innkeeper.accounts.models import Account
from innkeeper.core.events import EventType

_CONTACT = (
    "contact_name", "company_name", "phone", "fax", "email", "address", "city", "state_province",
    "postal_zip_code", "country",
)  # fmt: skip
_NAMED = frozenset({"login_name", "contact_name"})
# `password` is a parameter of the catalogue and always empty here: the outbox holds no secret.
_CLIENT = ("login_name", "password", *_CONTACT)

ADMIN_UPDATE = EventType("admin_update", "admin", "change", ("login_name", *_CONTACT), _NAMED)
CLIENT_CREATE = EventType("client_create", "client", "create", _CLIENT, _NAMED)
CLIENT_UPDATE = EventType("client_update", "client", "change", _CLIENT, _NAMED)
CLIENT_DELETE = EventType("client_delete", "client", "delete", _CLIENT, _NAMED)
CLIENT_STATUS_UPDATE = EventType(
    "client_status_update", "client_status", "change", ("contact_name", "login_name", "status"), _NAMED
)


def described(account: Account) -> dict[str, object]:
    """The values of an account in the events above."""
    return {
        "login_name": account.login,
        "contact_name": account.contact_name,
        "company_name": account.company_name,
        "phone": account.phone,
        "fax": account.fax,
        "email": account.email,
        "address": account.street_address,
        "city": account.city,
        "state_province": account.state,
        "postal_zip_code": account.postal_code,
        "country": account.country,
    }
