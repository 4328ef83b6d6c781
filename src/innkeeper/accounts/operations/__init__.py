"""Changes of accounts and secret keys. Nothing outside this package writes their rows."""

from innkeeper.accounts.operations.administrator import (
    AdministratorChanges,
    create_administrator,
    update_administrator,
)
from innkeeper.accounts.operations.customers import (
    CustomerChanges,
    NewCustomer,
    create_customer,
    remove_customer,
    update_customer,
)
from innkeeper.accounts.operations.own import change_own_password, set_api_access
from innkeeper.accounts.operations.secret_keys import NewKey, create_key, remove_key

__all__ = [
    "AdministratorChanges",
    "CustomerChanges",
    "NewCustomer",
    "NewKey",
    "change_own_password",
    "create_administrator",
    "create_customer",
    "create_key",
    "remove_customer",
    "remove_key",
    "set_api_access",
    "update_administrator",
    "update_customer",
]
