"""`call`: a packet through the packet door as the administrator, without HTTP."""

from __future__ import annotations

from innkeeper.doors.cli import wire
from innkeeper.doors.cli.handlers import Handler, Request, Result
from innkeeper.doors.xmlapi.dispatch import answer


def call(request: Request) -> Result:
    """Run the packet; its answer goes out as bytes. What goes wrong in it stands in the answer, as over HTTP."""
    content = answer(request.actor, request.data, pretty=request.optional_bool("pretty") or False).content
    with content:
        while chunk := content.read(wire.CHUNK):
            request.send_data(chunk)
    return {}


HANDLERS: dict[str, Handler] = {"packet.call": call}
