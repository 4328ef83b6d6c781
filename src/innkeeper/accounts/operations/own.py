"""What is the same for every account, whatever its kind."""

from __future__ import annotations

from innkeeper.accounts.models import Account
from innkeeper.accounts.operations.administrator import AdministratorChanges, update_administrator
from innkeeper.accounts.operations.customers import CustomerChanges, hash_password, update_customer
from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import NotAllowed
from innkeeper.core.operation import Operation


def set_api_access(account_id: int, allowed: bool) -> None:
    """Whether the account may use the XML API: for operations that record on their own why it changes."""
    Account.objects.filter(pk=account_id).update(may_use_api=allowed)


def change_own_password(actor: Actor, password: str) -> None:
    """Set the password of the caller's own panel account. Raises NotAllowed, InvalidValue."""
    if actor.is_administrator:
        update_administrator(actor, AdministratorChanges(password=password))
    elif actor.kind is ActorKind.CUSTOMER:
        update_customer(actor, actor.account_id, CustomerChanges(password=password))
    elif actor.kind is ActorKind.RESELLER:
        new_hash = hash_password(password, actor.login)
        with Operation(actor, "reseller.update") as operation:
            Account.objects.filter(pk=actor.account_id).update(password=new_hash)
            operation.audit("reseller", actor.account_id, actor.login, "passwd")
    else:
        raise NotAllowed("Permission denied: a mail account's password is changed with the account.")
