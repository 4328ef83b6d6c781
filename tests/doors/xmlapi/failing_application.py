"""An application that fails, for the server that runs applications."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from innkeeper.doors import rsgi

rsgi.PATIENCE = 0.5


class Counting(rsgi.Application):
    """Counts the requests that come by the event loop."""

    by_loop = 0

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        Counting.by_loop += 1
        await super().__rsgi__(scope, protocol)


def fail(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer `/by-loop` and nothing else."""
    if environ["PATH_INFO"] == "/by-loop":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(Counting.by_loop).encode()]
    raise RuntimeError("not for clients")


application = Counting(fail, lambda environ: 0)
