"""Operator `session`: who is logged in to the panel."""

from __future__ import annotations

from innkeeper.core.actor import ActorKind
from innkeeper.doors.panel.open_sessions import end_session, open_sessions
from innkeeper.doors.xmlapi.call import Call, text_of
from innkeeper.doors.xmlapi.versions import Dialect

OPERATOR = "session"
DIALECTS = (Dialect.NEW,)

TYPES = {
    ActorKind.ADMINISTRATOR: "admin",
    ActorKind.RESELLER: "reseller",
    ActorKind.CUSTOMER: "client",
    ActorKind.MAIL_USER: "mail-user",
}


def get(call: Call) -> None:
    """Every open session, the oldest first, and those that are offered to a browser."""
    with call.result() as writer:
        for session in sorted(open_sessions(), key=lambda each: (each.started, each.id)):
            with writer.element("session"):
                writer.leaf("id", session.id)
                writer.leaf("type", TYPES[session.kind])
                writer.leaf("ip-address", session.address)
                writer.leaf("login", session.login)
                writer.leaf("login-time", session.started.isoformat())
                writer.leaf("idle", session.seen.isoformat())


def terminate(call: Call) -> None:
    """End a session at once."""
    end_session(call.actor, text_of(call.element, "session-id") or "")
    with call.result():
        pass


OPERATIONS = {"get": get, "terminate": terminate}
