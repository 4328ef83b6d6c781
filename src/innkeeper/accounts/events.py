"""The control-panel events of accounts, of their log-ins and of the panel's sessions."""

from __future__ import annotations

from innkeeper.accounts.models import Account
from innkeeper.events.catalogue import event

ADMIN_UPDATE = event("admin_update")
CLIENT_CREATE = event("client_create")
CLIENT_UPDATE = event("client_update")
CLIENT_DELETE = event("client_delete")
CLIENT_STATUS_UPDATE = event("client_status_update")
CLIENT_PREFERENCES_UPDATE = event("client_preferences_update")
CLIENT_GUID = event("client_guid")
CP_USER_LOGIN = event("cp_user_login")
CP_USER_LOGOUT = event("cp_user_logout")
SESSION_PREFERENCES_UPDATE = event("session_preferences_update")


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


def preferences(account: Account) -> dict[str, object]:
    """The values of what a customer prefers in the panel, in the event of that."""
    return {
        "contact_name": account.contact_name,
        "login_name": account.login,
        "allow_multiple_sessions": account.multiple_sessions,
        "interface_language": account.locale,
        "interface_skin": account.color_scheme,
    }
