"""An application that fails, for the server that runs applications."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.util import FileWrapper

from innkeeper.doors import rsgi

rsgi.PATIENCE = 0.5
rsgi.BUFFERED_BYTES = 6 * 1024 * 1024


class Counting(rsgi.Application):
    """Counts the requests that come by the event loop."""

    by_loop = 0

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        Counting.by_loop += 1
        await super().__rsgi__(scope, protocol)


class Breaking(BytesIO):
    """A file of which only the first part can be read."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size) or self._broken()

    def _broken(self) -> bytes:
        raise OSError("the disk is gone")


def fail(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer `/by-loop`, begin to answer `/breaking`, and nothing else."""
    if environ["PATH_INFO"] == "/by-loop":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(Counting.by_loop).encode()]
    if environ["PATH_INFO"] == "/breaking":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "100000")])
        return FileWrapper(Breaking(b"." * rsgi.CHUNK))
    raise RuntimeError("not for clients")


application = Counting(fail, lambda environ: 0)
