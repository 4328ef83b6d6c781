"""What an account chooses for itself alone."""

from __future__ import annotations

from innkeeper.accounts.events import CLIENT_PREFERENCES_UPDATE, preferences
from innkeeper.accounts.models import Account
from innkeeper.core.actor import Actor
from innkeeper.core.errors import InvalidValue
from innkeeper.core.operation import Operation

COLOR_SCHEMES = ("auto", "light", "dark")


def set_color_scheme(actor: Actor, scheme: str) -> None:
    """Choose how the panel looks for the actor: by the reader's system, light or dark. Raises InvalidValue."""
    if scheme not in COLOR_SCHEMES:
        raise InvalidValue(f"color_scheme: {scheme!r} is none of auto, light, dark.", field="color_scheme")
    with Operation(actor, "account.preferences") as operation:
        account = Account.objects.select_for_update().get(pk=actor.account_id)
        before = preferences(account)
        account.color_scheme = scheme
        account.save(update_fields=["color_scheme"])
        operation.audit("account", actor.account_id, actor.login, f"color_scheme={scheme}")
        if account.kind == Account.Kind.CUSTOMER and preferences(account) != before:
            operation.event(CLIENT_PREFERENCES_UPDATE, account.pk, old=before, new=preferences(account))
