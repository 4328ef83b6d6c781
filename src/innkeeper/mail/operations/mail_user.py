"""What a mail user may change of the own account."""

from __future__ import annotations

from dataclasses import fields

from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import NotAllowed
from innkeeper.mail.operations.state import AccountState
from innkeeper.mail.requests import UNSET, AccountChange
from innkeeper.mail.scope import account_not_found

# Always open to the owner of an account that has panel access.
_OPEN = frozenset(
    ["name", "id", "password", "forwarding", "redirect", "group", "autoresponder", "autoresponders", "files",
     "color_scheme"]
)  # fmt: skip
# Open with the permission that the account carries.
_BY_PERMISSION = {"antivir": "manage_drweb"}


def check_mail_user(actor: Actor, state: AccountState, change: AccountChange) -> None:
    """Raises NotFound for an account that is not the mail user's own, NotAllowed for what is not his to change.

    Other actors pass.
    """
    if actor.kind is not ActorKind.MAIL_USER:
        return
    if state.id != actor.account_id:
        raise account_not_found(change.name)
    if not state.cp_access:
        raise NotAllowed("This account has no access to the panel. Ask the owner of the site for it.")
    for setting in fields(change):
        if setting.name in _OPEN or getattr(change, setting.name) is UNSET:
            continue
        permission = _BY_PERMISSION.get(setting.name)
        if permission is None or not state.permissions.get(permission, False):
            raise NotAllowed(f"{setting.name}: only the owner of the site may change it.")
