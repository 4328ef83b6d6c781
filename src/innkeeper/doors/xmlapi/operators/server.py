"""Operator `server`: the server itself."""

from __future__ import annotations

from innkeeper.doors.xmlapi.call import Call
from innkeeper.doors.xmlapi.versions import VERSIONS, Dialect

OPERATOR = "server"
DIALECTS = (Dialect.NEW, Dialect.OLD)


def get_protos(call: Call) -> None:
    """The versions that are served. Clients take the highest that they know."""
    with call.result() as writer, writer.element("protos"):
        for version in VERSIONS:
            if not version.is_mail_only:
                writer.leaf("proto", str(version))


OPERATIONS = {"get_protos": get_protos}
