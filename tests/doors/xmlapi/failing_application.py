"""An application that fails, for the server that runs applications."""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from innkeeper.doors.rsgi import Application


def fail(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer `/fine` and nothing else."""
    if environ["PATH_INFO"] == "/fine":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"fine"]
    raise RuntimeError("not for clients")


application = Application(fail, lambda environ: 0)
