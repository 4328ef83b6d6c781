"""Which callers may use which operators. Whose objects they see is decided by the queries of each domain."""

from __future__ import annotations

from innkeeper.core.actor import Actor, ActorKind
from innkeeper.core.errors import NotAllowed

ALL = frozenset({"*"})
NONE: frozenset[str] = frozenset()
READ = frozenset({"get"})

RESELLER: dict[str, frozenset[str]] = {
    "customer": ALL,
    "client": ALL,
    "reseller": frozenset({"get", "set", "get-limit-descriptor", "get-permission-descriptor"}),
    "webspace": ALL,
    "domain": ALL,
    "site": ALL,
    "subdomain": ALL,
    "site-alias": ALL,
    "mail": ALL,
    "dns": ALL,
    "database": ALL,
    "db_server": frozenset({"get", "get-default", "get-supported-types"}),
    "ip": READ,
    "server": frozenset({"get_protos", "create_session"}),
    "service-plan": ALL,
    "service-plan-addon": ALL,
    "certificate": ALL,
    "user": ALL,
    "role": ALL,
    "ftp-user": ALL,
    "webuser": ALL,
    "protected-dir": ALL,
    "maillist": ALL,
    "virtdir": ALL,
    "php-handler": READ,
    "extension": READ,
    "locale": READ,
    "log-rotation": READ,
    "ui": frozenset({"get-navigation"}),
    "aps": frozenset({"get-packages-list"}),
}
CUSTOMER: dict[str, frozenset[str]] = RESELLER | {
    "customer": frozenset({"get", "set", "get-domain-list"}),
    "client": frozenset({"get", "set"}),
    "reseller": NONE,
    "ip": NONE,
    "service-plan": NONE,
    "service-plan-addon": NONE,
}


def require(actor: Actor, operator: str, operation: str) -> None:
    """Raise NotAllowed unless this kind of caller may run the operation."""
    if actor.kind is ActorKind.ADMINISTRATOR:
        return
    table = {ActorKind.RESELLER: RESELLER, ActorKind.CUSTOMER: CUSTOMER}.get(actor.kind, {})
    allowed = table.get(operator, NONE)
    if allowed is not ALL and operation not in allowed:
        raise NotAllowed(f"Permission denied: your account may not use {operator}/{operation}.")
