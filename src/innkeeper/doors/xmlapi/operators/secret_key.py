"""Operator `secret_key`: keys that authenticate packets."""

from __future__ import annotations

from innkeeper.accounts.models import SecretKey
from innkeeper.accounts.operations import NewKey, create_key, remove_key
from innkeeper.accounts.queries import find_key, visible_keys
from innkeeper.core.errors import Refused
from innkeeper.doors.xmlapi.call import Call, text_of
from innkeeper.doors.xmlapi.versions import Dialect

OPERATOR = "secret_key"
DIALECTS = (Dialect.NEW, Dialect.OLD)


def create(call: Call) -> None:
    """Create a key; this answer is the only place where it stands."""
    key = create_key(
        call.actor,
        NewKey(
            address=text_of(call.element, "ip_address") or "",
            description=text_of(call.element, "description") or "",
            login=text_of(call.element, "login") or "",
        ),
    )
    with call.result() as writer:
        writer.leaf("key", key)


def get_info(call: Call) -> None:
    """Keys by text or id, each shown as it was asked for; of all keys the ids."""
    asked = _asked(call)
    if not asked:
        with call.result():
            for row in visible_keys(call.actor):
                _write_info(call, row, str(row.pk))
        return
    for text in asked:
        try:
            row = find_key(call.actor, text)
        except Refused as error:
            with call.result(error) as writer:
                writer.leaf("key", text)
            continue
        with call.result():
            _write_info(call, row, text)


def delete(call: Call) -> None:
    """Remove keys by text or id; without any all, as in every empty filter."""
    removed = 0
    asked = _asked(call) or [str(pk) for pk in visible_keys(call.actor).values_list("pk", flat=True)]
    for text in dict.fromkeys(asked):
        error = None
        try:
            remove_key(call.actor, text)
        except Refused as refused:
            error = refused
        with call.result(error) as writer:
            writer.leaf("key", text)
        removed += 1
    if not removed:
        with call.result():
            pass


def _asked(call: Call) -> list[str]:
    return [" ".join((child.text or "").split()) for child in call.element[0]]


def _write_info(call: Call, row: SecretKey, shown: str) -> None:
    with call.writer.element("key_info"):
        call.writer.leaf("key", shown)
        call.writer.leaf("ip_address", row.addresses)
        call.writer.leaf("description", row.description)
        call.writer.leaf("login", row.account.login)


OPERATIONS = {"create": create, "get_info": get_info, "delete": delete}
